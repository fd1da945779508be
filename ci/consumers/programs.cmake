# SPDX-License-Identifier: Apache-2.0
#
# A program for each layer of bast, in two of the sample projects. Those of the core link bast::core
# only, to show that it works without the rest.

foreach(layer IN ITEMS base arch os watch stack coro cancel process)
  add_executable(consumer_${layer} "${CMAKE_CURRENT_LIST_DIR}/programs/${layer}.cpp")
  target_link_libraries(consumer_${layer} PRIVATE bast::core)
endforeach()
if(TARGET PkgConfig::liburing)
  add_executable(consumer_uring "${CMAKE_CURRENT_LIST_DIR}/programs/uring.cpp")
  target_link_libraries(consumer_uring PRIVATE bast::bast PkgConfig::liburing)
endif()
