// SPDX-License-Identifier: Apache-2.0
//
// Leaks. The leak sanitizer searches the stacks of suspended coroutines for pointers, because the
// library registers them, and not idle ones.
#include <bast/coro.hpp>
#include <cstdio>
#include <cstdlib>

#include "planted_bugs.hpp"

namespace planted_bugs {
namespace {

constexpr std::size_t block_bytes = 4711;

/// Exits, like std::exit() anywhere, while `f` is suspended in a coroutine.
template <class F>
[[noreturn]] void exit_while_suspended(F f) {
  bast::coro_pool pool = bast::coro_pool::create().value();
  auto c = pool.make(f).value();
  std::exit(c.resume().yielded() ? 0 : 3);
}

[[gnu::noinline]] void lose_a_block(bast::coro_pool& pool) {
  auto c = pool.make([](bast::yielder<>& out) {
                 auto* volatile block = static_cast<char*>(std::malloc(block_bytes));
                 out.yield();
                 *block = 1;
               })
               .value();
  if (!c.resume().yielded() || !c.resume().finished()) std::puts("the coroutine did not run");
}

}  // namespace

void leak_of_the_dead() {
  // A static pointer to the pool, so that its stacks exist during the leak check.
  static bast::coro_pool pool = bast::coro_pool::create().value();
  lose_a_block(pool);
  std::exit(0);
}

void kept_by_a_local() {
  exit_while_suspended([](bast::yielder<>& out) {
    auto* block = static_cast<char*>(std::malloc(block_bytes));
    *static_cast<volatile char*>(block) = 1;
    out.yield();
    std::free(block);
  });
}

void kept_by_a_frame() {
  exit_while_suspended([](bast::yielder<>& out) {
    void* volatile held[4] = {};
    held[2] = std::malloc(block_bytes);
    out.yield();
    std::free(held[2]);
  });
}

}  // namespace planted_bugs
