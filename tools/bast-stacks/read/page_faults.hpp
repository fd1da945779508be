// SPDX-License-Identifier: Apache-2.0
//
// `page_faults`: the deepest stacks of a process that runs already, found by its page faults.
//
//   auto faults = page_faults::watch(pid, machine);
//   ... poll what wait_on() gives, for page_faults::patience at most; heed() the answer ...
//   faults->look();
//   faults->add_to(snapshot);    // deepest stacks, and what was not seen
//
// The library's own record of deepest stacks is of growths, so that a stack which stays within its
// window never gets one, and `run --deepest` makes every page a growth, which takes a program of
// its own. Page faults need neither: the kernel tells of every page that is touched for the first
// time. But only for the first time: a stack that is kept and used again faults no more.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <expected>
#include <memory>
#include <span>
#include <vector>

#include "read/fault_events.hpp"
#include "read/fault_stacks.hpp"

namespace bast_stacks {

class page_faults {
 public:
  /// Time between two looks, at most: whose stack it was is known while that stack is still in use,
  /// see fault_stacks.hpp. Shorter would take the process's CPU from it too often.
  static constexpr std::chrono::milliseconds patience{1};

  /// Errors: those of attach(), of find_registries(), and of fault_events::open().
  static std::expected<page_faults, problem> watch(pid_t pid, std::uint16_t machine);

  void wait_on(std::vector<pollfd>& into) const { events_.wait_on(into); }
  void heed(std::span<const pollfd> answered) { events_.heed(answered); }

  /// Takes the faults that have been told of. Never waits for more. Errors: the kernel tells
  /// nonsense.
  std::expected<void, problem> look();

  /// Gives sites their deepest stacks, where they are deeper than what the library has recorded,
  /// and says what was not seen.
  void add_to(snapshot& into) const;

 private:
  page_faults(pid_t pid, fault_events events, std::unique_ptr<memory> target,
              const std::vector<std::uint64_t>& registries)
      : pid_(pid),
        events_(std::move(events)),
        target_(std::move(target)),
        stacks_(*target_, registries) {}
  void find_code(std::span<const fault_sample> faults);

  pid_t pid_;
  fault_events events_;
  std::unique_ptr<memory> target_;
  fault_stacks stacks_;
  std::uint64_t lost_ = 0;
};

}  // namespace bast_stacks
