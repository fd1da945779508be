# SPDX-License-Identifier: Apache-2.0
#
# The helpers in lib/bast/testing, which need no test framework: the leak baseline, the checks after
# each input of a fuzzer, the loop that fails every kernel call.

# bast_add_testing(<target> <core>)
function(bast_add_testing target core)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/bast/testing/*.cpp")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PUBLIC ${core})
  bast_setup_target(${target})
  if(BAST_COVERAGE)
    # See lib/bast/testing/coverage_exits.cpp. -u: the linker must take that file from the archive.
    target_link_options(${target} INTERFACE
      LINKER:--wrap=_exit,--wrap=abort,--wrap=sigaction LINKER:-u,__wrap__exit)
  endif()
  if(target STREQUAL "bast_testing")
    add_library(bast::testing ALIAS ${target})
  endif()
endfunction()
