// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `op`: waiting for one of several things.
//
//   bast::result<int> got = bast::perform(bast::choice(
//       bast::wrap(numbers.receive(), [](int n) { return n + 1; }),
//       bast::always(0)));
//
// An op is an inert value that describes a wait; performing it commits exactly one of its leaves,
// or none. Everything that can block is an op, of bast or of a user (D6).
//
// op/README.md states the guarantees, and shows how an op is made.
#pragma once

#include <bast/config.hpp>

#include "bast/op/branch.hpp"
#include "bast/op/cancelled.hpp"
#include "bast/op/choices.hpp"
#include "bast/op/guard.hpp"
#include "bast/op/meeting.hpp"
#include "bast/op/ops.hpp"
#include "bast/op/perform.hpp"
#include "bast/op/performer.hpp"
#include "bast/op/retry.hpp"
