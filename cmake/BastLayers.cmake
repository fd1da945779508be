# SPDX-License-Identifier: Apache-2.0
#
# A layer includes itself and the faces of lower layers, nothing else of bast. clang checks that in
# each build with it, without modules: a module map says which headers form a layer and what the
# layer uses (https://clang.llvm.org/docs/Modules.html#use-declaration), and the compiler refuses an
# include that no `use` permits. `ci/run layers` shows that it does.

# Only our own top-level build: whoever vendors bast has no use for it.
set(BAST_ENFORCE_LAYERS OFF)
if(PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(BAST_ENFORCE_LAYERS ON)
endif()

# bast_write_layer_maps(<layers...>)
#
# Writes the two module maps of these layers, the lowest first: one for the library, and one for
# tests, which may include inner files of lower layers and what tests share, too. Paths are relative
# to the map, so that the compiler cache of one checkout serves another.
function(bast_write_layer_maps)
  file(RELATIVE_PATH lib "${PROJECT_BINARY_DIR}/layers" "${PROJECT_SOURCE_DIR}/lib/bast")
  set(uses "")
  set(tests_use "  use bast_testing\n")
  set(library "")
  set(tests "module bast_testing { module inner { umbrella \"${lib}/testing\" } }\n")
  foreach(layer IN LISTS ARGN)
    set(headers "  module face { header \"${lib}/${layer}.hpp\" }
  module inner { umbrella \"${lib}/${layer}\" }\n")
    string(APPEND library "module bast_${layer} {\n${headers}${uses}}\n")
    string(APPEND tests "module bast_${layer} {\n${headers}${tests_use}}\n")
    string(APPEND uses "  use bast_${layer}.face\n")
    string(APPEND tests_use "  use bast_${layer}\n")
  endforeach()
  string(APPEND library "module bast_testing { module inner { umbrella \"${lib}/testing\" } }\n")
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/layers/library.modulemap" CONTENT "${library}")
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/layers/tests.modulemap" CONTENT "${tests}")
endfunction()

# bast_enforce_layer(<target> <layer> <library|tests>)
function(bast_enforce_layer target layer map)
  if(BAST_ENFORCE_LAYERS)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:
      -Xclang -fno-cxx-modules -fmodules-decluse -fmodule-name=bast_${layer}
      -fmodule-map-file='${PROJECT_BINARY_DIR}/layers/${map}.modulemap'>")
  endif()
endfunction()
