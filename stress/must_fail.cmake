# SPDX-License-Identifier: Apache-2.0
#
# Runs `command` (words separated by |), which has a planted bug: it must end with status 1, and not
# by a crash, and print `words`.

string(REPLACE "|" ";" command "${command}")
execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
message("${said}")
if(status EQUAL 77)
  return()
endif()
if(NOT status EQUAL 1)
  message(FATAL_ERROR "the planted bug was not found: status ${status}")
endif()
string(FIND "${said}" "${words}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "the planted bug was found, but not with the words '${words}'")
endif()
