// SPDX-License-Identifier: Apache-2.0
//
// Two things that tests of every layer need:
//
//   - `leak_baseline`: what the process holds now (address space, descriptors, threads), and later,
//     in words, what it holds more or less. Any harness can use it: no GoogleTest here.
//   - `for_each_failing_call`: the loop that fails every kernel call of a scenario, one after the
//     other, and looks at what the scenario makes of it (law X-6).
//
//   const auto loop = bast::test::for_each_failing_call([](bast::test::injection& faults) {
//     bast::stack_pool pool;
//     const auto ready = pool.init({}, 8);      // fails clearly, or works
//     ...
//     faults.end();                             // from here on nothing fails
//     return std::string{};                     // or a sentence: what was wrong
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

/// What the process holds. Counted without allocating, so that looking changes nothing.
struct process_counts {
  std::size_t mappings = 0;      // 0 where a sanitizer's own mappings come and go
  std::size_t mapped_bytes = 0;  // the heap of brk(2) left out; 0 as above
  std::size_t fds = 0;
  std::size_t threads = 0;

  static process_counts now();
  friend bool operator==(const process_counts&, const process_counts&) = default;
};

/// Remembers what the process held when it was made. Unmappings that the kernel had refused before
/// are tried again first, so that they are not missed later.
class leak_baseline {
 public:
  leak_baseline();

  /// One line for each count that is not what it was; empty when all are. Unmappings that the
  /// kernel refused are tried again first (os::release promises no more).
  std::string differences() const;

 private:
  process_counts before_;
};

/// A directory leaf is made once for each 16 GiB of addresses and stays. Makes those around here,
/// so that what is counted afterwards does not depend on where the next slab lies. Each baseline
/// begins with it.
void warm_directory();

/// The faults of one run of a scenario.
class injection {
 public:
  explicit injection(os::fault_plan plan) { scope_.emplace(plan); }

  /// From here on every call succeeds again: for the part of a scenario that shows that what
  /// survived the fault still works.
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

/// What the loop found.
struct fault_loop {
  std::uint64_t calls = 0;     // of one run in which nothing fails
  std::uint64_t runs = 0;      // with a fault planned
  std::uint64_t injected = 0;  // faults in all of them
  std::string complaints;      // empty when every run was fine

  /// "212 faults injected in 88 runs of 22 calls"
  std::string summary() const;
};

// For the template below. Not in a nested `internal`: a test that uses all of this namespace would
// no longer find the library's.
using erased_scenario = std::string (*)(void* scenario, injection& faults);
fault_loop loop_over_calls(void* scenario, erased_scenario call, std::span<const int> errnos);

/// What mmap, mprotect and madvise really answer: no memory, and "not on this memory".
inline constexpr int usual_errnos[] = {ENOMEM, EINVAL};

/// Runs `scenario` once to warm up, once to count its calls; then, for each k, once with the k-th
/// call failing and once with all calls from the k-th on, with each of `errnos`. After every run
/// the process must be back at the baseline. The scenario returns what was wrong, or an empty text.
template <class Scenario>
fault_loop for_each_failing_call(Scenario&& scenario, std::span<const int> errnos = usual_errnos) {
  using target = std::remove_reference_t<Scenario>;
  return loop_over_calls(
      std::addressof(scenario),
      [](void* erased, injection& faults) { return (*static_cast<target*>(erased))(faults); },
      errnos);
}

}  // namespace bast::test
