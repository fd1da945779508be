# SPDX-License-Identifier: Apache-2.0
#
# Checks the options early, with a message that names the remedy, and turns them into the generated
# header <bast/config.hpp>. A wrong value must stop the configure step, because a library built with
# a mistyped sanitizer or counter width would only fail much later, in a test or in production.

if(NOT "${BAST_SANITIZER}" MATCHES "^(|address|thread|undefined|memory)$")
  message(FATAL_ERROR
    "BAST_SANITIZER is '${BAST_SANITIZER}'; use nothing, address, thread, undefined or memory.")
endif()

if(BAST_SANITIZER STREQUAL "memory" AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR
    "BAST_SANITIZER=memory needs clang; ${CMAKE_CXX_COMPILER_ID} has no MemorySanitizer.")
endif()

if(BAST_BUILD_FUZZERS AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR
    "BAST_BUILD_FUZZERS needs clang; ${CMAKE_CXX_COMPILER_ID} has no libFuzzer.")
endif()

if(BAST_TSAN_NO_SYNC AND NOT BAST_SANITIZER STREQUAL "thread")
  message(FATAL_ERROR "BAST_TSAN_NO_SYNC needs BAST_SANITIZER=thread.")
endif()

if(BAST_VALGRIND AND NOT BAST_SANITIZER STREQUAL "")
  message(FATAL_ERROR "BAST_VALGRIND excludes BAST_SANITIZER: valgrind cannot run such a program.")
endif()

if(BAST_VALGRIND)
  find_path(BAST_VALGRIND_HEADERS valgrind/memcheck.h)
  mark_as_advanced(BAST_VALGRIND_HEADERS)
  if(NOT BAST_VALGRIND_HEADERS)
    message(FATAL_ERROR "BAST_VALGRIND needs valgrind/memcheck.h: install the package valgrind.")
  endif()
endif()

if(NOT BAST_GENERATION_BITS MATCHES "^([1-9]|[12][0-9]|3[0-2])$")
  message(FATAL_ERROR
    "BAST_GENERATION_BITS is '${BAST_GENERATION_BITS}'; use a number from 1 to 32.")
endif()

if(NOT BAST_ASSERTIONS MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "BAST_ASSERTIONS is '${BAST_ASSERTIONS}'; use AUTO, ON or OFF.")
endif()

if(NOT BAST_URING MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "BAST_URING is '${BAST_URING}'; use AUTO, ON or OFF.")
endif()

# Not when compiling for another CPU: pkg-config would find the liburing of this one. GLOBAL,
# because whoever vendors bast links bast::bast in another directory than this.
set(BAST_WITH_URING OFF)
if(BAST_URING STREQUAL "ON" OR (BAST_URING STREQUAL "AUTO" AND NOT CMAKE_CROSSCOMPILING))
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    # 2.2: the first with io_uring_prep_cancel64.
    pkg_check_modules(liburing QUIET IMPORTED_TARGET GLOBAL liburing>=2.2)
  endif()
  if(TARGET PkgConfig::liburing)
    set(BAST_WITH_URING ON)
  elseif(BAST_URING STREQUAL "ON")
    message(FATAL_ERROR "BAST_URING needs liburing 2.2 and pkg-config: install liburing-dev.")
  endif()
endif()

# Libraries of the system are built for the other standard library, so what has C++ in its interface
# is compiled from source then.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("
  #include <cstddef>
  #ifndef _LIBCPP_VERSION
  #error another standard library
  #endif
  int main() {}" BAST_WITH_LIBCXX)

# One header serves all configurations of a multi-config generator, so AUTO looks at
# CMAKE_BUILD_TYPE only, and means OFF where that is empty.
set(BAST_ASSERTIONS_RESOLVED ${BAST_ASSERTIONS})
if(BAST_ASSERTIONS STREQUAL "AUTO")
  if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR BAST_HARDENED OR BAST_COVERAGE OR BAST_BUILD_FUZZERS
      OR NOT BAST_SANITIZER STREQUAL "")
    set(BAST_ASSERTIONS_RESOLVED ON)
  else()
    set(BAST_ASSERTIONS_RESOLVED OFF)
  endif()
endif()

# bast_generate_config(<directory> [NAME=VALUE...])
#
# Writes <directory>/bast/config.hpp. NAME=VALUE overrides one macro, which is how a variant of the
# library (see bast_variant_core) differs from the ordinary one.
function(bast_generate_config directory)
  set(config_BAST_GENERATION_BITS ${BAST_GENERATION_BITS})
  foreach(name IN ITEMS BAST_HARDENED BAST_EXCEPTIONS BAST_FORCE_OUT_OF_LINE_SWITCH BAST_MUTANTS
      BAST_COVERAGE BAST_FORCE_PROTECTION_TIER BAST_TSAN_NO_SYNC)
    set(config_${name} 0)
    if(${name})
      set(config_${name} 1)
    endif()
  endforeach()
  set(config_BAST_WITH_VALGRIND 0)
  if(BAST_VALGRIND)
    set(config_BAST_WITH_VALGRIND 1)
  endif()
  set(config_BAST_ASSERTIONS 0)
  if(BAST_ASSERTIONS_RESOLVED)
    set(config_BAST_ASSERTIONS 1)
  endif()

  foreach(pair IN ITEMS ASAN=address TSAN=thread MSAN=memory)
    string(REPLACE "=" ";" pair "${pair}")
    list(GET pair 0 name)
    list(GET pair 1 sanitizer)
    set(config_BAST_WITH_${name} 0)
    if(BAST_SANITIZER STREQUAL sanitizer)
      set(config_BAST_WITH_${name} 1)
    endif()
  endforeach()

  foreach(definition IN LISTS ARGN)
    string(REGEX MATCH "^(BAST_[A-Z_]+)=([0-9]+)$" matched "${definition}")
    if(NOT matched OR NOT DEFINED config_${CMAKE_MATCH_1})
      message(FATAL_ERROR
        "bast_generate_config: '${definition}' is not a NAME=NUMBER of config.hpp.in.")
    endif()
    set(config_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  endforeach()

  configure_file(
    "${PROJECT_SOURCE_DIR}/lib/bast/config.hpp.in" "${directory}/bast/config.hpp" @ONLY)
endfunction()
