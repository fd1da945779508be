// SPDX-License-Identifier: Apache-2.0
//
// Whole texts: a misplaced column, a reversed order or a doubled sum shows in no single word.
#include <gtest/gtest.h>

#include "show/report.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using testing::advised;
using testing::server;

TEST(WholeReport, BySite) {
  EXPECT_EQ(report_text(server(), {.all = true, .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   site (in KiB)   uses  live   p50   p99   max  size  margin  recommend
!! parse.cpp:40    9002    61   3.9  21.5  61.2  64.0   4.3 %  76 KiB, recursion json_value x37
   render.cpp:14    212     4  18.0  30.5  32.2   256  87.4 %  keep: 2,783 runs more
   server.cpp:88  41203   512   3.1   5.9   9.1   256  96.5 %  20 KiB

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // render.cpp:14 alone, too few runs
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:88 alone
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, BySiteInBytesByUses) {
  EXPECT_EQ(
      report_text(
          server(),
          {.sort = report_order::uses, .all = true, .exact_bytes = true, .recommend = advised}),
      R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   site (in by...   uses  live    p50    p99    max    size  margin  recommend
   server.cpp:88   41203   512   3135   6015   9300  262144  96.5 %  20 KiB
!! parse.cpp:40     9002    61   4031  22015  62700   65536   4.3 %  76 KiB, recursion json_value...
   render.cpp:14     212     4  18431  31231  33000  262144  87.4 %  keep: 2,783 runs more

could be given back: 0 B of 140312576 B of address space; 4096 B of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // render.cpp:14 alone, too few runs
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:88 alone
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, BySiteByMax) {
  EXPECT_EQ(report_text(server(), {.sort = report_order::max, .top = 2, .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   site (in KiB)  uses  live   p50   p99   max  size  margin  recommend
!! parse.cpp:40   9002    61   3.9  21.5  61.2  64.0   4.3 %  76 KiB, recursion json_value x37
   render.cpp:14   212     4  18.0  30.5  32.2   256  87.4 %  keep: 2,783 runs more
   ... 1 more: --all

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, BySiteByWaste) {
  EXPECT_EQ(
      report_text(server(), {.sort = report_order::waste, .colour = true, .recommend = advised}),
      "server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms\n"
      "crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened\n"
      "\n"
      "   site (in KiB)   uses  live   p50   p99   max  size  margin  recommend\n"
      "   server.cpp:88  41203   512   3.1   5.9   9.1   256  96.5 %  20 KiB\n"
      "   render.cpp:14    212     4  18.0  30.5  32.2   256  87.4 %  keep: 2,783 runs more\n"
      "\x1b"
      "[1;31m!! parse.cpp:40    9002    61   3.9  21.5  61.2  64.0   4.3 %  76 KiB, recursion "
      "json_value x37\x1b"
      "[0m\n"
      "\n"
      "could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks\n"
      "bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40\n"
      "keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more\n"
      "bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without "
      "render.cpp:14\n"
      "not seen: Site render.cpp:14 has 3 uses that were not measured yet.\n");
}

TEST(WholeReport, BySiteByName) {
  EXPECT_EQ(report_text(server(), {.sort = report_order::site, .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   site (in KiB)   uses  live   p50   p99   max  size  margin  recommend
!! parse.cpp:40    9002    61   3.9  21.5  61.2  64.0   4.3 %  76 KiB, recursion json_value x37
   render.cpp:14    212     4  18.0  30.5  32.2   256  87.4 %  keep: 2,783 runs more
   server.cpp:88  41203   512   3.1   5.9   9.1   256  96.5 %  20 KiB

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, ByStack) {
  EXPECT_EQ(report_text(server(), {.by = report_rows::stacks, .all = true, .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   stack (in KiB)  site           state           depth  resident  size  margin
!! 0x7f0000140000  parse.cpp:40   crashed          60.0      60.0  1280  95.3 %
   accept 1        server.cpp:88  parked   6.0 (<= 8.0)      12.0   256  97.7 %

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // render.cpp:14 alone, too few runs
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:88 alone
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, ByStackInBytesByMax) {
  EXPECT_EQ(report_text(server(), {.by = report_rows::stacks,
                                   .sort = report_order::max,
                                   .exact_bytes = true,
                                   .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   stack (in bytes)  site           state             depth  resident     size  margin
!! 0x7f0000140000    parse.cpp:40   crashed           61440     61440  1310720  95.3 %
   accept 1          server.cpp:88  parked   6144 (<= 8192)     12288   262144  97.7 %

could be given back: 0 B of 140312576 B of address space; 4096 B of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, ByPool) {
  EXPECT_EQ(report_text(server(), {.by = report_rows::pools, .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   pool (in KiB)     stacks  live  resident   max  size  margin  recommend
!! parse.cpp:10 #2       61    60      3072  61.2  64.0   4.3 %  76 KiB
   server.cpp:20 #1     520   516      6144  32.2   256  87.4 %  keep

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, ByPoolInBytesByUses) {
  EXPECT_EQ(report_text(server(), {.by = report_rows::pools,
                                   .sort = report_order::uses,
                                   .exact_bytes = true,
                                   .recommend = advised}),
            R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   pool (in bytes)   stacks  live  resident    max    size  margin  recommend
   server.cpp:20 #1     520   516   6291456  33000  262144  87.4 %  keep
!! parse.cpp:10 #2       61    60   3145728  62700   65536   4.3 %  76 KiB

could be given back: 0 B of 140312576 B of address space; 4096 B of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, ByPoolByWaste) {
  EXPECT_EQ(
      report_text(server(),
                  {.by = report_rows::pools, .sort = report_order::waste, .recommend = advised}),
      R"(server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks, seen in 1.2 ms
crashed on a stack of /src/app/parse.cpp:40: 60 KiB deep, 1.2 MiB of it can be opened

   pool (in KiB)     stacks  live  resident   max  size  margin  recommend
   server.cpp:20 #1     520   516      6144  32.2   256  87.4 %  keep
!! parse.cpp:10 #2       61    60      3072  61.2  64.0   4.3 %  76 KiB

could be given back: 0 B of 133.8 MiB of address space; 4 KiB of memory below live stacks
bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has run 2,783 times more
bast::stack_options{.limit = 20_KiB, .window = 8_KiB}  // server.cpp:20, without render.cpp:14
not seen: Site render.cpp:14 has 3 uses that were not measured yet.
)");
}

TEST(WholeReport, Explained) {
  EXPECT_EQ(explain_text(server(), "*", {.recommend = advised}),
            R"(/src/app/parse.cpp:40
  9,002 uses, 61 live stacks, 11 growth faults
  deepest 61.2 KiB of 64 KiB, margin 4.3 %
  of 9,002 samples: p50 3.9 KiB, p90 21.5 KiB, p99 21.5 KiB

  from     2 KiB        8,000  ############################################
  from     4 KiB            0  
  from     8 KiB            0  
  from    16 KiB        1,000  #####
  from    32 KiB            2  #

  backtrace at the deepest touch, 61.2 KiB, deepest call first:
    59.6 KiB  json_value (parse.cpp:51) x37
     1.6 KiB  parse (parse.cpp:41)

  recommended: 76 KiB
  in a pool of its own: bast::stack_options{.limit = 76_KiB, .window = 24_KiB}
  recursion json_value x37: +6.4 KiB

/src/app/render.cpp:14
  212 uses, 4 live stacks, 12 growth faults
  deepest 32.2 KiB of 256 KiB, margin 87.4 %
  of 212 samples: p50 18 KiB, p90 30.5 KiB, p99 30.5 KiB

  from    16 KiB          210  #################################################
  from    32 KiB            2  #

  no backtrace was recorded: the stack never grew beyond its window

  recommended: keep: 2,783 runs more

/src/app/server.cpp:88
  41,203 uses, 512 live stacks, 13 growth faults
  deepest 9.1 KiB of 256 KiB, margin 96.5 %, seen 20 min ago
  of 41,203 samples: p50 3.1 KiB, p90 3.1 KiB, p99 5.9 KiB

  from     2 KiB       40,000  ################################################
  from     4 KiB        1,200  #
  from     8 KiB            3  #

  backtrace at the deepest touch, 9.1 KiB, deepest call first:
       300 B  memcpy (server+0x112c)
     7.8 KiB  read_request (in.cpp:7)
      1000 B  accept_loop (server.cpp:90)

  recommended: 20 KiB
  in a pool of its own: bast::stack_options{.limit = 20_KiB, .window = 8_KiB}
)");
}

TEST(WholeReport, ExplainedInBytes) {
  EXPECT_EQ(explain_text(server(), "server.cpp:*", {.exact_bytes = true, .recommend = advised}),
            R"(/src/app/server.cpp:88
  41,203 uses, 512 live stacks, 13 growth faults
  deepest 9300 B of 262144 B, margin 96.5 %, seen 20 min ago
  of 41,203 samples: p50 3135 B, p90 3135 B, p99 6015 B

  from    2048 B       40,000  ################################################
  from    4096 B        1,200  #
  from    8192 B            3  #

  backtrace at the deepest touch, 9300 B, deepest call first:
       300 B  memcpy (server+0x112c)
      8000 B  read_request (in.cpp:7)
      1000 B  accept_loop (server.cpp:90)

  recommended: 20 KiB
  in a pool of its own: bast::stack_options{.limit = 20_KiB, .window = 8_KiB}
)");
}

}  // namespace
}  // namespace bast_stacks
