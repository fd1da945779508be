// SPDX-License-Identifier: Apache-2.0
//
// `follow`: reads the output of a started child and waits for its end, by its own kernel calls, so
// that a program's fault_schedule affects only the library.
#pragma once

#include <string>

#include "bast/process/spawn.hpp"

namespace bast::model {

struct child_report {
  std::string output;
  bool ended_well = false;  // with status 0
};

/// Closes the descriptors of `child`.
child_report follow(const internal::spawned& child);

}  // namespace bast::model
