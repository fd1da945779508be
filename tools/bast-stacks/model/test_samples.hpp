// SPDX-License-Identifier: Apache-2.0
//
// Snapshots for tests: a small server as a reader returns it, and random ones.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "bast/testing/random.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks::test {

/// Depths in bytes, ascending, and the number of uses of each.
using depths = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

/// A call that the unwind tables confirm.
inline frame make_frame(std::string function, std::uint64_t stack_bytes, std::string file = {},
                        std::uint32_t line = 0) {
  frame f;
  f.pc = 0x401000 + stack_bytes;
  f.function = std::move(function);
  f.file = std::move(file);
  f.line = line;
  f.module = "server";
  f.module_offset = 0x1000 + stack_bytes;
  f.stack_bytes = stack_bytes;
  f.confirmed = true;
  return f;
}

/// The same in a library, without a source location.
inline frame make_frame_of(std::string module, std::string function, std::uint64_t stack_bytes) {
  frame f = make_frame(std::move(function), stack_bytes);
  f.module = std::move(module);
  return f;
}

inline void add_uses(site& of, const depths& used) {
  std::vector<std::uint64_t> counts(bast::watch::bucket_count);
  for (const bucket& each : of.histogram) counts[each.index] = each.count;
  of.histogram.clear();
  for (const auto& [depth, count] : used) {
    counts[bast::watch::bucket_of(depth)] += count;
    of.uses += count;
    of.samples += count;
    of.max = std::max(of.max, depth);
  }
  for (std::uint32_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) of.histogram.push_back({i, counts[i]});
}

/// A site of the source, or a label if `line` is 0.
inline site make_site(std::string where, std::uint32_t line, const depths& used,
                      std::uint64_t limit = 256 << 10) {
  site s;
  s.kind = line == 0 ? bast::watch::site_kind::label : bast::watch::site_kind::source;
  s.where = std::move(where);
  s.line = line;
  s.column = line == 0 ? 0 : 3;
  s.limit = limit;
  s.window = 32 << 10;
  s.pools = {1};
  add_uses(s, used);
  return s;
}

/// Sets its deepest stack. Calls in call order, the outermost first.
inline site with_calls(site of, std::vector<frame> calls) {
  for (const frame& each : calls) of.deepest.depth += each.stack_bytes;
  std::ranges::reverse(calls);
  of.deepest.frames = std::move(calls);
  of.deepest.inner = of.deepest.frames.size();
  of.max = std::max(of.max, of.deepest.depth);
  return of;
}

/// A suspended stack of the sample server in each of its pools.
inline std::vector<live_stack> sample_stacks() {
  live_stack one{.pool = 1, .site = 2, .name = "accept 1"};
  one.top = 0x7f0000040000;
  one.low = 0x7f0000000000;
  one.open_low = 0x7f0000038000;
  one.depth = 6144;
  one.depth_at_most = 8192;
  one.resident = 12288;
  one.scanned = true;
  one.sp = 0x7f000003f000;
  one.pc = 0x401234;
  one.state = bast::watch::coro_state::suspended;
  one.parked = true;
  live_stack two = one;
  two.name.clear();
  two.pool = 2;
  two.site = 0;
  two.depth = two.depth_at_most = 61440;
  two.resident = 61440;
  return {one, two};
}

/// Three sites in two pools: one with much room, one with too few runs, a recursion near its limit.
inline snapshot sample_server() {
  snapshot s;
  s.what = "4711";
  s.pid = 4711;
  s.program = "/usr/bin/server";
  s.library = "bast 0.1.0";
  s.compiler = "gcc 12.2.0";
  s.machine = 62;
  s.runtime_ns = 3'600'000'000'000;
  s.overhead_ns = 1'200'000;
  s.modules = {{"/usr/bin/server", "0123abcd", 0x400000, 0x400000, 0x480000}};

  pool large{.id = 1, .owner_thread = 4711, .where = "/src/app/server.cpp:20"};
  large.limit = 256 << 10;
  large.guard = 64 << 10;
  large.window = 32 << 10;
  large.retain = 64 << 10;
  large.budget = std::numeric_limits<std::uint64_t>::max();
  large.stacks = 520;
  large.live = 516;
  large.resident = 6 << 20;
  pool small = large;
  small.id = 2;
  small.where = "/src/app/parse.cpp:10";
  small.limit = 64 << 10;
  small.stacks = 61;
  small.live = 61;
  s.pools = {large, small};

  site layout = make_site("/src/app/render.cpp", 14, {{18000, 150}, {31000, 60}, {33000, 2}});
  layout.live = 4;
  layout.held = 8;
  site accept = make_site("/src/app/server.cpp", 88, {{3100, 40000}, {5900, 1200}, {9300, 3}});
  accept.live = 512;
  accept.held = 512;
  accept.max_age_ns = 1'200'000'000'000;
  accept.deepest.depth = 9300;
  accept.deepest.frames = {make_frame("memcpy", 300), make_frame("read_request", 8000, "in.cpp", 7),
                           make_frame("accept_loop(int)", 1000, "/src/app/server.cpp", 90)};
  accept.deepest.inner = 3;
  site json = make_site("/src/app/parse.cpp", 40, {{4000, 8000}, {22000, 1000}, {62700, 2}});
  json.limit = 64 << 10;
  json.pools = {2};
  json.live = 61;
  json.held = 61;
  json.deepest.depth = 62700;
  json.deepest.frames.assign(37, make_frame("json_value", 1650, "/src/app/parse.cpp", 51));
  json.deepest.frames.push_back(make_frame("parse", 1650, "/src/app/parse.cpp", 41));
  json.deepest.inner = 38;
  s.sites = {json, layout, accept};

  s.stacks = sample_stacks();
  s.not_seen = {"Site render.cpp:14 has 3 uses that were not measured yet."};
  return s;
}

/// A random snapshot that a recording can hold.
inline snapshot random_snapshot(bast::test::random_numbers& random) {
  const auto number = [&] { return random.next() >> random.below(64); };
  const auto narrow = [&] { return static_cast<std::uint32_t>(number()); };
  const auto step = [&] { return 1 + static_cast<std::uint32_t>(random.below(300)); };
  const auto flag = [&] { return random.below(2) == 1; };
  const auto text = [&] {
    static const char* const pieces[] = {"a", "/", ":", "\"", "\\", "\n", "<b>", "ä", "\x01", "7"};
    std::string out;
    for (std::uint64_t n = random.below(8); n != 0; --n) out += pieces[random.below(10)];
    return out;
  };
  snapshot s;
  s.pid = number();
  s.program = text();
  s.library = text();
  s.compiler = text();
  s.machine = static_cast<std::uint16_t>(number());
  s.built = number();
  s.modes = narrow();
  s.runtime_ns = number();
  s.overhead_ns = number();
  for (std::uint64_t n = random.below(3); n != 0; --n) s.not_seen.push_back(text());
  for (std::uint64_t n = random.below(3); n != 0; --n)
    s.modules.push_back({text(), text(), number(), number(), number()});
  for (std::uint64_t n = random.below(4); n != 0; --n) {
    pool p{.id = number(), .owner_thread = narrow(), .where = text()};
    p.limit = number();
    p.retain = number();
    p.scrub = static_cast<std::uint8_t>(random.below(3));
    p.measured = flag();
    p.stacks = number();
    p.max = number();
    s.pools.push_back(p);
  }
  for (std::uint64_t n = random.below(6); n != 0; --n) {
    site one;
    one.kind = static_cast<bast::watch::site_kind>(random.below(3));
    one.where = text();
    one.where_is_cut = flag();
    one.line = narrow();
    one.uses = number();
    one.pending = number();
    one.max = number();
    one.live = number();
    one.limit = number();
    for (std::uint32_t b = 0; b < bast::watch::bucket_count; b += step())
      one.histogram.push_back({b, number()});
    for (std::uint64_t p = random.below(3); p != 0; --p) one.pools.push_back(number());
    one.deepest.depth = number();
    for (std::uint64_t f = random.below(4); f != 0; --f) {
      one.deepest.frames.push_back(make_frame(text(), number(), text(), narrow()));
      one.deepest.frames.back().confirmed = flag();
    }
    one.deepest.inner = random.below(one.deepest.frames.size() + 1);
    s.sites.push_back(one);
  }
  for (std::uint64_t n = s.sites.empty() ? 0 : random.below(5); n != 0; --n) {
    live_stack one{.pool = number(), .site = random.below(s.sites.size()), .name = text()};
    one.depth = number();
    one.depth_at_most = one.depth + random.below(4096);
    if (one.depth_at_most < one.depth) one.depth_at_most = one.depth;
    one.scanned = flag();
    one.crashed = flag();
    one.state = static_cast<bast::watch::coro_state>(random.below(6));
    one.fp = number();
    s.stacks.push_back(one);
  }
  return s;
}

}  // namespace bast_stacks::test
