// SPDX-License-Identifier: Apache-2.0
//
// Several looks at one process become one snapshot: the last look, with the largest numbers of all.
// Looks at several processes become one too: their sum.
#pragma once

#include "model/snapshot.hpp"

namespace bast_stacks {

/// `last`, with the maxima of `earlier`: of each site's live, held, max and deepest stack. Sites
/// and modules that `last` does not know any more are taken over; what only `earlier` missed is not
/// missing. Live stacks are those of `last`.
snapshot accumulate(const snapshot& earlier, snapshot last);

/// What several processes, or several copies of the library in one, did together: `into` gains the
/// pools, the numbers of the sites and the modules of `more`. Frames must have their names already:
/// the same address may be another function there.
void unite(snapshot& into, snapshot more);

}  // namespace bast_stacks
