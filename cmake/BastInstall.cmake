# SPDX-License-Identifier: Apache-2.0
#
# Installs headers, libraries, the CMake package and the pkg-config files. Everything is found
# relative to the installed files, so a package manager may move the prefix afterwards.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(BAST_INSTALL_CMAKEDIR "${CMAKE_INSTALL_LIBDIR}/cmake/bast")

# The include directory belongs to the exported target, not to the build.
target_include_directories(bast_core PUBLIC "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

install(TARGETS bast_core bast_bast
  EXPORT bastTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# Headers, and what headers include (*.inc); of the CPUs, the one that this library is built for.
# Folders without an installed header would otherwise leave empty directories behind.
set(other_cpus x86_64 aarch64)
list(REMOVE_ITEM other_cpus ${BAST_CPU})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/lib/bast"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc"
  PATTERN "testing" EXCLUDE
  PATTERN "mutant.hpp" EXCLUDE
  PATTERN "${other_cpus}" EXCLUDE
  PATTERN "*_test.hpp" EXCLUDE)
install(FILES "${PROJECT_BINARY_DIR}/lib/generated/bast_core/bast/config.hpp"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/bast")

install(EXPORT bastTargets
  NAMESPACE bast::
  DESTINATION "${BAST_INSTALL_CMAKEDIR}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/bastConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/bastConfig.cmake"
  INSTALL_DESTINATION "${BAST_INSTALL_CMAKEDIR}")
# Before 1.0 a minor release may break its users, hence SameMinorVersion.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/bastConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/bastConfig.cmake"
  "${PROJECT_BINARY_DIR}/bastConfigVersion.cmake"
  DESTINATION "${BAST_INSTALL_CMAKEDIR}")

# ${pcfiledir} is where pkg-config found the file; the path from there to the prefix is all we know.
set(pkgconfig_directory "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH BAST_PKGCONFIG_PREFIX "/prefix/${pkgconfig_directory}" "/prefix")
# A static library leaves it to the program to link what it needs.
set(BAST_PKGCONFIG_LIBS "")
set(BAST_PKGCONFIG_REQUIRES "")
set(BAST_PKGCONFIG_REQUIRES_PRIVATE "")
if(BAST_WITH_URING)
  set(BAST_PKGCONFIG_LIBS " -L\${libdir} -lbast_bast")
  get_target_property(type bast_bast TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    set(BAST_PKGCONFIG_REQUIRES ", liburing")
  else()
    set(BAST_PKGCONFIG_REQUIRES_PRIVATE " liburing")
  endif()
endif()
foreach(name IN ITEMS bast-core bast)
  configure_file(
    "${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${pkgconfig_directory}")
endforeach()
