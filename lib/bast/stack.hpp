// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `stack`: guarded, growing, measured stacks, and nothing about what runs on
// them. stack/README.md says what it promises; docs/stacks.md tells a user what to choose.
#pragma once

#include <bast/config.hpp>

#include "bast/stack/budget.hpp"
#include "bast/stack/fault.hpp"
#include "bast/stack/geometry.hpp"
#include "bast/stack/options.hpp"
#include "bast/stack/pool.hpp"
#include "bast/stack/site.hpp"
#include "bast/stack/slab.hpp"
#include "bast/stack/slot.hpp"
#include "bast/stack/tier.hpp"
