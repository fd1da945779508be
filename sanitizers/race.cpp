// SPDX-License-Identifier: Apache-2.0
//
// Data races between coroutines, and similar legal code.
#include <bast/coro.hpp>
#include <bast/testing/raw_fiber.hpp>
#include <latch>
#include <thread>

#include "planted_bugs.hpp"

namespace planted_bugs {
namespace {

int shared = 0;

}  // namespace

void race_on_two_threads() {
  // Between the latch and the increment no lock is taken, which would order the two.
  std::latch both(2);
  const auto increment = [&] {
    bast::coro_pool pool = bast::coro_pool::create().value();
    auto c = pool.acquire().value();
    const auto step = c.start([](bast::yielder<>& out) {
      out.yield();
      ++shared;
    });
    both.arrive_and_wait();
    if (step.yielded()) (void)c.resume();
  };
  std::thread one(increment);
  std::thread other(increment);
  one.join();
  other.join();
}

void race_on_one_thread() {
  using bast::test::edges;
  using bast::test::form;
  using bast::test::raw_fiber;
  const auto body = [](raw_fiber&) { ++shared; };
  raw_fiber one(form::out_of_line, body, edges::none);
  raw_fiber other(form::out_of_line, body, edges::none);
  one.resume<form::out_of_line>();
  other.resume<form::out_of_line>();
}

void ordered_by_resuming() {
  bast::coro_pool pool = bast::coro_pool::create().value();
  auto outer = pool.acquire().value();
  auto inner = pool.acquire().value();
  const auto body = [](bast::yielder<>& out) {
    ++shared;
    out.yield();
    ++shared;
  };
  bool ran = inner.start(body).yielded();
  ++shared;
  ran &= outer
             .start([&](bast::yielder<>& out) {
               ++shared;
               ran &= inner.resume().finished();  // A resumer that is a coroutine itself.
               ++shared;
               out.yield();
               ++shared;
             })
             .yielded();
  ++shared;
  ran &= outer.resume().finished();
  if (!ran) __builtin_trap();
}

}  // namespace planted_bugs
