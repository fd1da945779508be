// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "draw/testing/sample.hpp"
#include "model/recording.hpp"

namespace {

using namespace bast_stacks;

void draw_all(const std::string& recording) {
  EXPECT_EQ(fuzz_draw(reinterpret_cast<const std::uint8_t*>(recording.data()), recording.size()),
            0);
}

std::vector<std::string> seeds() {
  snapshot one;
  one.sites = {sample::parsing()};
  return {to_json(sample::server()), to_json(sample::hostile()), to_json(one), to_json({})};
}

TEST(FuzzDraw, EverySeedIsDrawn) {
  std::size_t number = 0;
  for (const std::string& seed : seeds()) {
    ASSERT_TRUE(from_json(seed, "seed").has_value());
    draw_all(seed);
    // BAST_SEEDS=fuzz/seeds/draw rewrites them.
    if (const char* directory = std::getenv("BAST_SEEDS"))
      std::ofstream(std::string(directory) + "/" + std::to_string(++number) + ".json") << seed;
  }
}

TEST(FuzzDraw, MutationsAreDrawnOrRefused) {
  std::mt19937 random(20261121);
  const auto below = [&random](std::size_t n) { return random() % n; };
  const std::vector<std::string> all = seeds();
  for (int round = 0; round < 400; ++round) {
    std::string text = all[below(all.size())];
    for (std::size_t changes = below(6) + 1; changes != 0; --changes) {
      const std::size_t at = below(text.size());
      const std::size_t digit = text.find_first_of("0123456789", at);
      switch (below(4)) {
        // A recording is mostly numbers: make them large, or different.
        case 0:
          if (digit != std::string::npos) text.insert(digit, std::to_string(1 + below(99'999'999)));
          break;
        case 1:
          if (digit != std::string::npos) text[digit] = static_cast<char>('0' + below(10));
          break;
        case 2: text[at] = static_cast<char>(below(256)); break;
        default: text.erase(at, below(8)); break;
      }
    }
    draw_all(text);
  }
}

}  // namespace
