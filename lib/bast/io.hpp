// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `io`: time, and what happens outside of the program.
//
//   perform(bast::sleep_for(10ms));
//   auto got = perform(bast::timeout(numbers.receive(), 100ms));
//
// io/README.md states the guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/io/backend.hpp"
#include "bast/io/blocking.hpp"
#include "bast/io/descriptor_ops.hpp"
#include "bast/io/epoll_backend.hpp"
#include "bast/io/event_loop.hpp"
#include "bast/io/thread_pool.hpp"
#include "bast/io/time.hpp"
#include "bast/io/timed_call.hpp"
#include "bast/io/wheel.hpp"
