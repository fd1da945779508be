// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `lockfree`: queues between threads, without locks and without system calls.
// Everything here is for plain threads; nothing suspends a coroutine, and nothing but the deque
// allocates.
//
//   bast::spsc_ring<sample, 1024> samples;        // one thread pushes, another one pops
//   if (!samples.push(std::move(s))) ++dropped;   // full: `s` is unchanged
//   while (auto one = samples.pop()) plot(*one);
//
// lockfree/README.md says which to take, and states their guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/lockfree/backoff.hpp"
#include "bast/lockfree/inbox.hpp"
#include "bast/lockfree/mpmc_ring.hpp"
#include "bast/lockfree/mpsc_ring.hpp"
#include "bast/lockfree/padded.hpp"
#include "bast/lockfree/seqlock.hpp"
#include "bast/lockfree/spsc_ring.hpp"
#include "bast/lockfree/tagged_stack.hpp"
#include "bast/lockfree/work_deque.hpp"
