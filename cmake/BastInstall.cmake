# SPDX-License-Identifier: Apache-2.0
#
# The CMake package, of the build tree always and installed with BAST_INSTALL; and what else is
# installed: headers, libraries, pkg-config files, the SBOM. Everything is found relative to the
# installed files, so a package manager may move the prefix afterwards.

include(CMakePackageConfigHelpers)

# A project that vendors bast may export() or install(EXPORT) a library that links it: the package
# of the build tree is what such an export refers to.
export(TARGETS bast_core bast_bast
  NAMESPACE bast::
  FILE "${PROJECT_BINARY_DIR}/bastTargets.cmake")
configure_file(
  "${PROJECT_SOURCE_DIR}/cmake/bastConfig.cmake.in" "${PROJECT_BINARY_DIR}/bastConfig.cmake" @ONLY)
# Before 1.0 a minor release may break its users, hence SameMinorVersion.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/bastConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)

if(NOT BAST_INSTALL)
  return()
endif()

include(GNUInstallDirs)

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

# The SBOM. Equal builds write equal bytes: the name of the document is made of what it says, and
# its date is that of SOURCE_DATE_EPOCH, or the epoch.
set(dependencies libc libstdc++)
if(BAST_WITH_LIBCXX)
  set(dependencies libc libc++)
endif()
if(BAST_WITH_URING)
  list(APPEND dependencies "liburing@${liburing_VERSION}")
endif()
set(BAST_SBOM_PACKAGES "")
set(BAST_SBOM_RELATIONSHIPS "")
foreach(dependency IN LISTS dependencies)
  string(REGEX MATCH "^([^@]+)(@(.+))?$" matched "${dependency}")
  set(name ${CMAKE_MATCH_1})
  set(version "")
  if(CMAKE_MATCH_3)
    set(version "\"versionInfo\": \"${CMAKE_MATCH_3}\", ")
  endif()
  string(REPLACE "+" "p" id "SPDXRef-${name}")
  string(APPEND BAST_SBOM_PACKAGES ",
    { \"SPDXID\": \"${id}\", \"name\": \"${name}\", ${version}\"filesAnalyzed\": false,
      \"downloadLocation\": \"NOASSERTION\" }")
  string(APPEND BAST_SBOM_RELATIONSHIPS ",
    { \"spdxElementId\": \"SPDXRef-bast\", \"relationshipType\": \"DEPENDS_ON\",
      \"relatedSpdxElement\": \"${id}\" }")
endforeach()
set(BAST_SBOM_CREATED "1970-01-01T00:00:00Z")
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP BAST_SBOM_CREATED "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()
# The namespace of URLs in RFC 4122.
string(UUID BAST_SBOM_UUID NAMESPACE 6ba7b811-9dad-11d1-80b4-00c04fd430c8 TYPE SHA1
  NAME "bast ${PROJECT_VERSION} ${BAST_SBOM_CREATED} ${dependencies}")
configure_file(
  "${PROJECT_SOURCE_DIR}/cmake/bast.spdx.json.in" "${PROJECT_BINARY_DIR}/bast.spdx.json" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/bast.spdx.json"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/bast")
