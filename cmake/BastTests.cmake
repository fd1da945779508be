# SPDX-License-Identifier: Apache-2.0
#
# Unit tests live beside the code as lib/bast/<layer>/<concept>_test.cpp and are found by pattern.
# Four functions:
#   bast_layer_tests(layer)                 one executable, bast_<layer>_test, per layer
#   bast_script_tests()                     what a script checks: refused programs, ELF notes
#   bast_add_test_plugin(test)              a shared object with the library inside
#   bast_variant_core(name definitions...)  a second build of the core, and the tests that need it

if(CMAKE_CROSSCOMPILING OR BAST_WITH_LIBCXX)
  # Debian has no GoogleTest for a foreign CPU or for libc++, but it ships the sources.
  add_subdirectory(/usr/src/googletest "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)
  foreach(name IN ITEMS gtest gtest_main gmock)
    if(NOT TARGET GTest::${name})
      add_library(GTest::${name} ALIAS ${name})
    endif()
  endforeach()
else()
  find_package(GTest REQUIRED)
endif()
include(GoogleTest)
include(BastTesting)

# bast_test_executable(<target> <core> <testing> <label> <sources...>)
#
# The whole program is one test, which is quick and shows state that leaks from one of its tests to
# the next; with BAST_TEST_PER_PROCESS each of its tests is one, so that a crash or a leak has one
# name. ci/results.py reads what the program writes into results/ and counts its tests.
function(bast_test_executable target core testing label)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE ${core} GTest::gtest GTest::gmock GTest::gtest_main)
  if(TARGET ${testing})
    target_link_libraries(${target} PRIVATE ${testing})
  endif()
  bast_setup_target(${target})
  target_compile_definitions(${target} PRIVATE BAST_EMULATED=$<BOOL:${CMAKE_CROSSCOMPILING}>)
  # error() of a result that has a value, and the like, end the test instead of reading what is
  # there.
  target_compile_definitions(${target} PRIVATE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
  if(BAST_TEST_PER_PROCESS)
    gtest_discover_tests(${target}
      DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 120 LABELS ${label})
  else()
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(${target} PROPERTIES TIMEOUT 600 LABELS ${label}
      ENVIRONMENT "GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/results/")
  endif()
endfunction()

# bast_script_tests()
#
# Laws about what the compiler refuses and what the linker reads. They are asked of the compiler and
# the flags of this build, by scripts with a self-test of their own.
function(bast_script_tests)
  set(flags ${BAST_INSTRUMENTATION} "-I${PROJECT_SOURCE_DIR}/lib"
    "-I${CMAKE_CURRENT_BINARY_DIR}/generated/bast_core")
  if(NOT BAST_EXCEPTIONS)
    list(APPEND flags -fno-exceptions -fno-rtti)
  endif()
  add_test(NAME nodiscard.X8_ignoring_a_result_does_not_build
    COMMAND "${PROJECT_SOURCE_DIR}/ci/nodiscard" "${CMAKE_CXX_COMPILER}" ${flags})
  set_tests_properties(nodiscard.X8_ignoring_a_result_does_not_build PROPERTIES
    TIMEOUT 120 LABELS base)
  add_test(NAME refusals.what_a_fiber_cannot_hold_does_not_build
    COMMAND "${PROJECT_SOURCE_DIR}/ci/refusals" "${CMAKE_CXX_COMPILER}" ${flags})
  set_tests_properties(refusals.what_a_fiber_cannot_hold_does_not_build PROPERTIES
    TIMEOUT 120 LABELS sched)

  # Notes are read from a static library, and not from the bitcode of link-time optimisation.
  get_target_property(type bast_core TYPE)
  if(type STREQUAL "STATIC_LIBRARY" AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION)
    add_test(NAME elf_notes.D13_no_object_strips_a_program_of_its_protection
      COMMAND "${PROJECT_SOURCE_DIR}/ci/elf_notes" ${BAST_CPU} "$<TARGET_FILE:bast_core>"
        $<BOOL:${BAST_HARDENED}> "${CMAKE_CXX_COMPILER}")
    set_tests_properties(elf_notes.D13_no_object_strips_a_program_of_its_protection PROPERTIES
      TIMEOUT 60 LABELS arch ENVIRONMENT "READELF=${CMAKE_READELF}")
  endif()
endfunction()

# bast_layer_tests(<layer>)
function(bast_layer_tests layer)
  set(directory "${PROJECT_SOURCE_DIR}/lib/bast/${layer}")
  set(patterns "${directory}/*_test.cpp")
  if(layer STREQUAL "arch")
    list(APPEND patterns "${directory}/${BAST_CPU}/*_test.cpp")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  list(FILTER sources EXCLUDE REGEX "_variant_test\\.cpp$")
  if(sources)
    bast_test_executable(bast_${layer}_test bast_core bast_testing ${layer} ${sources})
    if(layer IN_LIST BAST_CORE_LAYERS)
      bast_enforce_layer(bast_${layer}_test ${layer} tests)
    endif()
  endif()
endfunction()

# bast_add_test_plugin(<test>)
#
# Tells a test program where a shared object is that contains the library, or nothing, where the
# library is not position independent. As plug-ins do, it exports nothing but its entry. An inline
# variable that is exported, a unique symbol of gcc's, would keep it loaded by itself.
function(bast_add_test_plugin test)
  get_target_property(position_independent bast_core POSITION_INDEPENDENT_CODE)
  set(path "")
  if(position_independent)
    add_library(bast_test_plugin MODULE "${PROJECT_SOURCE_DIR}/lib/bast/testing/plugin.cpp")
    bast_setup_target(bast_test_plugin)
    target_link_libraries(bast_test_plugin PRIVATE bast_core)
    file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/plugin.map"
      CONTENT "{ global: bast_test_plugin_run; local: *; };\n")
    target_link_options(bast_test_plugin PRIVATE
      "LINKER:--version-script=${CMAKE_CURRENT_BINARY_DIR}/plugin.map")
    add_dependencies(${test} bast_test_plugin)
    set(path "$<TARGET_FILE:bast_test_plugin>")
  endif()
  target_compile_definitions(${test} PRIVATE BAST_TEST_PLUGIN="${path}")
endfunction()

# bast_variant_core(<name> <NAME=VALUE...>)
#
# Some laws can only be reached in a library built otherwise: a counter that wraps, a switch that is
# forced out of line. The variant is the same sources with its own config.hpp. Its tests are all
# files lib/bast/<layer>/<name>_variant_test.cpp; they link to the variant and never to bast::core,
# because one program must not contain both.
#
# TESTS names more files, relative to lib/bast, that run against the variant too.
function(bast_variant_core name)
  cmake_parse_arguments(PARSE_ARGV 1 variant "" "" TESTS)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/bast/*/${name}_variant_test.cpp")
  list(TRANSFORM variant_TESTS PREPEND "${PROJECT_SOURCE_DIR}/lib/bast/")
  list(APPEND sources ${variant_TESTS})
  if(NOT sources)
    return()
  endif()
  add_library(bast_core_${name} STATIC)
  bast_setup_core(bast_core_${name} ${variant_UNPARSED_ARGUMENTS})
  bast_add_testing(bast_testing_${name} bast_core_${name})
  bast_test_executable(
    bast_${name}_variant_test bast_core_${name} bast_testing_${name} variant ${sources})
endfunction()
