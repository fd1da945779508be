// SPDX-License-Identifier: Apache-2.0
//
// Two tools for the tests of every layer:
//
//   - `leak_baseline`: records what the process holds (address space, descriptors, threads), and
//     later describes the differences. Any harness can use it: it does not need GoogleTest.
//   - `for_each_failing_call`: the loop that fails every system call of a scenario, one after the
//     other, and checks the scenario's result (law X-6).
//
//   const auto loop = bast::test::for_each_failing_call([](bast::test::injection& faults) {
//     bast::stack_pool pool;
//     const auto ready = pool.init({}, 8);      // fails clearly, or works
//     ...
//     faults.end();                             // from here on nothing fails
//     return std::string{};                     // or a sentence that describes the error
//   });
//   EXPECT_EQ(loop.complaints, "");
//   EXPECT_GT(loop.injected, 0U);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "bast/os.hpp"

namespace bast::test {

/// What the process holds. Counted without allocating, so that counting changes nothing.
struct process_counts {
  std::size_t mappings = 0;      // 0 where a sanitizer's own mappings come and go
  std::size_t mapped_bytes = 0;  // the heap of brk(2) left out; 0 as above
  std::size_t fds = 0;
  std::size_t threads = 0;

  static process_counts now();
  friend bool operator==(const process_counts&, const process_counts&) = default;
};

/// Records what the process holds. Refused unmappings are retried first, so that they do not count
/// as differences later.
class leak_baseline {
 public:
  leak_baseline();

  /// One line for each count that differs; empty if none does. Refused unmappings are retried first
  /// (os::release guarantees no more).
  std::string differences() const;

 private:
  process_counts before_;
};

/// A directory leaf is created once for each 16 GiB of addresses and stays. Creates those near the
/// current addresses, so that later counts do not depend on the address of the next slab. Each
/// baseline does this first.
void warm_directory();

/// The faults of one run of a scenario.
class injection {
 public:
  explicit injection(os::fault_plan plan) { scope_.emplace(plan); }

  /// From here on every call succeeds again: for checking that everything that survived the fault
  /// still works.
  void end() {
    if (!scope_) return;
    seen_ = scope_->seen();
    injected_ = scope_->injected();
    scope_.reset();
  }
  bool ended() const { return !scope_.has_value(); }
  std::uint64_t seen() const { return scope_ ? scope_->seen() : seen_; }
  std::uint64_t injected() const { return scope_ ? scope_->injected() : injected_; }

 private:
  std::optional<os::fault_scope> scope_;
  std::uint64_t seen_ = 0;
  std::uint64_t injected_ = 0;
};

/// The result of the loop.
struct fault_loop {
  std::uint64_t calls = 0;     // of one run in which nothing fails
  std::uint64_t runs = 0;      // with a fault planned
  std::uint64_t injected = 0;  // faults in all of them
  std::string complaints;      // empty when every run was fine

  /// "212 faults injected in 88 runs of 22 calls"
  std::string summary() const;
};

// For the template below. Not in a nested `internal`: tests that use this whole namespace would
// then no longer find the library's.
using erased_scenario = std::string (*)(void* scenario, injection& faults);
fault_loop loop_over_calls(void* scenario, erased_scenario call, std::span<const int> errnos);

/// The errnos of mmap, mprotect and madvise: no memory, and "not on this memory".
inline constexpr int usual_errnos[] = {ENOMEM, EINVAL};

/// Runs `scenario` once to warm up and once to count its calls. Then, for each k and each of
/// `errnos`, runs it once with the k-th call failing and once with all calls from the k-th on
/// failing. After every run the process must be back at the baseline. The scenario returns a
/// description of an error, or an empty text.
template <class Scenario>
fault_loop for_each_failing_call(Scenario&& scenario, std::span<const int> errnos = usual_errnos) {
  using target = std::remove_reference_t<Scenario>;
  return loop_over_calls(
      std::addressof(scenario),
      [](void* erased, injection& faults) { return (*static_cast<target*>(erased))(faults); },
      errnos);
}

}  // namespace bast::test
