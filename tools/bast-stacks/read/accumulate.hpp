// SPDX-License-Identifier: Apache-2.0
//
// Combines several looks at one process into one snapshot: the last look, with the maxima of all.
// Combines looks at several processes into their sum.
#pragma once

#include "model/snapshot.hpp"

namespace bast_stacks {

/// `last`, with the maxima of `earlier`: of each site's live, held, max and deepest stack. Keeps
/// sites and modules that are missing in `last`; drops the `not_seen` of `earlier`. Live stacks are
/// those of `last`.
snapshot accumulate(const snapshot& earlier, snapshot last);

/// Adds up several processes, or several copies of the library in one: `into` gains the pools, the
/// numbers of the sites and the modules of `more`. Frames must be named before: the same address
/// may be another function in `more`.
void unite(snapshot& into, snapshot more);

}  // namespace bast_stacks
