// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `coro`: stackful coroutines and their pool.
//
//   bast::coro_pool pool = bast::coro_pool::create().value();
//   auto numbers = pool.make([](bast::yielder<int>& out) {
//     for (int i = 1; i <= 3; ++i) out.yield(i);
//     return 6;
//   }).value();
//   for (auto step = numbers.resume(); step.yielded(); step = numbers.resume()) use(step.value());
//   int total = numbers.returned().value();
//
// coro/README.md states its guarantees: the state table F-1, errors for stale handles, exceptions
// carried to the owner, unwinding that destroys every local.
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
