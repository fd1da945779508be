// SPDX-License-Identifier: Apache-2.0
#include "code/symbols.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "code/module_set.hpp"
#include "code/stack_walk.hpp"

namespace bast_stacks {

void name_frames(snapshot& all) {
  module_set modules(all);
  for (auto& site : all.sites) {
    if (site.raw.depth != 0) site.deepest = stack_walk(site.raw, modules).run();
  }
  modules.tell(all.not_seen);
}

backtrace frames_of(const bast::watch::deepest_stack& raw, snapshot& all) {
  module_set modules(all);
  return stack_walk(raw, modules).run();
}

}  // namespace bast_stacks
