// SPDX-License-Identifier: Apache-2.0
#include "bast/testing/harness.hpp"

#include <cstdio>
#include <cstdlib>

namespace bast::test {

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bast::test::input_watch: %s\n", what.c_str());
  std::abort();
}

}  // namespace

std::string broken_guards(coro_pool& pool) {
  std::string found;
  const std::size_t page = os::page_bytes();
  pool.for_each_stack([&](const stack_view& stack) {
    const slab& home = slab::of(*stack.record);
    const auto must_guard = [&](std::byte* at, const char* which) {
      if (found.empty() && os::kernel_can_write(at)) {
        found = std::string(which) + " of stack " + std::to_string(stack.record->index) +
                " is accessible";
      }
    };
    std::byte* const low = home.low(*stack.record);
    must_guard(low, "the low end of the guard");
    must_guard(low + home.geometry.guard - page, "the high end of the guard");
    if (stack.open_low > stack.low) {
      must_guard(home.open_low(*stack.record) - page, "what lies below the open part");
    }
  });
  return found;
}

input_watch::input_watch(std::uint64_t inputs_between_looks)
    : inputs_between_looks_(inputs_between_looks) {
  warm_directory();
}

void input_watch::check(coro_pool& pool) {
  pool.check_invariants();
  if (const std::string broken = broken_guards(pool); !broken.empty()) fail(broken);
}

void input_watch::check_nothing_lost() {
  constexpr std::uint64_t looks_to_settle = 2;
  if (++inputs_ % inputs_between_looks_ != 0) return;
  if (before_ && looks_ >= looks_to_settle) {
    if (const std::string lost = before_->differences(); !lost.empty()) fail(lost);
    return;
  }
  ++looks_;
  before_.emplace();
}

}  // namespace bast::test
