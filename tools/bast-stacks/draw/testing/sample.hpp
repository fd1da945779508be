// SPDX-License-Identifier: Apache-2.0
//
// A server with every feature of pictures: a deep recursion; calls without a name, in libraries,
// not confirmed, not recorded; a label; a site of few uses. And one with hostile names.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/test_samples.hpp"

namespace bast_stacks::sample {

using test::make_frame;
using test::make_frame_of;
using test::make_site;
using test::with_calls;

inline std::vector<frame> entry() {
  return {make_frame("bast::internal::coro_entry(bast::internal::start*)", 96,
                     "lib/bast/coro/entry.cpp", 41)};
}

inline site accepting() {
  std::vector<frame> calls = entry();
  calls.push_back(make_frame("serve(bast::tcp_stream)", 432, "src/server.cpp", 91));
  calls.push_back(make_frame("http::session<http::plain, std::chrono::steady_clock>::run()", 1296,
                             "src/http/session.cpp", 210));
  calls.push_back(
      make_frame("http::parser::parse_headers(std::span<char const, 18446744073709551615ul>)", 2208,
                 "src/http/parser.cpp", 77));
  calls.push_back(make_frame_of("libstdc++.so.6.0.30",
                                "std::__cxx11::basic_string<char, std::char_traits<char>, "
                                "std::allocator<char> >::_M_append(char const*, unsigned long)",
                                64));
  calls.push_back(make_frame_of("libc.so.6", "__vsnprintf_internal", 448));
  calls.push_back(make_frame_of("libc.so.6", "__vfprintf_internal", 1680));
  calls.push_back(make_frame_of("libc.so.6", "__printf_fp_l", 2544));
  calls.push_back(make_frame_of("libc.so.6", "__mpn_mul", 120));
  site made = with_calls(make_site("src/server.cpp", 88,
                                   {{1100, 4000},
                                    {2100, 9500},
                                    {3150, 20100},
                                    {3500, 4400},
                                    {4200, 1800},
                                    {5200, 900},
                                    {5900, 400},
                                    {6600, 80},
                                    {8000, 21},
                                    {9300, 2}}),
                         std::move(calls));
  made.deepest.frames[1].confirmed = false;
  made.live = 512;
  made.held = 640;
  made.grows = 3;
  return made;
}

inline site parsing() {
  std::vector<frame> calls = entry();
  calls.push_back(make_frame("import_document(std::string_view)", 208, "src/parse.cpp", 44));
  for (int i = 0; i < 37; ++i) {
    calls.push_back(make_frame("json::value(json::reader&, int)", 1072, "src/json.cpp", 120));
    calls.push_back(make_frame("json::object(json::reader&, int)", 544, "src/json.cpp", 181));
  }
  calls.push_back(make_frame("json::number(json::reader&)", 352, "src/json.cpp", 66));
  calls.push_back(make_frame_of("libc.so.6", "strtod_l_internal", 1248));
  site made = with_calls(make_site("src/parse.cpp", 40,
                                   {{2000, 900},
                                    {3900, 3200},
                                    {4600, 2500},
                                    {9000, 1400},
                                    {14000, 700},
                                    {21000, 240},
                                    {36000, 50},
                                    {52000, 9},
                                    {62600, 3}},
                                   64 << 10),
                         std::move(calls));
  made.live = 61;
  made.held = 64;
  made.grows = 118;
  return made;
}

inline site laying_out() {
  std::vector<frame> calls = entry();
  calls.push_back(make_frame("render::page(render::document const&)", 880, "src/render.cpp", 19));
  calls.push_back(make_frame("render::layout(render::box&)", 3328, "src/render.cpp", 140));
  calls.push_back(make_frame_of("libfreetype.so.6.18.1", "", 18656));
  calls.push_back(make_frame_of("libz.so.1.2.13", "inflate", 7280));
  site made = with_calls(
      make_site("layout", 0,
                {{12000, 20}, {18000, 95}, {19000, 61}, {24000, 27}, {31000, 8}, {33800, 1}},
                64 << 10),
      std::move(calls));
  made.deepest.omitted_bytes = 2048;
  made.deepest.depth += 2048 + 512;
  made.deepest.inner = 2;
  made.live = 4;
  made.held = 4;
  made.grows = 9;
  return made;
}

inline site ticking() {
  site made = make_site("src/clock.cpp", 12, {{700, 12}, {900, 5}});
  made.live = 1;
  made.held = 1;
  return made;
}

/// The process and the pools are those of the model's sample.
inline snapshot server() {
  snapshot made = test::sample_server();
  made.stacks.clear();
  made.sites = {ticking(), parsing(), accepting(), laying_out()};
  made.not_seen = {"1 site was used fewer than 30 times: its quantiles say little."};
  return made;
}

/// Names that a target could choose to break a page, a picture or a terminal.
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
