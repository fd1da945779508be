// SPDX-License-Identifier: Apache-2.0
//
// Whole texts: a misplaced column, a reversed order or a doubled sum shows in no single word.
#include <gtest/gtest.h>

#include "show/export.hpp"
#include "show/recommend.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using testing::advised;
using testing::server;

TEST(WholeText, Recommended) {
  EXPECT_EQ(
      recommend_text(server(), advised),
      R"(A site's limit is lowered when, with 95 % confidence, at most 1 in 1,000 of its uses goes deeper
than the deepest seen: after 2,995 uses. It is that depth and a reserve of 8.2 KiB:
signal frame 1.7 KiB, unwinding 4 KiB, lazy binding 1.5 KiB, colouring 960 B.
Of as many uses again, if they are alike, at most 3 are expected to go deeper;
in a day like the 60 min seen, 72.
A program that goes on must have been seen for an hour, unless --quantile is given.

   site (in KiB)   uses  deepest  limit  recommend              because
!! parse.cpp:40    9002     61.2   64.0  76 KiB                 leaves 2.8 KiB for the reserve
   render.cpp:14    212     32.2    256  keep: 2,783 runs more  so far 1 in 71 may go deeper
   server.cpp:88  41203      9.1    256  20 KiB                 at most 1 in 13,000 goes deeper

A recursion is as deep as its input; for every eight rounds seen one more is kept:
  recursion json_value x37: +6.4 KiB, parse.cpp:40

Of 1 site no backtrace was recorded, so a recursion could not be seen: an eighth of the depth
is kept for it. bast-stacks run --deepest sees it.

pool parse.cpp:10, 61 stacks; decided by parse.cpp:40
  bast::stack_options{.limit = 76_KiB, .window = 24_KiB}

pool server.cpp:20, 520 stacks; decided by render.cpp:14
  keep .limit = 256 KiB
  blocked: without render.cpp:14 it could be
  bast::stack_options{.limit = 20_KiB, .window = 8_KiB}

A pool of its own for each site that shares one:
  bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // render.cpp:14 alone, too few runs
  bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:88 alone
)");
}

TEST(WholeText, RecommendedJson) {
  EXPECT_EQ(recommend_json(server(), advised),
            R"({
  "format": "bast-stacks recommendation",
  "version": 1,
  "confidence": 0.95,
  "quantile": 0.999,
  "refused": "",
  "sites": [
    {
      "site": "/src/app/parse.cpp:40",
      "verdict": "raise",
      "uses": 9002,
      "need": 62700,
      "old_limit": 65536,
      "limit": 77824,
      "window": 24576,
      "covered_quantile": 0.9996672701776075,
      "runs_missing": 0,
      "missing_ns": 0,
      "live_counted": 0,
      "deepest_came_late": false,
      "code": "bast::stack_options{.limit = 76_KiB, .window = 24_KiB}",
      "recursion": {
        "function": "json_value",
        "times": 37,
        "rounds_kept": 4,
        "reserve": 6600
      }
    },
    {
      "site": "/src/app/render.cpp:14",
      "verdict": "keep",
      "uses": 212,
      "need": 33000,
      "old_limit": 262144,
      "limit": 262144,
      "window": 32768,
      "covered_quantile": 0.9859685587049467,
      "runs_missing": 2783,
      "missing_ns": 0,
      "live_counted": 0,
      "deepest_came_late": false,
      "code": "bast::stack_options{.limit = 256_KiB, .window = 32_KiB}",
      "recursion": {
        "function": "",
        "times": 0,
        "rounds_kept": 0,
        "reserve": 4125
      }
    },
    {
      "site": "/src/app/server.cpp:88",
      "verdict": "lower",
      "uses": 41203,
      "need": 9300,
      "old_limit": 262144,
      "limit": 20480,
      "window": 8192,
      "covered_quantile": 0.9999272959888513,
      "runs_missing": 0,
      "missing_ns": 0,
      "live_counted": 0,
      "deepest_came_late": false,
      "code": "bast::stack_options{.limit = 20_KiB, .window = 8_KiB}",
      "recursion": {
        "function": "",
        "times": 0,
        "rounds_kept": 0,
        "reserve": 0
      }
    }
  ],
  "pools": [
    {
      "where": "/src/app/parse.cpp:10",
      "pools": 1,
      "stacks": 61,
      "verdict": "raise",
      "old_limit": 65536,
      "limit": 77824,
      "window": 24576,
      "saved_address_space": 0,
      "decided_by": "/src/app/parse.cpp:40",
      "code": "bast::stack_options{.limit = 76_KiB, .window = 24_KiB}"
    },
    {
      "where": "/src/app/server.cpp:20",
      "pools": 1,
      "stacks": 520,
      "verdict": "keep",
      "old_limit": 262144,
      "limit": 262144,
      "window": 32768,
      "saved_address_space": 0,
      "decided_by": "/src/app/render.cpp:14",
      "code": "bast::stack_options{.limit = 256_KiB, .window = 32_KiB}",
      "blocked_by": [
        "/src/app/render.cpp:14"
      ],
      "code_without": "bast::stack_options{.limit = 20_KiB, .window = 8_KiB}"
    }
  ],
  "reserves": {
    "signal_frame": 1776,
    "unwinding": 4096,
    "lazy_binding": 1536,
    "colouring": 960
  }
}
)");
}

TEST(WholeText, Csv) {
  EXPECT_EQ(
      export_csv(server()),
      "site,kind,uses,pending,samples,live,held,grows,p50_bytes,p90_bytes,p99_bytes,max_bytes,"
      "limit_bytes,window_bytes\r\n"
      "/src/app/parse.cpp:40,source,9002,0,9002,61,61,11,4031,22015,22015,62700,65536,32768\r\n"
      "/src/app/render.cpp:14,source,212,0,212,4,8,12,18431,31231,31231,33000,262144,32768\r\n"
      "/src/app/"
      "server.cpp:88,source,41203,0,41203,512,600,13,3135,3135,6015,9300,262144,32768\r\n");
}

TEST(WholeText, Prometheus) {
  EXPECT_EQ(
      export_prometheus(server()),
      R"(# HELP bast_stack_used_bytes Depth of sampled uses of stacks by spawn site. The buckets are exact; the sum is not recorded, and made of the middles of finer buckets.
# TYPE bast_stack_used_bytes histogram
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="1023"} 0
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="2047"} 0
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="4095"} 8000
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="8191"} 8000
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="16383"} 8000
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="32767"} 9000
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="65535"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="131071"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="262143"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="524287"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="1048575"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="4194303"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="16777215"} 9002
bast_stack_used_bytes_bucket{site="/src/app/parse.cpp:40",le="+Inf"} 9002
bast_stack_used_bytes_sum{site="/src/app/parse.cpp:40"} 53876164
bast_stack_used_bytes_count{site="/src/app/parse.cpp:40"} 9002
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="1023"} 0
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="2047"} 0
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="4095"} 0
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="8191"} 0
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="16383"} 0
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="32767"} 210
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="65535"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="131071"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="262143"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="524287"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="1048575"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="4194303"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="16777215"} 212
bast_stack_used_bytes_bucket{site="/src/app/render.cpp:14",le="+Inf"} 212
bast_stack_used_bytes_sum{site="/src/app/render.cpp:14"} 4650518
bast_stack_used_bytes_count{site="/src/app/render.cpp:14"} 212
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="1023"} 0
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="2047"} 0
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="4095"} 40000
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="8191"} 41200
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="16383"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="32767"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="65535"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="131071"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="262143"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="524287"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="1048575"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="4194303"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="16777215"} 41203
bast_stack_used_bytes_bucket{site="/src/app/server.cpp:88",le="+Inf"} 41203
bast_stack_used_bytes_sum{site="/src/app/server.cpp:88"} 131288974
bast_stack_used_bytes_count{site="/src/app/server.cpp:88"} 41203
# HELP bast_stack_used_bytes_max Deepest use since the start, of all uses.
# TYPE bast_stack_used_bytes_max gauge
bast_stack_used_bytes_max{site="/src/app/parse.cpp:40"} 62700
bast_stack_used_bytes_max{site="/src/app/render.cpp:14"} 33000
bast_stack_used_bytes_max{site="/src/app/server.cpp:88"} 9300
# HELP bast_stack_limit_bytes How far a stack of the site can grow.
# TYPE bast_stack_limit_bytes gauge
bast_stack_limit_bytes{site="/src/app/parse.cpp:40"} 65536
bast_stack_limit_bytes{site="/src/app/render.cpp:14"} 262144
bast_stack_limit_bytes{site="/src/app/server.cpp:88"} 262144
# HELP bast_stack_live Stacks in use.
# TYPE bast_stack_live gauge
bast_stack_live{site="/src/app/parse.cpp:40"} 61
bast_stack_live{site="/src/app/render.cpp:14"} 4
bast_stack_live{site="/src/app/server.cpp:88"} 512
# HELP bast_stack_uses_total Finished uses.
# TYPE bast_stack_uses_total counter
bast_stack_uses_total{site="/src/app/parse.cpp:40"} 9002
bast_stack_uses_total{site="/src/app/render.cpp:14"} 212
bast_stack_uses_total{site="/src/app/server.cpp:88"} 41203
# HELP bast_stack_grows_total Faults that opened more of a stack.
# TYPE bast_stack_grows_total counter
bast_stack_grows_total{site="/src/app/parse.cpp:40"} 11
bast_stack_grows_total{site="/src/app/render.cpp:14"} 12
bast_stack_grows_total{site="/src/app/server.cpp:88"} 13
)");
}

}  // namespace
}  // namespace bast_stacks
