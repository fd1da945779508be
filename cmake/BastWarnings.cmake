# SPDX-License-Identifier: Apache-2.0
#
# The warnings our own code is held to. They are PRIVATE to our targets: a consumer chooses its own.

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
