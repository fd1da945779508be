// SPDX-License-Identifier: Apache-2.0
//
// The fuzz targets on seeds and their mutations, in every build.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "inspector/targets.hpp"

namespace bast_stacks {
namespace {

using byte_list = std::vector<std::uint8_t>;
using target = int (*)(const std::uint8_t*, std::size_t);

byte_list read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<byte_list> seeds(const std::string& name) {
  std::vector<byte_list> all;
  for (const auto& entry : std::filesystem::directory_iterator(BAST_SEEDS "/" + name))
    all.push_back(read(entry.path()));
  std::ranges::sort(all);
  return all;
}

void mutate(byte_list& input, std::mt19937& random) {
  for (unsigned change = 1 + random() % 8; change > 0 && !input.empty(); --change) {
    const auto at = random() % input.size();
    switch (random() % 4) {
      case 0: input[at] = static_cast<std::uint8_t>(random()); break;
      case 1: input[at] ^= static_cast<std::uint8_t>(1U << random() % 8); break;
      case 2: input[at] = random() % 2 == 0 ? 0xff : 0x00; break;
      default: input.resize(at + 1);
    }
  }
}

void run(target function, const std::vector<byte_list>& inputs, int rounds) {
  ASSERT_FALSE(inputs.empty());
  std::mt19937 random(11);
  for (const auto& seed : inputs) {
    EXPECT_EQ(function(seed.data(), seed.size()), 0);
    for (int round = 0; round < rounds; ++round) {
      auto input = seed;
      mutate(input, random);
      EXPECT_EQ(function(input.data(), input.size()), 0);
    }
  }
}

TEST(FuzzElfFrames, HoldsForSeedsAndMutations) {
  auto inputs = seeds("elf_frames");
  inputs.push_back(read(BAST_KNOWN_FRAMES));
  run(fuzz_elf_frames, inputs, 300);
}

TEST(FuzzSuCi, HoldsForSeedsAndMutations) { run(fuzz_su_ci, seeds("su_ci"), 2000); }

}  // namespace
}  // namespace bast_stacks
