// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `cancel`: requesting cancellation, and responding to it.
//
//   auto source = bast::cancel_source::create().value();
//   bast::cancel_callback wake(source.token(), []() noexcept { ... });
// marks first, then runs the callbacks, descendants first
//
// cancel/README.md states its guarantees.
#pragma once

#include <bast/config.hpp>

#include "bast/cancel/binding.hpp"
#include "bast/cancel/callback.hpp"
#include "bast/cancel/source.hpp"
#include "bast/cancel/time.hpp"
#include "bast/cancel/token.hpp"
#include "bast/cancel/wait_group.hpp"
