// SPDX-License-Identifier: Apache-2.0
#include "model/recording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "model/names.hpp"
#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// The error for the sample's document after `change`.
std::string error_after(const std::function<void(json&)>& change) {
  json document = json::parse(to_json(test::sample_server()));
  change(document);
  const auto read = from_json(document.dump(), "x.json");
  if (read.has_value()) return "no error";
  EXPECT_EQ(read.error().status, 3);
  return read.error().what;
}

TEST(Recording, RoundTripKeepsEverything) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 300; ++i) {
    const snapshot before = test::random_snapshot(random);
    const std::string once = to_json(before);
    const auto after = from_json(once, "x.json");
    ASSERT_TRUE(after.has_value()) << after.error().what << '\n' << once;
    ASSERT_EQ(to_json(*after), once);
  }
}

// The property above trusts the writer; this test checks the members.
TEST(Recording, ReadsWhatWasWritten) {
  const snapshot before = test::sample_server();
  const auto after = from_json(to_json(before), "x.json");
  ASSERT_TRUE(after.has_value()) << after.error().what;
  EXPECT_EQ(after->from, source_kind::recording);
  EXPECT_EQ(after->what, "x.json");
  EXPECT_EQ(after->program, before.program);
  EXPECT_EQ(after->not_seen, before.not_seen);
  ASSERT_EQ(after->sites.size(), 3u);
  EXPECT_EQ(after->sites[2].where, "/src/app/server.cpp");
  EXPECT_EQ(after->sites[2].kind, bast::watch::site_kind::source);
  EXPECT_EQ(after->sites[2].histogram.size(), before.sites[2].histogram.size());
  EXPECT_EQ(after->sites[2].histogram[1].index, before.sites[2].histogram[1].index);
  EXPECT_EQ(after->sites[2].deepest.frames[1].function, "read_request");
  EXPECT_EQ(after->pools[1].limit, 65536u);
  EXPECT_EQ(after->stacks[0].depth_at_most, 8192u);
  EXPECT_EQ(after->stacks[0].state, bast::watch::coro_state::suspended);
}

TEST(Recording, BuildFlagsAreWords) {
  snapshot s;
  s.built = bast::watch::built_address_sanitizer | std::uint64_t{1} << 40;
  const std::string text = to_json(s);
  EXPECT_THAT(text, HasSubstr("\"address_sanitizer\""));
  EXPECT_THAT(text, HasSubstr("\"bit_40\""));
  EXPECT_EQ(from_json(text, "x").value().built, s.built);
  EXPECT_FALSE(built_bit("bit_64").has_value());
  EXPECT_FALSE(built_bit("bit_").has_value());
  EXPECT_FALSE(built_bit("bit_1x").has_value());
}

TEST(Recording, TextThatIsNotUtf8IsReplaced) {
  snapshot s = test::sample_server();
  s.sites[0].where = "caf\xe9";
  const auto read = from_json(to_json(s), "x");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sites[0].where, "caf\xef\xbf\xbd");
}

TEST(Recording, UnknownMembersAreIgnored) {
  EXPECT_EQ(error_after([](json& d) { d["sites"][0]["new"] = {1, 2}; }), "no error");
}

TEST(Recording, ErrorsNameThePlace) {
  const auto expect = [](const char* words, const std::function<void(json&)>& change) {
    EXPECT_THAT(error_after(change), HasSubstr(words));
  };
  expect("x.json: sites[2].uses: expected a whole number from 0 to 18446744073709551615",
         [](json& d) { d["sites"][2]["uses"] = "3"; });
  expect("x.json: sites[0].line: expected a whole number from 0 to 4294967295",
         [](json& d) { d["sites"][0]["line"] = 1ULL << 32; });
  expect("x.json: sites[1].max: is missing", [](json& d) { d["sites"][1].erase("max"); });
  expect("x.json: sites[0].max: expected", [](json& d) { d["sites"][0]["max"] = -1; });
  expect("x.json: sites[0].max: expected", [](json& d) { d["sites"][0]["max"] = 1e300; });
  expect("x.json: sites[0].where: expected a string",
         [](json& d) { d["sites"][0]["where"] = json::array(); });
  expect("x.json: sites: expected an array", [](json& d) { d["sites"] = 1; });
  expect("x.json: sites[0]: expected an object", [](json& d) { d["sites"][0] = nullptr; });
  expect("x.json: sites[0].kind: expected \"source\"", [](json& d) { d["sites"][0]["kind"] = 3; });
  expect("x.json: sites[2].deepest.frames[1].confirmed: expected true or false",
         [](json& d) { d["sites"][2]["deepest"]["frames"][1]["confirmed"] = 1; });
  expect("x.json: sites[0].histogram[0].low: begins no bucket",
         [](json& d) { d["sites"][0]["histogram"][0]["low"] = 1; });
  expect("x.json: sites[0].histogram[1].low: expected ascending buckets",
         [](json& d) { d["sites"][0]["histogram"][1] = d["sites"][0]["histogram"][0]; });
  expect("x.json: sites[2].deepest.inner: there are only 3 frames",
         [](json& d) { d["sites"][2]["deepest"]["inner"] = 4; });
  expect("x.json: stacks[1].site: there are only 3 sites",
         [](json& d) { d["stacks"][1]["site"] = 3; });
  expect("x.json: built[0]: is not a build flag", [](json& d) { d["built"] = {"fast"}; });
  expect("x.json: page_bytes: expected a power of two", [](json& d) { d["page_bytes"] = 0; });
}

TEST(Recording, AnotherVersionIsRefusedWithBothNamed) {
  EXPECT_EQ(error_after([](json& d) { d["version"] = 2; }),
            "x.json: version: is 2, this program reads version 1");
  EXPECT_EQ(error_after([](json& d) { d.erase("version"); }),
            "x.json: version: expected a whole number");
  EXPECT_THAT(error_after([](json& d) { d["format"] = "perf"; }), HasSubstr("is not a recording"));
  EXPECT_THAT(error_after([](json& d) { d = json::array(); }), HasSubstr("is not a recording"));
}

TEST(Recording, TextThatIsNoJsonIsRefusedWithLineAndColumn) {
  const auto read = from_json("{\n\"format\": }", "x.json");
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().what, HasSubstr("x.json: parse error at line 2, column 11"));
  EXPECT_FALSE(from_json("", "x").has_value());
  EXPECT_FALSE(from_json("{\"a\": 1e999}", "x").has_value());
}

TEST(Recording, DeepNestingIsRefused) {
  const auto read = from_json(std::string(10'000'000, '['), "x.json");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().what, "x.json: is nested too deeply");
}

// In quadratic time this would exceed the time limit of every test.
TEST(Recording, TensOfThousandsOfStacksAreReadInTheirOrder) {
  snapshot before = test::sample_server();
  before.stacks.resize(50'000, before.stacks[0]);
  before.stacks.back().name = "last";
  const auto after = from_json(to_json(before), "x.json");
  ASSERT_TRUE(after.has_value());
  ASSERT_EQ(after->stacks.size(), before.stacks.size());
  EXPECT_EQ(after->stacks.back().name, "last");
}

}  // namespace
}  // namespace bast_stacks
