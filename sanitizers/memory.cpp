// SPDX-License-Identifier: Apache-2.0
//
// Bugs in memory that is a coroutine's stack. The sanitizers must report them as on a thread's
// stack.
#include <bast/coro.hpp>
#include <cstdio>

#include "planted_bugs.hpp"

namespace planted_bugs {
namespace {

using bast::yielder;

/// Hides a pointer's origin from the compiler. A call and not an asm statement: a function with one
/// keeps its locals on its own stack, even with the check for use after return.
template <class T>
[[gnu::noinline]] T* launder(T* pointer) {
  static T* volatile kept;
  kept = pointer;
  return kept;
}

[[gnu::noinline]] volatile char* address_of_a_local() {
  volatile char local[64];
  local[0] = 1;
  return launder(local);
}

[[gnu::noinline]] bool is_magic(volatile int* word) { return *word == 4711; }

}  // namespace

void clean() {
  bast::coro_pool pool = make_pool();
  auto c = pool.acquire<int, int>().value();
  auto step = c.start([](yielder<int, int>& out) {
    int given = 0;
    for (int i = 0; i < 3; ++i) given += out.yield(given);
  });
  while (step.yielded()) step = c.resume(step.value() + 1);
}

void use_after_return() {
  bast::coro_pool pool = make_pool();
  run(pool, [] { *address_of_a_local() = 2; });
}

void buffer_overflow() {
  bast::coro_pool pool = make_pool();
  run(pool, [] {
    volatile char buffer[16];
    launder(buffer)[16] = 1;
  });
}

void uninitialised_read() {
  bast::coro_pool pool = make_pool();
  // The first user leaves initialised bytes; on its stack the second one's locals are uninitialised
  // again.
  run(pool, [] {
    volatile char all[2048];
    for (volatile char& byte : all) byte = 0x5a;
  });
  run(pool, [] {
    volatile int words[64];
    if (is_magic(launder(words) + 32)) std::puts("magic");
  });
}

void released_stack() {
  bast::coro_pool pool = make_pool();
  volatile char* stale = nullptr;
  // The frame's own address: an address sanitizer keeps locals elsewhere.
  run(pool, [&] { stale = static_cast<volatile char*>(__builtin_frame_address(0)) - 64; });
  *stale = 1;
}

}  // namespace planted_bugs
