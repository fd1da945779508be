// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `scope`: structured concurrency.
//
//   run_scope        a block that ends when all fibers in it have; the first failure ends them
//   scope            spawns into it, defers, cancels, closes
//   scope_failure    what it ended with instead of a value
//   scope_report     how each of a tree of scopes has ended
//   fail_after       a deadline for a part of a fiber; move_on_after, fail_at, move_on_at
//   shield           a part that is not cancelled from outside
//   scope_op         an arm of a choice that has fibers of its own
//   task_group       tasks of a scope, whose results come as they complete
//   parallel_map     a function of each item of a range, several at a time
//
// docs/scopes.md teaches them; scope/README.md states the guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/scope/deadline.hpp"
#include "bast/scope/group.hpp"
#include "bast/scope/scope.hpp"
#include "bast/scope/scope_op.hpp"
