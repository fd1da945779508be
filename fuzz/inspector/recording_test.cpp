// SPDX-License-Identifier: Apache-2.0
//
// The target of recordings: its seeds, and mutations of a sample.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "bast/testing/random.hpp"
#include "inspector/targets.hpp"
#include "model/recording.hpp"
#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

TEST(FuzzRecording, SeedsOfTheFuzzerAreRecordings) {
  std::size_t seeds = 0;
  for (const auto& file : std::filesystem::directory_iterator(BAST_SEEDS "/recording")) {
    std::ostringstream text;
    text << std::ifstream(file.path(), std::ios::binary).rdbuf();
    const std::string bytes = text.str();
    const auto read = from_json(bytes, file.path().string());
    EXPECT_TRUE(read.has_value()) << read.error().what;
    EXPECT_EQ(fuzz_recording(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    ++seeds;
  }
  EXPECT_GE(seeds, 2u);
}

TEST(FuzzRecording, MutationsNeverBreakTheReader) {
  auto random = bast::test::random_numbers::of_this_test();
  const std::string seed = to_json(test::sample_server());
  static constexpr std::string_view pieces[] = {"[",  "]",     "{",  "}",    ",",    ":",      "\"",
                                                "-1", "1e400", "18", "null", "true", "\\u0000"};
  for (int i = 0; i < 400; ++i) {
    std::string text = seed;
    for (std::uint64_t n = 1 + random.below(3); n != 0; --n) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0: text.insert(at, pieces[random.below(std::size(pieces))]); break;
        case 1: text.erase(at, 1 + random.below(20)); break;
        default: text[at] = static_cast<char>(random.next()); break;
      }
    }
    EXPECT_EQ(fuzz_recording(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 0);
  }
}

}  // namespace
}  // namespace bast_stacks
