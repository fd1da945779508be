// SPDX-License-Identifier: Apache-2.0
//
// What a harness of your own should check after each input, so that it finds what bast's own
// harnesses would: nothing is lost, every guard guards, and the pool's records are true.
//
//   extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
//     static bast::test::input_watch watch;      // before the first pool
//     {
//       auto pool = bast::coro_pool::create();
//       run_what_you_want_to_test(*pool, data, size);
//       watch.check(*pool);
//     }
//     watch.check_nothing_lost();
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

/// In words, what is wrong with the guards of a pool's stacks; empty when all of them guard. Asks
/// the kernel two or three times a stack.
std::string broken_guards(coro_pool& pool);

/// Not thread-safe: one for each harness.
class input_watch {
 public:
  /// Looking at all that the process holds costs about as much as a short input, so it is done for
  /// one input in `inputs_between_looks`.
  explicit input_watch(std::uint64_t inputs_between_looks = 64);

  /// The pool's invariants and every guard. Call while the pool lives, at any point where no
  /// coroutine runs.
  void check(coro_pool& pool);

  /// Call at the end of each input, when its pools are gone. Compares mappings, descriptors and
  /// threads with what they were before; the first two looks settle what is made only once.
  void check_nothing_lost();

 private:
  std::uint64_t inputs_between_looks_;
  std::uint64_t inputs_ = 0;
  std::uint64_t looks_ = 0;
  std::optional<leak_baseline> before_;
};

}  // namespace bast::test
