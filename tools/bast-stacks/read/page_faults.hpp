// SPDX-License-Identifier: Apache-2.0
//
// `page_faults`: the deepest stacks of a running process, found by its page faults.
//
//   auto faults = page_faults::watch(pid, machine);
//   ... poll the descriptors of wait_on(), for page_faults::patience at most; heed() the result ...
//   faults->look();
//   faults->add_to(snapshot);    // deepest stacks, and what was not seen
//
// The library records deepest stacks at growths. A stack that stays within its window never grows,
// and `run --deepest`, which makes every page a growth, needs a new run of the program. Page faults
// need neither: the kernel reports the first touch of every page. But only the first: a stack that
// is kept and reused causes no more faults.
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
  /// The longest time between two looks: the owner of a stack is known while it is in use, see
  /// fault_stacks.hpp. Shorter intervals would take the process's CPU too often.
  static constexpr std::chrono::milliseconds patience{1};

  /// Errors: those of attach(), of find_registries(), and of fault_events::open().
  static std::expected<page_faults, problem> watch(pid_t pid, std::uint16_t machine);

  void wait_on(std::vector<pollfd>& into) const { events_.wait_on(into); }
  void heed(std::span<const pollfd> answered) { events_.heed(answered); }

  /// Takes the faults reported so far. Never waits for more. Errors: inconsistent data from the
  /// kernel.
  std::expected<void, problem> look();

  /// Sets the deepest stacks of sites that are deeper than the library's records, and adds what was
  /// not seen.
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
