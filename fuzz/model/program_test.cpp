// SPDX-License-Identifier: Apache-2.0
//
// Programs survive writing and parsing in both forms, and every byte string is one.
#include "model/program.hpp"

#include <gtest/gtest.h>

#include "bast/testing/random.hpp"
#include "model/growth_language.hpp"
#include "model/pool_language.hpp"
#include "model/target.hpp"

namespace bast::model {
namespace {

program random_program(test::random_numbers& random, const language& words, std::size_t count) {
  return generate([&] { return random.next(); }, words, count);
}

TEST(Program, BytesAndTextComeBackAsTheyWere) {
  auto random = test::random_numbers::of_this_test();
  for (const target& t : targets()) {
    for (std::size_t count = 0; count < 200; ++count) {
      const program p = random_program(random, t.words, count);
      const auto decoded = decode(encode(p), t.words);
      ASSERT_TRUE(decoded.has_value());
      EXPECT_EQ(*decoded, p);
      auto parsed = parse(print(p, t.words), t.words);
      ASSERT_TRUE(parsed.has_value()) << parsed.error();
      EXPECT_EQ(parsed->ops, p.ops);
      EXPECT_EQ(print(*parsed, t.words), print(p, t.words));
    }
  }
}

TEST(Program, EveryByteStringOfThisVersionIsOne) {
  auto random = test::random_numbers::of_this_test();
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::uint8_t> bytes(random.below(64));
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random.next());
    if (!bytes.empty()) bytes[0] = format_version;
    const auto p = decode(bytes, pool_language);
    ASSERT_TRUE(p.has_value());
    for (const op& o : p->ops) {
      EXPECT_LT(o.kind, pool_op_kinds);
      EXPECT_LT(o.who, subjects_max);
      EXPECT_LE(o.value, pool_language.words[o.kind].value_max);
    }
  }
}

TEST(Program, AnotherVersionIsRefused) {
  const std::uint8_t other[] = {format_version + 1, 0, 0};
  EXPECT_EQ(decode(other, pool_language).error(), "the input is of another format version");
}

TEST(Program, TheMaskLeavesKindsOut) {
  program p{.ops = {{.kind = 0, .who = 1}, {.kind = 4, .who = 1}, {.kind = 13}}};
  p.allowed = 1U << 4;
  const auto decoded = decode(encode(p), pool_language);
  ASSERT_EQ(decoded->ops.size(), 1U);
  EXPECT_EQ(decoded->ops[0].kind, 4);
}

TEST(Program, LongInputsAreCut) {
  program p;
  p.ops.resize(ops_max + 5);
  EXPECT_EQ(decode(encode(p), pool_language)->ops.size(), ops_max);
}

TEST(Program, AWrongTextIsNamedByItsLine) {
  const auto complaint = [](const char* text) { return parse(text, pool_language).error(); };
  EXPECT_EQ(complaint(""), "line 0: the text is empty");
  EXPECT_EQ(complaint("acquire 1"), "line 1: expected \"bast-ops 1 pool\"");
  EXPECT_EQ(complaint("bast-ops 1 growth"), "line 1: a program for 'growth', not for 'pool'");
  EXPECT_EQ(complaint("bast-ops 1 pool\n\nfly 1"), "line 3: unknown operation 'fly'");
  EXPECT_EQ(complaint("bast-ops 1 pool\nacquire 16"),
            "line 2: 'acquire' needs a subject from 0 to 15");
  EXPECT_EQ(complaint("bast-ops 1 pool\nreserve 32"), "line 2: 'reserve' needs a value up to 31");
  EXPECT_EQ(complaint("bast-ops 1 pool\nshrink 1"), "line 2: too many words");
  EXPECT_EQ(complaint("bast-ops 1 pool\noptions scrub=4"), "line 2: 'scrub=4' is out of range");
  EXPECT_EQ(complaint("bast-ops 1 pool\noptions speed=1"), "line 2: unknown option 'speed=1'");
}

TEST(Program, CommentsAndOptionsAreRead) {
  const auto p =
      parse("# why\nbast-ops 1 pool\noptions max=2 scrub=1 # all of them\nshrink\n", pool_language);
  ASSERT_TRUE(p.has_value()) << p.error();
  EXPECT_EQ(pool_language.option(p->options, "scrub"), 1U);
  EXPECT_EQ(pool_language.option(p->options, "max"), 2U);
  EXPECT_EQ(pool_options(p->options).max_coros, 12U);
  ASSERT_EQ(p->ops.size(), 1U);
}

TEST(Program, RandomProgramsRunOnEveryTarget) {
  auto random = test::random_numbers::of_this_test();
  for (const target& t : targets()) {
    if (std::string_view(t.name) == "canary") continue;
    for (int i = 0; i < 200; ++i) {
      const program p = random_program(random, t.words, 1 + random.below(100));
      const run_result out = t.run(p, {});
      ASSERT_EQ(out.complaint, "") << print(p, t.words);
    }
  }
}

}  // namespace
}  // namespace bast::model
