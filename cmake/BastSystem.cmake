# SPDX-License-Identifier: Apache-2.0
#
# The system that bast is built for, checked before any language is enabled: a build for another
# one must stop here, in these words, and not in a compiler check or at an unknown header. Sets
# BAST_CPU, the folder below lib/bast/arch that matches the CPU.

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "bast has no support for '${CMAKE_SYSTEM_NAME}'; it supports Linux.")
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(BAST_CPU x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(BAST_CPU aarch64)
else()
  message(FATAL_ERROR
    "bast has no context switch for '${CMAKE_SYSTEM_PROCESSOR}'; it supports x86_64 and aarch64.")
endif()
