# SPDX-License-Identifier: Apache-2.0
#
# What every target of ours shares. All of it is PRIVATE: a consumer chooses its own.

include(BastHardening)     # bast_add_hardening(target)

# bast_setup_target(<target>)
#
# Language, warnings, hardening, and whether exceptions exist: of the library, the tests, the tools,
# the examples and the benchmarks.
function(bast_setup_target target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_features(${target} PRIVATE cxx_std_23)
  bast_add_warnings(${target})
  bast_add_hardening(${target})
  if(NOT BAST_EXCEPTIONS)
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-fno-exceptions -fno-rtti>")
  endif()
endfunction()

# bast_add_warnings(<target>)
function(bast_add_warnings target)
  # The list is limited to C++: the assembler front end knows none of these.
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
    -Wold-style-cast -Wcast-align -Wunused -Woverloaded-virtual -Wformat=2
    -Wimplicit-fallthrough -Wmissing-declarations -Wundef>")
  if(BAST_WERROR)
    # Flags that every language is given, as -stdlib, may say nothing to the assembler.
    target_compile_options(${target} PRIVATE -Werror
      $<$<COMPILE_LANG_AND_ID:ASM,Clang>:-Wno-unused-command-line-argument>)
  endif()
endfunction()
