// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `stack`: guarded, growing, measured stacks, independent of what runs on them.
// stack/README.md states its contract; docs/stacks.md helps users choose options.
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
