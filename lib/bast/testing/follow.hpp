// SPDX-License-Identifier: Apache-2.0
//
// Makes a driver supervise a child by its descriptor numbers: for tests that invent them or check
// them afterwards.
#pragma once

#include <utility>

#include "bast/process.hpp"

namespace bast::test {

/// On error the caller keeps the descriptors.
[[nodiscard]] inline result<process_id> follow(process_driver& driver, const process_start& start) {
  process_child child{start,
                      start,
                      start.pid,
                      os::descriptor(start.pidfd),
                      os::descriptor(start.output_pipe),
                      os::descriptor(start.errors_pipe),
                      os::descriptor(start.input_pipe)};
  auto id = driver.start(std::move(child));
  for (os::descriptor* const kept :
       {&child.pidfd, &child.output_pipe, &child.errors_pipe, &child.input_pipe}) {
    (void)kept->release();
  }
  return id;
}

}  // namespace bast::test
