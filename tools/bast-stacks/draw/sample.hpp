// SPDX-License-Identifier: Apache-2.0
//
// Snapshots made by hand, for the tests of what draws them.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::sample {

inline frame call(std::string function, std::uint64_t stack_bytes, std::string module = "server",
                  std::string file = {}, std::uint32_t line = 0) {
  return {.pc = 0x401000 + stack_bytes,
          .function = std::move(function),
          .file = std::move(file),
          .line = line,
          .module = std::move(module),
          .module_offset = 0x1000 + stack_bytes,
          .stack_bytes = stack_bytes,
          .confirmed = true};
}

/// Calls are given as they were made, outermost first.
inline site place(std::string where, std::uint32_t line, std::vector<frame> calls,
                  std::uint64_t limit) {
  site made;
  made.kind = line == 0 ? bast::watch::site_kind::label : bast::watch::site_kind::source;
  made.where = std::move(where);
  made.line = line;
  made.limit = limit;
  made.window = 16384;
  made.pools = {1};
  for (const frame& each : calls) made.deepest.depth += each.stack_bytes;
  std::ranges::reverse(calls);
  made.deepest.frames = std::move(calls);
  made.deepest.inner = made.deepest.frames.size();
  made.max = made.deepest.depth;
  return made;
}

/// `share` of the uses at each depth.
inline void use(site& of, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& depths) {
  std::vector<std::uint64_t> counts(bast::watch::bucket_count);
  for (const auto& [depth, uses] : depths) {
    counts[bast::watch::bucket_of(depth)] += uses;
    of.samples += uses;
    of.max = std::max(of.max, depth);
  }
  of.uses = of.samples;
  for (std::uint32_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) of.histogram.push_back({i, counts[i]});
}

inline std::vector<frame> entry() {
  return {call("bast::internal::coro_entry(bast::internal::start*)", 96, "server",
               "lib/bast/coro/entry.cpp", 41)};
}

inline site accepting() {
  std::vector<frame> calls = entry();
  calls.push_back(call("serve(bast::tcp_stream)", 432, "server", "src/server.cpp", 91));
  calls.push_back(call("http::session<http::plain, std::chrono::steady_clock>::run()", 1296,
                       "server", "src/http/session.cpp", 210));
  calls.push_back(call("http::parser::parse_headers(std::span<char const, 18446744073709551615ul>)",
                       2208, "server", "src/http/parser.cpp", 77));
  calls.push_back(
      call("std::__cxx11::basic_string<char, std::char_traits<char>, "
           "std::allocator<char> >::_M_append(char const*, unsigned long)",
           64, "libstdc++.so.6.0.30"));
  calls.push_back(call("__vsnprintf_internal", 448, "libc.so.6"));
  calls.push_back(call("__vfprintf_internal", 1680, "libc.so.6"));
  calls.push_back(call("__printf_fp_l", 2544, "libc.so.6"));
  calls.push_back(call("__mpn_mul", 120, "libc.so.6"));
  site made = place("src/server.cpp", 88, std::move(calls), 256 << 10);
  made.deepest.frames[1].confirmed = false;
  use(made, {{1100, 4000},
             {2100, 9500},
             {3150, 20100},
             {3500, 4400},
             {4200, 1800},
             {5200, 900},
             {5900, 400},
             {6600, 80},
             {8000, 21},
             {9300, 2}});
  made.live = 512;
  made.held = 640;
  made.grows = 3;
  return made;
}

inline site parsing() {
  std::vector<frame> calls = entry();
  calls.push_back(call("import_document(std::string_view)", 208, "server", "src/parse.cpp", 44));
  for (int i = 0; i < 37; ++i) {
    calls.push_back(call("json::value(json::reader&, int)", 1072, "server", "src/json.cpp", 120));
    calls.push_back(call("json::object(json::reader&, int)", 544, "server", "src/json.cpp", 181));
  }
  calls.push_back(call("json::number(json::reader&)", 352, "server", "src/json.cpp", 66));
  calls.push_back(call("strtod_l_internal", 1248, "libc.so.6"));
  site made = place("src/parse.cpp", 40, std::move(calls), 64 << 10);
  use(made, {{2000, 900},
             {3900, 3200},
             {4600, 2500},
             {9000, 1400},
             {14000, 700},
             {21000, 240},
             {36000, 50},
             {52000, 9},
             {62600, 3}});
  made.live = 61;
  made.held = 64;
  made.grows = 118;
  return made;
}

inline site laying_out() {
  std::vector<frame> calls = entry();
  calls.push_back(
      call("render::page(render::document const&)", 880, "server", "src/render.cpp", 19));
  calls.push_back(call("render::layout(render::box&)", 3328, "server", "src/render.cpp", 140));
  calls.push_back(call("", 18656, "libfreetype.so.6.18.1"));
  calls.push_back(call("inflate", 7280, "libz.so.1.2.13"));
  site made = place("layout", 0, std::move(calls), 64 << 10);
  made.deepest.omitted_bytes = 2048;
  made.deepest.depth += 2048 + 512;
  made.deepest.inner = 2;
  use(made, {{12000, 20}, {18000, 95}, {19000, 61}, {24000, 27}, {31000, 8}, {33800, 1}});
  made.live = 4;
  made.held = 4;
  made.grows = 9;
  return made;
}

inline site ticking() {
  site made = place("src/clock.cpp", 12, {}, 256 << 10);
  use(made, {{700, 12}, {900, 5}});
  made.live = 1;
  made.held = 1;
  return made;
}

inline snapshot server() {
  snapshot made;
  made.what = "process 4711";
  made.pid = 4711;
  made.program = "/srv/bin/server";
  made.library = "bast 0.1.0";
  made.compiler = "gcc 12.2.0";
  made.machine = 62;
  made.runtime_ns = 86'400'000'000'000;
  pool& only = made.pools.emplace_back();
  only.id = 1;
  only.limit = 256 << 10;
  only.guard = 4096;
  only.window = 16384;
  only.stacks = 709;
  only.live = 578;
  made.sites = {ticking(), parsing(), accepting(), laying_out()};
  made.not_seen = {"1 site was used fewer than 30 times: its quantiles say little."};
  return made;
}

/// What a target could call its things to break a page, a picture or a terminal.
inline snapshot hostile() {
  snapshot made = server();
  made.program = "/tmp/<script>alert(1)</script>";
  made.what = "\"><img src=x onerror=alert(2)>";
  made.not_seen.emplace_back("</style><script>alert(3)</script>\x1b[31m");
  site& first = made.sites[1];
  first.where = "a\"b'c&d<script>alert(4)</script>]]>\x1b]0;owned\x07\xff\xfe\n;x\u202etxt.cpp";
  first.deepest.frames[0].function = "f<script>alert(5)</script>\"'&]]>\x1b[2J\xc3;g\n";
  first.deepest.frames[1].module = "<script>alert(6)</script>";
  first.deepest.frames[1].file = "javascript:alert(7)//\"";
  return made;
}

}  // namespace bast_stacks::sample
