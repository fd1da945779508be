// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `cancel`: asking for an end, and being told.
//
//   auto source = bast::cancel_source::create().value();
//   bast::cancel_callback wake(source.token(), []() noexcept { ... });
//   source.cancel();     // marks first, then runs the callbacks, what is below first
//
// cancel/README.md says what it promises.
#pragma once

#include <bast/config.hpp>

#include "bast/cancel/binding.hpp"
#include "bast/cancel/callback.hpp"
#include "bast/cancel/source.hpp"
#include "bast/cancel/token.hpp"
#include "bast/cancel/wait_group.hpp"
