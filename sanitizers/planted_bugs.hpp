// SPDX-License-Identifier: Apache-2.0
//
// The planted bugs: one function each, run by `bast_planted_bugs NAME`. A function that returns was
// not reported. None needs exceptions or the instrumented half of the C++ runtime, so
// that all of them build under every sanitizer.
#pragma once

#include <bast/coro.hpp>
#include <cstdio>

namespace planted_bugs {

inline bast::coro_pool make_pool(bast::bytes limit = bast::bytes{256 << 10}) {
  return bast::coro_pool::create({.stack = {.limit = limit}}).value();
}

/// Runs `f` to its end in a coroutine of `pool`, whose stack is idle afterwards.
template <class F>
void run(bast::coro_pool& pool, F f) {
  auto c = pool.acquire().value();
  if (c.start("walker", f).failed()) std::puts("start failed");
}

// memory.cpp
void clean();               // no bug: start, yield, resume, release
void use_after_return();    // a pointer to a local of a function that returned
void buffer_overflow();     // one past the end of a local array
void uninitialised_read();  // a branch on an uninitialised local, on a recycled stack
void released_stack();      // a pointer to the stack of a coroutine that was released

// leak.cpp
void leak_of_the_dead();  // only a released coroutine referred to the block
void kept_by_a_local();   // no bug: a suspended coroutine's local refers to the block
void kept_by_a_frame();   // no bug: an array in a suspended coroutine's frame does

// race.cpp
void race_on_two_threads();  // one coroutine on each
void race_on_one_thread();   // two raw fibers that take turns without ordering
void ordered_by_resuming();  // no bug: data that crosses by resume and yield, nested too

// fault.cpp
void wild_write();  // by the thread
void wild_write_in_coroutine();
void overflow();         // endless recursion in a coroutine
void growth();           // no bug: recursion to 1 MiB on a stack that opens 32 KiB
void earlier_handler();  // the program's own handler was installed first: it gets the address
void later_handler();    // ... later, and passes on what is not its own
void default_action();   // no bug in this process: a traced child dies of a wild write

}  // namespace planted_bugs
