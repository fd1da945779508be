// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzers of registries and cores require can fail: a snapshot at each of its bounds is
// sound, and one beyond it is not.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "read/fuzz_registry.hpp"

namespace bast_stacks {
namespace {

using bast::watch::bucket_count;
using bast::watch::return_count;

/// Every number at its bound.
snapshot sound_snapshot() {
  snapshot made;
  made.sites.resize(2);
  made.sites[0].where = "a";
  made.sites[0].histogram = {{.index = 0, .count = 1}, {.index = bucket_count - 1, .count = 1}};
  made.sites[1].where = "b";
  made.sites[1].raw.count = made.sites[1].raw.first = return_count;
  live_stack stack;
  stack.site = 1;
  stack.low = 1000;
  stack.open_low = 1000;
  stack.top = 3000;
  stack.depth = stack.depth_at_most = 2000;
  stack.scanned = true;
  made.stacks.push_back(stack);
  stack.open_low = stack.top;
  stack.scanned = false;
  stack.depth_at_most = 0;
  made.stacks.push_back(stack);
  return made;
}

TEST(FuzzSound, WhatIsAtItsBoundsIsSound) {
  require_sound(sound_snapshot());
  require_sound({});
}

TEST(FuzzSound, WhatIsBeyondOneIsNot) {
  const std::function<void(snapshot&)> changes[] = {
      [](snapshot& s) { s.stacks[0].site = 2; },
      [](snapshot& s) { s.stacks[0].low = 1001; },
      [](snapshot& s) { s.stacks[1].open_low = 3001; },
      [](snapshot& s) { s.stacks[0].depth_at_most = 1999; },
      [](snapshot& s) { s.stacks[1].depth = 2001; },
      [](snapshot& s) { s.stacks[0].depth_at_most = 2001; },
      [](snapshot& s) { s.stacks[1].depth_at_most = 1; },
      [](snapshot& s) { s.sites[1].where.clear(); },
      [](snapshot& s) { s.sites[0].histogram[1].index = 0; },
      [](snapshot& s) { s.sites[0].histogram[1].index = bucket_count; },
      [](snapshot& s) { s.sites[0].histogram[0].count = 0; },
      [](snapshot& s) { s.sites[1].raw.count = return_count + 1; },
      [](snapshot& s) { s.sites[1].raw.count = return_count - 1; },
      [](snapshot& s) { s.sites[0].raw.first = 1; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    snapshot broken = sound_snapshot();
    changes[i](broken);
    EXPECT_EXIT(require_sound(broken), ::testing::KilledBySignal(SIGABRT), "") << i;
  }
}

}  // namespace
}  // namespace bast_stacks
