// SPDX-License-Identifier: Apache-2.0
//
// `follow`: reads what a started child writes and waits for its end, by kernel calls of its own, so
// that the fault_schedule of a program is the library's alone.
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
