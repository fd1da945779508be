// SPDX-License-Identifier: Apache-2.0
//
// `model_atomics`: the checker's counterpart of bast::os::real_atomics. A structure that is a
// template over it runs on either, access by access:
//
//   template <class Atomics>
//   class mailbox { typename Atomics::template atomic<std::uint32_t> state_{0}; ... };
//   mailbox<bast::interleave::model_atomics> box;   // in a test that explore() runs
//
// Nothing here is noexcept: a failed schedule is unwound by an exception.
#pragma once

#include <atomic>
#include <cstdint>
#include <source_location>

#include "interleave/cell.hpp"
#include "interleave/model_atomic.hpp"
#include "interleave/model_plain.hpp"

namespace bast::interleave {

struct model_atomics {
  template <class T>
  using atomic = model_atomic<T>;
  template <class T>
  using plain = model_plain<T>;

  class watched {
   public:
    void write() { memory_ = 0; }

   private:
    model_plain<int> memory_ = 0;
  };

  /// Like a futex: sleeps if `word` is `expected`, until woken. May return spuriously; without
  /// ordering.
  static void wait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::source_location where = std::source_location::current()) {
    word.wait(word.values_, expected, where);
  }
  /// As wait(). The deadline may pass at any time, or never: if nothing else ends the wait, no
  /// thread can continue. Returns true if it has passed.
  static bool wait_until(const atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::int64_t /*deadline_ns*/,
                         std::source_location where = std::source_location::current()) {
    return word.wait(word.values_, expected, where, true);
  }
  static void wake_all(const atomic<std::uint32_t>* word,
                       std::source_location where = std::source_location::current()) {
    internal::wake(word, operation::wake_all, where);
  }
  /// The woken sleeper is a choice.
  static void wake_one(const atomic<std::uint32_t>* word,
                       std::source_location where = std::source_location::current()) {
    internal::wake(word, operation::wake_one, where);
  }

  static std::uintptr_t self() noexcept { return internal::self(); }

  /// Gives the turn away until a value has changed since this thread began to check, or no other
  /// thread can continue.
  static void relax(unsigned /*round*/ = 0,
                    std::source_location where = std::source_location::current()) {
    internal::relax(where);
  }
  static void fence(std::memory_order order,
                    std::source_location where = std::source_location::current()) {
    internal::fence(order, where);
  }
};

}  // namespace bast::interleave
