# SPDX-License-Identifier: Apache-2.0
#
# Sanitizer, coverage and hardening flags. Three kinds, by reach:
#  - instrumentation in our own top-level build is global, because a sanitizer that misses one
#    object file reports false positives or misses bugs;
#  - instrumentation of a vendored bast goes to the library targets only, and config.hpp stops a
#    program that disagrees;
#  - hardening flags are PRIVATE to our own targets: a consumer hardens its own code.

set(BAST_INSTRUMENTATION "")

if(NOT "${BAST_SANITIZER}" STREQUAL "")
  # Frame pointers make the unwinder of the sanitizer run-time both fast and able to cross fibers.
  list(APPEND BAST_INSTRUMENTATION -fsanitize=${BAST_SANITIZER} -fno-omit-frame-pointer)
  if(BAST_SANITIZER STREQUAL "undefined")
    # Without this, undefined behaviour prints a line and the test still passes.
    list(APPEND BAST_INSTRUMENTATION -fno-sanitize-recover=all)
  elseif(BAST_SANITIZER STREQUAL "memory")
    list(APPEND BAST_INSTRUMENTATION -fsanitize-memory-track-origins)
  endif()
endif()

if(BAST_BUILD_FUZZERS AND BAST_FUZZING_ENGINE STREQUAL "-fsanitize=fuzzer")
  # Without stack depth as a signal: with many stacks it is noise.
  list(APPEND BAST_INSTRUMENTATION
    -fsanitize=fuzzer-no-link -fno-sanitize-coverage=stack-depth)
endif()

if(BAST_COVERAGE)
  # Counters are updated from several threads, so they must be atomic or gcov reports negative hits.
  list(APPEND BAST_INSTRUMENTATION --coverage -fprofile-update=atomic)
endif()

# bast_add_global_instrumentation()
#
# A macro, because add_compile_options() must act on the directory of the caller.
macro(bast_add_global_instrumentation)
  if(BAST_INSTRUMENTATION)
    add_compile_options(${BAST_INSTRUMENTATION})
    add_link_options(${BAST_INSTRUMENTATION})
  endif()
endmacro()

# bast_add_hardening(<target>)
#
# The flags of the OpenSSF guide "Compiler Options Hardening Guide for C and C++". Which of them
# matter to a fiber library: stack clash protection keeps a large frame from jumping over a guard,
# and CET marks every indirect branch target, the context switch included.
function(bast_add_hardening target)
  if(BAST_INSTRUMENTATION AND NOT bast_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE ${BAST_INSTRUMENTATION})
    target_link_options(${target} PRIVATE ${BAST_INSTRUMENTATION})
  endif()

  if(NOT BAST_HARDENED)
    return()
  endif()

  target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  target_compile_options(${target} PRIVATE
    -fstack-protector-strong
    -fstack-clash-protection)
  if(BAST_CPU STREQUAL "x86_64")
    target_compile_options(${target} PRIVATE -fcf-protection=full)
  else()
    target_compile_options(${target} PRIVATE -mbranch-protection=standard)
  endif()
  # Sanitizers intercept what _FORTIFY_SOURCE replaces, and it needs an optimised build to work.
  if(NOT BAST_SANITIZER AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endfunction()
