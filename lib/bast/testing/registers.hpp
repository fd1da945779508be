// SPDX-License-Identifier: Apache-2.0
//
// The property that a switch owes to registers, independent of the CPU. Two sides, this thread and
// a context, hand over to each other; before each switch a side fills every register with random
// values, after it it looks at what is left. arch/<cpu>/registers_test.cpp says what a register
// file is and fills it in assembly.
#pragma once

#include <string>

#include "bast/testing/random.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::test {

/// The switch as an ordinary function, so that the calling convention says what it must preserve.
using switch_function = void (*)(arch::context* to, arch::context* from);

[[gnu::noinline]] inline void inline_switch_as_a_function(arch::context* to, arch::context* from) {
  arch::switch_inline(*from, *to);
}
[[gnu::noinline]] inline void out_of_line_switch_as_a_function(arch::context* to,
                                                               arch::context* from) {
  arch::switch_out_of_line(*from, *to);
}
inline switch_function function_of(form f) {
  return f == form::in_line ? inline_switch_as_a_function : out_of_line_switch_as_a_function;
}

/// What a CPU's test provides: a plain struct with the values before and after,
///   static void switch_with(File&, context& to, context& from, switch_function)   assembly
///   void fill(random_numbers&)                     before the switch
///   std::string lost(const File& others) const     names of what was not preserved, or nothing
template <class File>
class register_ping_pong {
 public:
  register_ping_pong(form mine, form others, std::uint64_t seed)
      : mine_(function_of(mine)), others_(function_of(others)), random_(seed) {}

  /// Switches there and back `rounds` times and returns what the first wrong round lost.
  std::string run(int rounds) {
    in_test_ = this;
    arch::prepare(context_, stack_.top(), &enter);
    for (int round = 0; round < rounds && lost_.empty(); ++round) {
      outer_.fill(random_);
      hooks_.before_resume(stack_.bounds());
      File::switch_with(outer_, context_, outside_, mine_);
      hooks_.after_resume();
      if (lost_.empty()) lost_ = outer_.lost(inner_);
    }
    hooks_.ended();
    return lost_;
  }

 private:
  static void enter(arch::context*) noexcept {
    register_ping_pong& test = *in_test_;
    test.hooks_.entered();
    for (;;) {
      test.inner_.fill(test.random_);
      test.hooks_.before_suspend();
      File::switch_with(test.inner_, test.outside_, test.context_, test.others_);
      test.hooks_.after_suspend();
      if (test.lost_.empty()) test.lost_ = test.inner_.lost(test.outer_);
    }
  }

  static inline register_ping_pong* in_test_ = nullptr;
  switch_function mine_;
  switch_function others_;
  random_numbers random_;
  arch::context context_;
  arch::context outside_;
  [[no_unique_address]] arch::fiber_hooks hooks_;
  File outer_;
  File inner_;
  std::string lost_;
  raw_stack stack_;
};

/// Expects that nothing is lost in any of the four mixtures.
template <class File>
void expect_registers_preserved() {
  random_numbers random = random_numbers::of_this_test();
  for (const form mine : {form::out_of_line, form::in_line}) {
    for (const form others : {form::out_of_line, form::in_line}) {
      register_ping_pong<File> test(mine, others, random.next());
      EXPECT_EQ(test.run(3000), "") << name_of(mine) << " here, " << name_of(others) << " there";
    }
  }
}

}  // namespace bast::test
