// SPDX-License-Identifier: Apache-2.0
//
// Checks for a harness of your own after each input, as in bast's own harnesses: no leaks, every
// guard works, and the pool's records are correct.
//
//   extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
//     static bast::test::input_watch watch;
//     watch.begin();
//     {
//       auto pool = bast::coro_pool::create();
//       run_what_you_want_to_test(*pool, data, size);
//       watch.check(*pool);
//     }
//     watch.end();
//     return 0;
//   }
//
// Independent of test frameworks. Errors are written to standard error, and the process aborts,
// which a fuzzer detects.
#pragma once

#include <cstdint>
#include <optional>

#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"

namespace bast::test {

/// Describes a broken guard of one stack; null if it works. Makes two or three system calls.
const char* broken_guard(const stack_view& stack);
/// The same for all stacks of a pool; empty if all guards work.
std::string broken_guards(coro_pool& pool);

/// Not thread-safe: one per harness. Create objects that your program makes only once (a
/// descriptor, a thread) before the first input, or they count as leaks of the input that made
/// them.
class input_watch {
 public:
  /// Counting everything that the process holds costs about as much as a short input, so it is done
  /// for one input in `inputs_between_looks`, and for each of the first so many: replaying a
  /// finding alone, or among a few inputs, then finds it again.
  explicit input_watch(std::uint64_t inputs_between_looks = 64);

  /// At the start of each input. What the fuzzer does between two inputs is not counted.
  void begin();
  /// Checks the pool's invariants and every guard. Call while the pool exists and no coroutine
  /// runs.
  static void check(coro_pool& pool);
  /// At the end of each input, after its pools: describes the leaks, or returns an empty text.
  std::string lost();
  /// The same, but aborts if there is a leak.
  void end();

 private:
  std::uint64_t inputs_between_looks_;
  std::uint64_t inputs_ = 0;
  std::optional<leak_baseline> before_;  // in an input that is counted
};

}  // namespace bast::test
