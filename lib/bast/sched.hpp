// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `sched`: fibers, and the workers that run them.
//
//   run             runs a program of fibers, and returns when all have ended
//   spawn, fiber    starts one; its handle, which takes the outcome
//   spawn_batch     starts many of one function, or none
//   async           runs a function in a fiber if there can be one, else at once
//   concurrent      starts a fiber that certainly runs beside the caller
//   yield_now       lets others run
//   fiber_local     a value for a fiber and those that it spawns
//   guest_runtime   the same inside a loop that is not ours
//   runtime_handle  a runtime as other threads see it
//
// docs/fibers.md teaches them; sched/README.md states the guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/sched/async.hpp"
#include "bast/sched/batch.hpp"
#include "bast/sched/concurrent.hpp"
#include "bast/sched/fiber.hpp"
#include "bast/sched/fiber_local.hpp"
#include "bast/sched/guest.hpp"
#include "bast/sched/options.hpp"
#include "bast/sched/run.hpp"
#include "bast/sched/spawn.hpp"
