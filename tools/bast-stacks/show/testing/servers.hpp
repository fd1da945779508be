// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/test_samples.hpp"
#include "show/recommend.hpp"

namespace bast_stacks::testing {

/// The sample server, with a distinct value in every column.
inline snapshot server() {
  snapshot s = test::sample_server();
  s.pools[1].resident = 3 << 20;
  s.pools[1].live = 60;
  s.sites[0].grows = 11;
  s.sites[1].grows = 12;
  s.sites[2].grows = 13;
  s.sites[2].held = 600;
  s.stacks[1].parked = false;
  s.stacks[1].crashed = true;
  s.stacks[1].top += 1 << 20;
  s.stacks[1].open_low += 1 << 20;
  return s;
}

/// The same later: one site deeper, one less deep, one new, one gone.
inline snapshot server_later() {
  snapshot s = server();
  s.sites[1].max = 20'000;
  s.sites[2].max = 40'000;
  s.sites[2].uses += 5;
  s.sites.erase(s.sites.begin());
  s.sites.push_back(test::make_site("/src/app/new.cpp", 3, {{500, 9}}));
  return s;
}

/// One pool with one site of `uses` uses, `max` deep.
inline snapshot one_site(std::uint64_t uses, std::uint64_t max) {
  snapshot s = test::sample_server();
  s.sites = {test::make_site("/src/x.cpp", 5, {{max, uses}})};
  s.sites[0].held = 100;
  s.pools.resize(1);
  s.pools[0].stacks = 100;
  s.stacks.clear();
  return s;
}

/// With reserves that do not depend on the test machine.
inline const recommend_options advised{.reserves = {.signal_frame = 1776}};

}  // namespace bast_stacks::testing
