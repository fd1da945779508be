// SPDX-License-Identifier: Apache-2.0
//
// Whole texts: a misplaced column, a reversed order or a doubled sum shows in no single word.
#include <gtest/gtest.h>

#include "show/budget.hpp"
#include "show/check.hpp"
#include "show/diff.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using testing::server;
using testing::server_later;

budget_file budgets() {
  return parse_budgets(
             "[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"60 KiB\"\np99 = \"22 KiB\"\n"
             "[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\np99 = \"5 KiB\"\n"
             "uses_min = 50000\n",
             "stack.toml")
      .value();
}

std::string checked(check_format format) {
  return check_text(server(), budgets(), check(server(), budgets()), format);
}

TEST(WholeComparison, Difference) {
  EXPECT_EQ(diff_text(server(), server_later()),
            R"(   site (in KiB)  change           max           p99            uses
!! server.cpp:88  grew     9.1 -> 39.1           5.9  41203 -> 41208
   new.cpp:3      new              0.5           0.5               9
   render.cpp:14  shrank  32.2 -> 19.5  30.5 -> 19.5             212
   parse.cpp:40   gone            61.2          21.5            9002
)");
}

TEST(WholeComparison, DifferenceInBytes) {
  EXPECT_EQ(diff_text(server(), server_later(), {.all = true, .exact_bytes = true}),
            R"(   site (in bytes)  change             max             p99            uses
!! server.cpp:88    grew     9300 -> 40000            6015  41203 -> 41208
   new.cpp:3        new                500             500               9
   render.cpp:14    shrank  33000 -> 20000  31231 -> 20000             212
   parse.cpp:40     gone             62700           22015            9002
)");
}

TEST(WholeComparison, DifferenceJson) {
  EXPECT_EQ(diff_json(server(), server_later()),
            R"({
  "format": "bast-stacks difference",
  "version": 1,
  "incomparable": [],
  "sites": [
    {
      "change": "grew",
      "before": {
        "site": "/src/app/server.cpp:88",
        "max": 9300,
        "p99": 6015,
        "p50": 3135,
        "uses": 41203,
        "limit": 262144
      },
      "after": {
        "site": "/src/app/server.cpp:88",
        "max": 40000,
        "p99": 6015,
        "p50": 3135,
        "uses": 41208,
        "limit": 262144
      }
    },
    {
      "change": "new",
      "before": null,
      "after": {
        "site": "/src/app/new.cpp:3",
        "max": 500,
        "p99": 500,
        "p50": 500,
        "uses": 9,
        "limit": 262144
      }
    },
    {
      "change": "shrank",
      "before": {
        "site": "/src/app/render.cpp:14",
        "max": 33000,
        "p99": 31231,
        "p50": 18431,
        "uses": 212,
        "limit": 262144
      },
      "after": {
        "site": "/src/app/render.cpp:14",
        "max": 20000,
        "p99": 20000,
        "p50": 18431,
        "uses": 212,
        "limit": 262144
      }
    },
    {
      "change": "gone",
      "before": {
        "site": "/src/app/parse.cpp:40",
        "max": 62700,
        "p99": 22015,
        "p50": 4031,
        "uses": 9002,
        "limit": 65536
      },
      "after": null
    }
  ]
}
)");
}

TEST(WholeComparison, CheckText) {
  EXPECT_EQ(checked(check_format::text),
            R"(over budget: /src/app/parse.cpp:40: max 61.2 KiB, 60 KiB allowed (stack.toml:2)
    59.6 KiB  json_value (parse.cpp:51) x37
     1.6 KiB  parse (parse.cpp:41)
over budget: /src/app/server.cpp:88: p99 5.9 KiB, 5 KiB allowed (stack.toml:6)
       300 B  memcpy (server+0x112c)
     7.8 KiB  read_request (in.cpp:7)
      1000 B  accept_loop (server.cpp:90)
over budget: /src/app/server.cpp:88: 41,203 uses seen, 50,000 needed (stack.toml:6)
2 budgets, 2 sites: 3 over; 1 site without a budget
)");
}

TEST(WholeComparison, CheckJunit) {
  EXPECT_EQ(checked(check_format::junit),
            R"~(<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
<testsuite name="bast-stacks" tests="5" failures="3">
<testcase classname="stack.toml" name="/src/app/parse.cpp:40 max">
<failure message="max 61.2 KiB, 60 KiB allowed (stack.toml:2)">
    59.6 KiB  json_value (parse.cpp:51) x37
     1.6 KiB  parse (parse.cpp:41)
</failure>
</testcase>
<testcase classname="stack.toml" name="/src/app/parse.cpp:40 p99"/>
<testcase classname="stack.toml" name="/src/app/server.cpp:88 max"/>
<testcase classname="stack.toml" name="/src/app/server.cpp:88 p99">
<failure message="p99 5.9 KiB, 5 KiB allowed (stack.toml:6)">
       300 B  memcpy (server+0x112c)
     7.8 KiB  read_request (in.cpp:7)
      1000 B  accept_loop (server.cpp:90)
</failure>
</testcase>
<testcase classname="stack.toml" name="/src/app/server.cpp:88 uses">
<failure message="41,203 uses seen, 50,000 needed (stack.toml:6)">
</failure>
</testcase>
</testsuite>
</testsuites>
)~");
}

TEST(WholeComparison, CheckSarif) {
  EXPECT_EQ(checked(check_format::sarif),
            R"~({
  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
  "version": "2.1.0",
  "runs": [
    {
      "tool": {
        "driver": {
          "name": "bast-stacks",
          "rules": [
            {
              "id": "stack-max",
              "shortDescription": {
                "text": "The deepest use of a spawn site is over its budget."
              }
            },
            {
              "id": "stack-p99",
              "shortDescription": {
                "text": "The 99th percentile of a spawn site is over its budget."
              }
            },
            {
              "id": "stack-uses",
              "shortDescription": {
                "text": "A spawn site ran too few times to prove its budget."
              }
            },
            {
              "id": "stack-overflow",
              "shortDescription": {
                "text": "A use of a spawn site needed more than its stack."
              }
            },
            {
              "id": "stack-unmatched",
              "shortDescription": {
                "text": "A budget matches no spawn site."
              }
            }
          ]
        }
      },
      "results": [
        {
          "ruleId": "stack-max",
          "level": "error",
          "message": {
            "text": "/src/app/parse.cpp:40: max 61.2 KiB, 60 KiB allowed (stack.toml:2)\n    59.6 KiB  json_value (parse.cpp:51) x37\n     1.6 KiB  parse (parse.cpp:41)\n"
          },
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "/src/app/parse.cpp"
                },
                "region": {
                  "startLine": 40
                }
              }
            }
          ]
        },
        {
          "ruleId": "stack-p99",
          "level": "error",
          "message": {
            "text": "/src/app/server.cpp:88: p99 5.9 KiB, 5 KiB allowed (stack.toml:6)\n       300 B  memcpy (server+0x112c)\n     7.8 KiB  read_request (in.cpp:7)\n      1000 B  accept_loop (server.cpp:90)\n"
          },
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "/src/app/server.cpp"
                },
                "region": {
                  "startLine": 88
                }
              }
            }
          ]
        },
        {
          "ruleId": "stack-uses",
          "level": "error",
          "message": {
            "text": "/src/app/server.cpp:88: 41,203 uses seen, 50,000 needed (stack.toml:6)"
          },
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "/src/app/server.cpp"
                },
                "region": {
                  "startLine": 88
                }
              }
            }
          ]
        }
      ]
    }
  ]
}
)~");
}

TEST(WholeComparison, CheckGithub) {
  EXPECT_EQ(
      checked(check_format::github),
      R"(::error file=/src/app/parse.cpp,line=40,title=stack over budget::/src/app/parse.cpp:40: max 61.2 KiB, 60 KiB allowed (stack.toml:2)%0A    59.6 KiB  json_value (parse.cpp:51) x37%0A     1.6 KiB  parse (parse.cpp:41)%0A
::error file=/src/app/server.cpp,line=88,title=stack over budget::/src/app/server.cpp:88: p99 5.9 KiB, 5 KiB allowed (stack.toml:6)%0A       300 B  memcpy (server+0x112c)%0A     7.8 KiB  read_request (in.cpp:7)%0A      1000 B  accept_loop (server.cpp:90)%0A
::error file=/src/app/server.cpp,line=88,title=stack over budget::/src/app/server.cpp:88: 41,203 uses seen, 50,000 needed (stack.toml:6)
)");
}

TEST(WholeComparison, UpdatedBudgets) {
  EXPECT_EQ(
      budgets_text(updated(server(), budgets(), 0.25)),
      R"(# What each spawn site may use of its stack; `bast-stacks check --update` rewrites this file.

[[budget]]
site = "parse.cpp:*"
max = "77 KiB"
p99 = "27 KiB"

[[budget]]
site = "server.cpp:*"
max = "12 KiB"
p99 = "8 KiB"
uses_min = 50000

[[budget]]
site = "render.cpp:14"
max = "41 KiB"
)");
}

}  // namespace
}  // namespace bast_stacks
