// SPDX-License-Identifier: Apache-2.0
//
// The statistics of the stacks. Each worker has stacks of its own, which only its fibers may look
// at: the first fiber of a worker that calls attend() leaves a daemon there, which adds what that
// worker has when the runtime ends.
#pragma once

#include <bast/sched.hpp>
#include <mutex>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace demo {

class stack_report {
 public:
  /// Of the calling fiber: its name, and where it was spawned.
  void attend(const char* name, const std::source_location& where);

  // When the runtime has ended: the sums over its workers. Of p50, p99 and max it is the largest.
  const bast::stack_pool_stats& total() const { return total_; }
  const std::vector<bast::site_stats>& sites() const { return sites_; }
  /// What its fibers are called.
  std::string name_of(const bast::site_key& site) const;

 private:
  void add_this_worker();

  std::mutex lock_;
  bast::stack_pool_stats total_;
  std::vector<bast::site_stats> sites_;
  std::vector<std::pair<bast::site_key, const char*>> names_;
};

}  // namespace demo
