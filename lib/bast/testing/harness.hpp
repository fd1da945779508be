// SPDX-License-Identifier: Apache-2.0
//
// What a harness of your own should check after each input, so that it finds what bast's own
// harnesses would: nothing is lost, every guard guards, and the pool's records are true.
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
// Knows no test framework. What is wrong is written to standard error, and the process aborts,
// which is how a fuzzer learns of it.
#pragma once

#include <cstdint>
#include <optional>

#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"

namespace bast::test {

/// In words, what is wrong with the guard of one stack; null when it guards. Asks the kernel two or
/// three times.
const char* broken_guard(const stack_view& stack);
/// The same of all stacks of a pool; empty when all of them guard.
std::string broken_guards(coro_pool& pool);

/// Not thread-safe: one for each harness. What your program makes only once (a descriptor, a
/// thread), make before the first input: it would look lost in the input that made it.
class input_watch {
 public:
  /// Looking at all that the process holds costs about as much as a short input, so it is done for
  /// one input in `inputs_between_looks`; and for each of the first so many: what was found in a
  /// long run is found again when its input is replayed alone, or among a few.
  explicit input_watch(std::uint64_t inputs_between_looks = 64);

  /// At the start of each input. What a fuzzer does between two inputs is none of their business.
  void begin();
  /// The pool's invariants and every guard. Call while the pool lives, at any point where no
  /// coroutine runs.
  static void check(coro_pool& pool);
  /// At the end of each input, when its pools are gone: what was lost, in words, or nothing.
  std::string lost();
  /// The same; aborts when something was.
  void end();

 private:
  std::uint64_t inputs_between_looks_;
  std::uint64_t inputs_ = 0;
  std::optional<leak_baseline> before_;  // in an input that is looked at
};

}  // namespace bast::test
