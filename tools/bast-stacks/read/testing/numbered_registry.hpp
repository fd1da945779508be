// SPDX-License-Identifier: Apache-2.0
//
// A fake registry with a distinct value in each field, and the result of `collect` for it.
#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "read/collect.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/own_memory.hpp"

namespace bast_stacks::testing {

inline constexpr collect_options clocks{.now_ns = 9'000, .boot_ns = 70'000};

inline snapshot collected(own_memory& target, const std::vector<std::uint64_t>& registries,
                          const collect_options& options = clocks) {
  snapshot into;
  into.what = "test";
  const auto good = collect(target, registries, options, into);
  EXPECT_TRUE(good) << (good ? "" : good.error().what);
  return into;
}

/// The record_text of its deepest stack.
inline constexpr std::string_view numbered_raw =
    " raw={depth=2012 sp=2011 pc=0x7de fp=0x7df top=0x7dc at=2013 first=1 omitted=2016 "
    "[0x7e1@2019 0x7e2@2020]}";

/// A registry with a distinct value in every field.
struct numbered_registry {
  fake_registry fake{fake_shape{.slots = 4, .stride = 64 << 10, .guard = 8192, .window = 16 << 10}};

  numbered_registry() {
    auto& head = fake.header();
    head.machine = 183;
    head.pid = 4711;
    head.started_ns = 10'000;
    head.built = bast::watch::built_hardened | bast::watch::built_coverage;
    head.modes = bast::watch::mode_deepest;
    auto& pool = fake.pool(0);
    pool.owner_thread = 77;
    pool.id = 41;
    pool.limit = 1001;
    pool.guard = 1002;
    pool.window = 1003;
    pool.retain = 1004;
    pool.budget = 1005;
    pool.scrub = 1;
    pool.growth = 1;
    pool.measured = 1;
    pool.gone = 1005;  // Ignored for an existing pool, both.
    pool.stacks_max = 1006;
    std::string_view("/src/pool.cpp:12").copy(pool.where, sizeof pool.where);
    auto& site = fake.add_site(2, bast::watch::site_kind::source, "/src/a.cpp");
    site.where_bytes = 11;
    site.line = 2001;
    site.column = 2002;
    site.limit = 2003;
    site.window = 2004;
    site.uses = 2005;
    site.samples = 2006;
    site.grows = 2007;
    site.max = 2008;
    site.max_at_ns = 2009;
    site.held = 2010;
    site.held_max = 2011;
    site.histogram[0] = 5;
    site.histogram[511] = 6;
    site.deepest.depth = 2012;
    site.deepest.sp_depth = 2011;
    site.deepest.top = 2012;
    site.deepest.at_ns = 2013;
    site.deepest.pc = 2014;
    site.deepest.fp = 2015;
    site.deepest.first = 1;
    site.deepest.count = 2;
    site.deepest.omitted = 2016;
    site.deepest.return_pc[0] = 2017;
    site.deepest.return_pc[1] = 2018;
    site.deepest.return_at[0] = 2019;
    site.deepest.return_at[1] = 2020;
  }
  std::uint64_t address() { return fake.header().self; }
};

}  // namespace bast_stacks::testing
