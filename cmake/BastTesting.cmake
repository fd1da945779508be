# SPDX-License-Identifier: Apache-2.0
#
# The helpers in lib/bast/testing, which need no test framework: the leak baseline, the checks after
# each input of a fuzzer, the loop that fails every kernel call.

# bast_add_testing(<target> <core>)
function(bast_add_testing target core)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/bast/testing/*.cpp")
  list(FILTER sources EXCLUDE REGEX "(_test|/child|/plugin)\\.cpp$")
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PUBLIC ${core})
  bast_setup_target(${target})
  target_compile_options(${target} PRIVATE ${BAST_LIBRARY_OPTIONS})
  if(BAST_COVERAGE)
    # See lib/bast/testing/coverage_exits.cpp. -u: the linker must take that file from the archive.
    target_link_options(${target} INTERFACE
      LINKER:--wrap=_exit,--wrap=abort,--wrap=sigaction LINKER:-u,__wrap__exit)
  endif()
  if(target STREQUAL "bast_testing")
    add_library(bast::testing ALIAS ${target})
  endif()
endfunction()

# bast_add_test_child()
#
# The program that tests of processes start. Without instrumentation: it tells what it inherited,
# and a sanitizer's own handlers and descriptors would be in the way.
function(bast_add_test_child)
  add_executable(bast_test_child "${PROJECT_SOURCE_DIR}/lib/bast/testing/child.cpp")
  bast_setup_target(bast_test_child)
  if(BAST_SANITIZER OR BAST_BUILD_FUZZERS)
    target_compile_options(bast_test_child PRIVATE -fno-sanitize=all)
    target_link_options(bast_test_child PRIVATE -fno-sanitize=all)
  endif()
  if(BAST_COVERAGE)
    target_compile_options(bast_test_child PRIVATE -fno-profile-arcs -fno-test-coverage)
  endif()
endfunction()

# bast_use_test_child(<target>)
#
# Gives the path of that program to a test, as the string BAST_TEST_CHILD; and where it is built for
# another CPU, what must stand before it on a command line, separated by newlines.
function(bast_use_test_child target)
  add_dependencies(${target} bast_test_child)
  set(emulator "")
  if(CMAKE_CROSSCOMPILING)
    set(emulator ${CMAKE_CROSSCOMPILING_EMULATOR})
    list(POP_FRONT emulator program)
    find_program(BAST_TEST_EMULATOR "${program}" REQUIRED NO_CMAKE_FIND_ROOT_PATH)
    list(PREPEND emulator "${BAST_TEST_EMULATOR}")
    list(JOIN emulator "\\n" emulator)
  endif()
  target_compile_definitions(${target} PRIVATE "BAST_TEST_CHILD_PREFIX=\"${emulator}\""
    "BAST_TEST_CHILD=\"$<TARGET_FILE:bast_test_child>\"")
endfunction()
