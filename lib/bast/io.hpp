// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `io`: the time and the events of a worker. For the library's own schedulers.
//
//   bast::internal::wheel timers(now_ns);
//   timers.arm(mine, now_ns + 1'000'000);
//   while (auto* due = timers.advance(now_ns)) { ... }   // in order, and never early
//
// io/README.md states its guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/io/backend.hpp"
#include "bast/io/epoll_backend.hpp"
#include "bast/io/event_loop.hpp"
#include "bast/io/wheel.hpp"
