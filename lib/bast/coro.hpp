// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `coro`: stackful coroutines and their pool.
//
//   bast::coro_pool pool = bast::coro_pool::create().value();
//   auto counter = pool.acquire<int>().value();            // yields ints
//   auto step = counter.start([](bast::yielder<int>& out) {
//     for (int i = 1; i <= 3; ++i) out.yield(i);
//   });
//   while (step->suspended()) {
//     use(step->value());
//     step = counter.resume();
//   }
//
// coro/README.md says what it promises: the state table F-1, handles that cannot go stale silently,
// exceptions that are carried out, unwinding that frees every local.
#pragma once

#include <bast/config.hpp>

#include "bast/coro/abandonable.hpp"
#include "bast/coro/coro.hpp"
#include "bast/coro/no_suspension.hpp"
#include "bast/coro/park.hpp"
#include "bast/coro/pool.hpp"
#include "bast/coro/ready_queue.hpp"
#include "bast/coro/this_coro.hpp"
#include "bast/coro/waiter.hpp"
