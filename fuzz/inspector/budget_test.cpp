// SPDX-License-Identifier: Apache-2.0
//
// The target of budget files: its seeds, and mutations of one.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "bast/testing/random.hpp"
#include "inspector/targets.hpp"
#include "show/budget.hpp"

namespace bast_stacks {
namespace {

TEST(FuzzBudget, SeedsOfTheFuzzerAreBudgets) {
  std::size_t seeds = 0;
  for (const auto& file : std::filesystem::directory_iterator(BAST_SEEDS "/budget")) {
    std::ostringstream text;
    text << std::ifstream(file.path(), std::ios::binary).rdbuf();
    const std::string bytes = text.str();
    const auto read = parse_budgets(bytes, file.path().string());
    EXPECT_TRUE(read.has_value()) << read.error().what;
    EXPECT_EQ(fuzz_budget(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    ++seeds;
  }
  EXPECT_GE(seeds, 2u);
}

TEST(FuzzBudget, MutationsNeverBreakTheReader) {
  auto random = bast::test::random_numbers::of_this_test();
  const std::string seed =
      "# h\n[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\np99 = \"1.5 MiB\"\n"
      "uses_min = 1000\n\n[[budget]]\nsite = 'label'\nmax = \"1 B\"\n";
  static constexpr std::string_view pieces[] = {"[[budget]]", "\"",  "'''", "=",   "\n",
                                                "#",          "{",   "}",   ",",   ".",
                                                "\\u0000",    "1e9", "0x",  "\xff"};
  for (int i = 0; i < 3000; ++i) {
    std::string text = seed;
    for (std::uint64_t n = 1 + random.below(4); n != 0; --n) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0: text.insert(at, pieces[random.below(std::size(pieces))]); break;
        case 1: text.erase(at, 1 + random.below(9)); break;
        default: text[at] = static_cast<char>(random.next()); break;
      }
      if (text.empty()) text = " ";
    }
    EXPECT_EQ(fuzz_budget(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 0);
  }
}

}  // namespace
}  // namespace bast_stacks
