// SPDX-License-Identifier: Apache-2.0
//
// A recording in which each member has a distinct value: written, compared with a file, and read
// back. And all refusals, with each bound from both sides.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "model/names.hpp"
#include "model/recording.hpp"
#include "model/test_record_text.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using nlohmann::json;
using test::error_text;
using test::record_text;

snapshot numbered_snapshot() {
  snapshot s;
  s.pid = 1;
  s.program = "/program";
  s.library = "bast 2";
  s.compiler = "gcc 3";
  s.machine = 183;
  s.page_bytes = 16'384;
  s.built = 0x8000'0000'0000'01ff;
  s.modes = 3;
  s.runtime_ns = 4;
  s.overhead_ns = 5;
  s.not_seen = {"this", "and that"};
  s.modules = {{.path = "/m", .build_id = "6a", .base = 7, .low = 8, .high = 9, .here = "/proc"}};
  pool p{.id = 10, .owner_thread = 11, .where = "p.cpp:12"};
  p.limit = 13;
  p.guard = 14;
  p.window = 15;
  p.retain = 16;
  p.budget = 17;
  p.scrub = 2;
  p.growth = 1;
  p.measured = false;
  p.stacks = 18;
  p.live = 19;
  p.resident = 20;
  s.pools = {p, {.id = 21, .where = {}}};
  site one;
  one.kind = bast::watch::site_kind::source;
  one.where = "s.cpp";
  one.where_is_cut = true;
  one.line = 22;
  one.column = 23;
  one.uses = 24;
  one.pending = 25;
  one.samples = 26;
  one.grows = 27;
  one.max = 28;
  one.max_age_ns = 29;
  one.live = 30;
  one.held = 31;
  one.limit = 32;
  one.window = 33;
  one.pools = {10, 21};
  one.histogram = {{0, 34}, {63, 35}, {64, 36}, {511, 37}};
  frame f{.pc = 38, .function = "f()", .file = "f.cpp", .line = 39, .module = "m"};
  f.module_offset = 40;
  f.stack_bytes = 41;
  f.confirmed = true;
  one.deepest = {.depth = 42, .frames = {f, {}}, .inner = 1, .omitted_bytes = 43};
  site label;
  label.kind = bast::watch::site_kind::label;
  label.where = "worker";
  site other;
  other.where = "(other)";
  s.sites = {one, label, other};
  live_stack l{.pool = 10, .site = 2, .name = "l"};
  l.top = 1044;
  l.low = 45;
  l.open_low = 46;
  l.depth = 47;
  l.depth_at_most = 48;
  l.resident = 49;
  l.shared_with_earlier = true;
  l.scanned = true;
  l.sp = 50;
  l.pc = 51;
  l.fp = 52;
  l.coro = 53;
  l.state = bast::watch::coro_state::retired;
  l.parked = true;
  l.crashed = true;
  s.stacks = {l, {}};
  return s;
}

TEST(RecordingWhole, EachMemberIsWrittenInItsPlace) {
  test::expect_whole("model/whole/recording.json", to_json(numbered_snapshot()));
  test::expect_whole("model/whole/recording_of_nothing.json", to_json({}));
}

TEST(RecordingWhole, EachMemberIsReadFromItsPlace) {
  for (snapshot before : {numbered_snapshot(), snapshot()}) {
    const auto after = from_json(to_json(before), "x.json");
    ASSERT_TRUE(after) << error_text(after);
    before.from = source_kind::recording;
    before.what = "x.json";
    for (module& each : before.modules) each.here.clear();  // not recorded
    EXPECT_EQ(record_text(*after), record_text(before));
    EXPECT_EQ(after->overhead_ns, before.overhead_ns);
    for (std::size_t i = 0; i < before.stacks.size(); ++i) {
      EXPECT_EQ(after->stacks[i].top, before.stacks[i].top);
      EXPECT_EQ(after->stacks[i].coro, before.stacks[i].coro);
    }
  }
}

std::string refusal_after(const std::function<void(json&)>& change) {
  json document = json::parse(to_json(numbered_snapshot()));
  change(document);
  return error_text(from_json(document.dump(), "x"));
}

/// Each member of each record, missing or of another type: only some may be missing.
TEST(RecordingWhole, EachMemberIsRequiredOrIsNot) {
  const json whole = json::parse(to_json(numbered_snapshot()));
  std::string said;
  const auto go_through = [&](const std::string& place, const json::json_pointer& at) {
    for (const auto& [name, value] : whole[at].items()) {
      if (place.empty() && (name == "format" || name == "version")) continue;
      const auto with = [&](const json& put) {
        return refusal_after([&](json& d) {
          if (put.is_discarded()) {
            d[at].erase(name);
          } else {
            d[at][name] = put;
          }
        });
      };
      said += fmt::format("{}{}\n  without: {}\n  null:    {}\n", place, name,
                          with(json(json::value_t::discarded)), with(nullptr));
    }
  };
  go_through("", json::json_pointer(""));
  go_through("module ", json::json_pointer("/modules/0"));
  go_through("pool ", json::json_pointer("/pools/0"));
  go_through("site ", json::json_pointer("/sites/0"));
  go_through("bucket ", json::json_pointer("/sites/0/histogram/1"));
  go_through("backtrace ", json::json_pointer("/sites/0/deepest"));
  go_through("frame ", json::json_pointer("/sites/0/deepest/frames/0"));
  go_through("stack ", json::json_pointer("/stacks/0"));
  test::expect_whole("model/whole/recording_members.txt", said);
}

TEST(RecordingWhole, NumbersAreAsLargeAsTheirPlace) {
  const auto with = [](const char* at, const json& value) {
    return refusal_after([&](json& d) { d[json::json_pointer(at)] = value; });
  };
  EXPECT_EQ(with("/machine", 65'535), "fine");
  EXPECT_EQ(with("/machine", 65'536), "3 x: machine: expected a whole number from 0 to 65535");
  EXPECT_EQ(with("/pools/0/scrub", 255), "fine");
  EXPECT_EQ(with("/pools/0/scrub", 256),
            "3 x: pools[0].scrub: expected a whole number from 0 to 255");
  EXPECT_EQ(with("/sites/0/line", UINT32_MAX), "fine");
  EXPECT_EQ(with("/pid", UINT64_MAX), "fine");
  for (const std::uint32_t page : {512U, 1024U, 1U << 31})
    EXPECT_EQ(with("/page_bytes", page), "fine") << page;
  for (const std::uint32_t page : {0U, 1U, 256U, 511U, 513U, 1536U, 4095U})
    EXPECT_EQ(with("/page_bytes", page), "3 x: page_bytes: expected a power of two from 512");
  EXPECT_EQ(with("/sites/0/deepest/inner", 2), "fine");
  EXPECT_EQ(with("/sites/0/deepest/inner", 3),
            "3 x: sites[0].deepest.inner: there are only 2 frames");
  EXPECT_EQ(with("/stacks/1/site", 2), "fine");
  EXPECT_EQ(with("/stacks/1/site", 3), "3 x: stacks[1].site: there are only 3 sites");
  EXPECT_EQ(with("/stacks/0/depth", 48), "fine");
  EXPECT_EQ(with("/stacks/0/depth", 49), "3 x: stacks[0].depth: is more than depth_at_most");
  EXPECT_EQ(with("/stacks/1/depth", 49), "fine");  // not scanned
  EXPECT_EQ(with("/sites/0/histogram/3/low", 4096),
            "3 x: sites[0].histogram[3].low: expected ascending buckets");
  EXPECT_EQ(with("/sites/0/histogram/1/low", 0),
            "3 x: sites[0].histogram[1].low: expected ascending buckets");
  EXPECT_EQ(with("/sites/0/histogram/1/low", 65),
            "3 x: sites[0].histogram[1].low: begins no bucket");
}

TEST(RecordingWhole, ItsDeepestStackIsLeftOutWhenThereIsNone) {
  snapshot s;
  s.sites.resize(1);
  const auto has_one = [&] { return json::parse(to_json(s))["sites"][0].contains("deepest"); };
  EXPECT_FALSE(has_one());
  s.sites[0].deepest.inner = 1;
  s.sites[0].deepest.omitted_bytes = 5;
  EXPECT_FALSE(has_one());
  s.sites[0].deepest.depth = 1;
  EXPECT_TRUE(has_one());
  s.sites[0].deepest.depth = 0;
  s.sites[0].deepest.frames.resize(1);
  EXPECT_TRUE(has_one());
}

TEST(RecordingWhole, NestingHasABound) {
  const auto nested = [](std::size_t more) {
    json inner = 1;
    for (; more != 0; --more) inner = json::array({inner});
    return refusal_after([&](json& d) { d["unknown"] = inner; });
  };
  EXPECT_EQ(nested(15), "fine");  // 16 including the document's
  EXPECT_EQ(nested(16), "3 x: is nested too deeply");
  // Closed levels do not count.
  json beside = json::array();
  for (int i = 0; i < 40; ++i) beside.push_back({{"a", json::array()}});
  EXPECT_EQ(refusal_after([&](json& d) { d["unknown"] = beside; }), "fine");
}

TEST(RecordingWhole, AFormatIsNamed) {
  const std::string no_recording =
      "3 x: is not a recording: no \"format\": \"bast-stacks recording\"";
  EXPECT_EQ(refusal_after([](json& d) { d.erase("format"); }), no_recording);
  EXPECT_EQ(refusal_after([](json& d) { d["format"] = 1; }), no_recording);
  EXPECT_EQ(error_text(from_json("[]", "x")), no_recording);
  EXPECT_EQ(error_text(from_json("1", "x")), no_recording);
  EXPECT_EQ(refusal_after([](json& d) { d["version"] = "1"; }),
            "3 x: version: expected a whole number");
  EXPECT_EQ(refusal_after([](json& d) { d["version"] = -1; }),
            "3 x: version: expected a whole number");
  EXPECT_EQ(refusal_after([](json& d) { d["version"] = 0; }),
            "3 x: version: is 0, this program reads version 1");
  const std::string nothing = error_text(from_json("", "x"));
  EXPECT_EQ(nothing.substr(0, 39), "3 x: parse error at line 1, column 1: s");  // json's own words
}

TEST(Names, OfEachKindStateAndFlag) {
  using bast::watch::coro_state;
  using bast::watch::site_kind;
  std::string all;
  for (std::uint32_t i = 0; i <= 3; ++i) all += fmt::format("{} ", name_of(site_kind{i}));
  for (std::uint8_t i = 0; i <= 6; ++i) all += fmt::format("{} ", name_of(coro_state{i}));
  EXPECT_EQ(all, "other source label other free ready running suspended finished retired free ");
  for (std::uint32_t i = 0; i < 3; ++i)
    EXPECT_EQ(site_kind_of(name_of(site_kind{i})), site_kind{i});
  for (std::uint8_t i = 0; i < 6; ++i)
    EXPECT_EQ(coro_state_of(name_of(coro_state{i})), coro_state{i});
  EXPECT_FALSE(site_kind_of("label "));
  EXPECT_FALSE(coro_state_of(""));
  EXPECT_EQ(fmt::format("{}", fmt::join(built_names(0x8000'0000'0000'03ff), " ")),
            "assertions hardened address_sanitizer thread_sanitizer memory_sanitizer "
            "undefined_sanitizer valgrind unoptimized coverage bit_9 bit_63");
  for (std::size_t bit = 0; bit < 64; ++bit) {
    const std::uint64_t flag = std::uint64_t{1} << bit;
    EXPECT_EQ(built_bit(built_names(flag).at(0)), flag);
    EXPECT_EQ(built_bit(fmt::format("bit_{}", bit)), flag);
  }
  for (const char* const none : {"bit_64", "bit_", "bit_x", "bit", "", "coverag", "bit_-1"})
    EXPECT_FALSE(built_bit(none)) << none;
  EXPECT_TRUE(built_names(0).empty());
}

}  // namespace
}  // namespace bast_stacks
