// SPDX-License-Identifier: Apache-2.0
//
// The register property of a switch, independent of the CPU. Two sides, this thread and a context,
// switch to each other. Before each switch a side fills every register with random values; after
// it, it checks them. arch/<cpu>/registers_test.cpp defines the register file and fills it in
// assembly.
#pragma once

#include <string>

#include "bast/testing/random.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::test {

/// The switch as an ordinary function: the calling convention defines what it must preserve.
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

/// Provided by a CPU's test: a plain struct with the values before and after,
///   static void switch_with(File&, context& to, context& from, switch_function)   assembly
///   void fill(random_numbers&)                     before the switch
///   std::string lost(const File& others) const     names of registers not preserved, or nothing
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
      resumer_hooks_.leave(hooks_, stack_.bounds(), this);
      File::switch_with(outer_, context_, outside_, mine_);
      resumer_hooks_.arrive(this);
      if (lost_.empty()) lost_ = outer_.lost(inner_);
    }
    hooks_.ended();
    return lost_;
  }

 private:
  static void enter(arch::context*) noexcept {
    register_ping_pong& test = *in_test_;
    test.hooks_.arrive(&test);
    for (;;) {
      test.inner_.fill(test.random_);
      test.hooks_.leave(test.resumer_hooks_, {}, &test);
      File::switch_with(test.inner_, test.outside_, test.context_, test.others_);
      test.hooks_.arrive(&test);
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
  [[no_unique_address]] arch::fiber_hooks resumer_hooks_;
  File outer_;
  File inner_;
  std::string lost_;
  raw_stack stack_;
};

/// A context that answers every switch by filling all registers with random values and switching
/// back: the worst case for a function with live values. Without hooks, so not for sanitizers.
template <class File>
class scribbler {
 public:
  explicit scribbler(std::uint64_t seed) : random_(seed) {
    in_test_ = this;
    arch::prepare(inside, stack_.top(), &enter);
  }
  scribbler(const scribbler&) = delete;
  scribbler& operator=(const scribbler&) = delete;

  arch::context outside;
  arch::context inside;

 private:
  static void enter(arch::context*) noexcept {
    scribbler& self = *in_test_;
    for (;;) {
      self.file_.fill(self.random_);
      File::switch_with(self.file_, self.outside, self.inside, &out_of_line_switch_as_a_function);
    }
  }
  static inline scribbler* in_test_ = nullptr;
  random_numbers random_;
  File file_;
  raw_stack stack_;
};

/// Values that a function may keep in registers: as many as there are registers of each kind.
struct live_words {
  std::uint64_t integers[15];
  double reals[16];
  friend bool operator==(const live_words&, const live_words&) = default;
};

/// Loads all, switches, stores all. The compiler must assume that the memory changes, so the values
/// live in registers or, if the switch clobbers those, in this frame.
template <form Form>
[[gnu::noinline]] void carry_over(arch::context& from, arch::context& to, const live_words& in,
                                  live_words& out) {
  const std::uint64_t* const a = in.integers;
  const double* const b = in.reals;
  const std::uint64_t i0 = a[0], i1 = a[1], i2 = a[2], i3 = a[3], i4 = a[4], i5 = a[5], i6 = a[6],
                      i7 = a[7], i8 = a[8], i9 = a[9], i10 = a[10], i11 = a[11], i12 = a[12],
                      i13 = a[13], i14 = a[14];
  const double r0 = b[0], r1 = b[1], r2 = b[2], r3 = b[3], r4 = b[4], r5 = b[5], r6 = b[6],
               r7 = b[7], r8 = b[8], r9 = b[9], r10 = b[10], r11 = b[11], r12 = b[12], r13 = b[13],
               r14 = b[14], r15 = b[15];
  switch_by<Form>(from, to);
  out = {.integers = {i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14},
         .reals = {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15}};
}

/// Calls nothing if the switch is inline, so its locals are in the red zone below its stack
/// pointer, if there is one. Returns how many of them changed.
template <form Form>
[[gnu::noinline]] int leaf(arch::context& from, arch::context& to, int seed) {
  volatile int zone[24];
  for (int i = 0; i < 24; ++i) zone[i] = seed * i;
  switch_by<Form>(from, to);
  int changed = 0;
  for (int i = 0; i < 24; ++i) changed += zone[i] == seed * i ? 0 : 1;
  return changed;
}

template <class File, form Form>
void expect_live_values_preserved() {
  random_numbers random = random_numbers::of_this_test();
  scribbler<File> peer(random.next());
  const auto control = arch::float_control::read();
  for (int round = 0; round < 2000; ++round) {
    live_words in{};
    live_words out{};
    for (auto& word : in.integers) word = random.next();
    for (auto& word : in.reals) word = static_cast<double>(random.next());
    carry_over<Form>(peer.outside, peer.inside, in, out);
    const int changed = leaf<Form>(peer.outside, peer.inside, round);
    control.write();  // No switch touches the control words, so the peer's are in force.
    ASSERT_EQ(in, out) << name_of(Form) << ", round " << round;
    ASSERT_EQ(changed, 0) << name_of(Form) << ", round " << round;
  }
}

/// Expects that no register is lost in any of the four mixtures.
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
