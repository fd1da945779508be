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

const char* broken_guard(const stack_view& stack) {
  const slab& home = slab::of(*stack.record);
  const std::size_t page = home.geometry.page;
  std::byte* const low = home.low(*stack.record);
  if (os::kernel_can_write(low)) return "the low end of the guard";
  if (os::kernel_can_write(low + home.geometry.guard - page)) return "the high end of the guard";
  std::byte* const open_low = home.open_low(*stack.record);
  if (open_low > stack.low && os::kernel_can_write(open_low - page)) {
    return "the unopened part";
  }
  return nullptr;
}

std::string broken_guards(coro_pool& pool) {
  std::string found;
  pool.for_each_stack([&](const stack_view& stack) {
    const char* const broken = broken_guard(stack);
    if (broken == nullptr || !found.empty()) return;
    found =
        std::string(broken) + " of stack " + std::to_string(stack.record->index) + " is accessible";
  });
  return found;
}

input_watch::input_watch(std::uint64_t inputs_between_looks)
    : inputs_between_looks_(inputs_between_looks) {
  warm_directory();
  // Creates what bast makes once: the registry, the handler, this thread's alternate stack.
  if (auto pool = coro_pool::create()) {
    if (auto c = pool->acquire()) (void)c->start([] {});
  }
}

void input_watch::begin() {
  if (inputs_ < inputs_between_looks_ || inputs_ % inputs_between_looks_ == 0) before_.emplace();
  ++inputs_;
}

void input_watch::check(coro_pool& pool) {
  pool.check_invariants();
  if (const std::string broken = broken_guards(pool); !broken.empty()) fail(broken);
}

std::string input_watch::lost() {
  const std::string found = before_ ? before_->differences() : std::string();
  before_.reset();
  return found;
}

void input_watch::end() {
  if (const std::string found = lost(); !found.empty()) fail(found);
}

}  // namespace bast::test
