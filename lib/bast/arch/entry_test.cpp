// SPDX-License-Identifier: Apache-2.0
//
// The state in which an entry function begins: as after a call, so that the compiler's alignment
// assumptions hold, but without a caller.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "bast/testing/raw_fiber.hpp"

extern "C" const void* const bast_arch_stack_end;  // switch.S

namespace bast::inline BAST_ABI::arch {

/// The registers at the first instruction, recorded by the assembly below.
struct entry_state {
  std::uintptr_t sp = 0;
  std::uintptr_t fp = 0;
  std::uintptr_t argument = 0;
  std::uintptr_t return_address = 0;
  std::uint64_t flags = 0;
};
static_assert(offsetof(entry_state, flags) == 32);

// Outside the unnamed namespace, because assembly uses or defines these names.
extern "C" {
[[gnu::used]] entry_state bast_test_entry_state;
void bast_test_entry(context* self) noexcept;
[[gnu::used]] void bast_test_entry_continues(context* self) noexcept;
}

// Restores the section: the compiler does not know that it changed, and would place variables
// there.
#if defined(__x86_64__)
asm(R"(
        .pushsection .text
        .globl  bast_test_entry
        .type   bast_test_entry, @function
bast_test_entry:
        endbr64
        movq    %rsp, bast_test_entry_state(%rip)
        movq    %rbp, bast_test_entry_state+8(%rip)
        movq    %rdi, bast_test_entry_state+16(%rip)
        movq    (%rsp), %rax
        movq    %rax, bast_test_entry_state+24(%rip)
        pushfq
        popq    bast_test_entry_state+32(%rip)
        jmp     bast_test_entry_continues
        .size   bast_test_entry, . - bast_test_entry
        .popsection
)");
#else
asm(R"(
        .pushsection .text
        .globl  bast_test_entry
        .type   bast_test_entry, %function
bast_test_entry:
        hint    #34
        adrp    x9, bast_test_entry_state
        add     x9, x9, :lo12:bast_test_entry_state
        mov     x10, sp
        stp     x10, x29, [x9]
        stp     x0, x30, [x9, #16]
        b       bast_test_entry_continues
        .size   bast_test_entry, . - bast_test_entry
        .popsection
)");
#endif

namespace {

using test::form;

/// The distance of a local with this alignment from an aligned address.
template <std::size_t Alignment>
[[gnu::noinline]] std::uintptr_t misplacement_of_a_local() {
  alignas(Alignment) unsigned char local[Alignment] = {};
  asm volatile("" : "+m"(local));
#if defined(__x86_64__)
  // Faults on a misaligned address, as vectorised code would.
  if constexpr (Alignment >= 16) {
    alignas(Alignment) unsigned char target[16];
    asm volatile("movaps %%xmm0, %0" : "=m"(target));
  }
#endif
  auto address = reinterpret_cast<std::uintptr_t>(&local);
  asm volatile("" : "+r"(address));  // Otherwise the compiler assumes the alignment.
  return address % Alignment;
}

struct run {
  fiber_hooks hooks;
  fiber_hooks resumer_hooks;
  context resumer;
  std::uintptr_t misaligned = 0;
};
run* current = nullptr;

}  // namespace

extern "C" void bast_test_entry_continues(context* self) noexcept {
  run& r = *current;
  r.hooks.arrive(&r);
  r.misaligned |= misplacement_of_a_local<8>();
  r.misaligned |= misplacement_of_a_local<16>();
  r.misaligned |= misplacement_of_a_local<32>();
  r.misaligned |= misplacement_of_a_local<64>();
  r.misaligned |= misplacement_of_a_local<1024>();
  r.hooks.leave_for_good(r.resumer_hooks, {}, &r);
  switch_context(*self, r.resumer);
  __builtin_unreachable();
}

namespace {

template <form Form>
void enter_from(std::size_t below_top) {
  const test::raw_stack stack;
  run r;
  current = &r;
  context fresh;
  std::byte* const top = stack.top() - below_top;
  prepare(fresh, top, bast_test_entry);
  bast_test_entry_state = {};
  r.resumer_hooks.leave(r.hooks, stack.bounds(), &r);
  test::switch_by<Form>(r.resumer, fresh);
  r.resumer_hooks.arrive(&r);
  r.hooks.ended();

  const entry_state& state = bast_test_entry_state;
  const auto top_address = reinterpret_cast<std::uintptr_t>(top);
#if defined(__x86_64__)
  EXPECT_EQ(state.sp % 16, 8U) << "as directly after a call";
  EXPECT_EQ(state.flags & 0x400, 0U) << "the direction flag is clear";
#else
  EXPECT_EQ(state.sp % 16, 0U) << "as the CPU requires";
#endif
  EXPECT_LE(state.sp, top_address);
  EXPECT_GE(state.sp, top_address - entry_frame_bytes);
  EXPECT_EQ(state.fp, 0U) << "frame-pointer walks end here";
  EXPECT_EQ(state.argument, reinterpret_cast<std::uintptr_t>(&fresh));
  EXPECT_EQ(state.return_address, reinterpret_cast<std::uintptr_t>(bast_arch_stack_end));
  EXPECT_EQ(r.misaligned, 0U) << "every local is aligned";
}

TEST(Entry, BeginsAsAfterACallByNobody) {
  // Tops that differ in every bit that matters to an alignment of up to 1 KiB.
  for (std::size_t below_top = 0; below_top <= 1024; below_top += stack_alignment) {
    enter_from<form::in_line>(below_top);
    enter_from<form::out_of_line>(below_top);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
