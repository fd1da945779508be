// SPDX-License-Identifier: Apache-2.0
//
// The target of perf's rings: mutations of one, and its seeds.
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "inspector/targets.hpp"
#include "read/perf_ring.hpp"
#include "read/testing/ring_writer.hpp"

namespace bast_stacks {
namespace {

using testing::example_sample;
using testing::ring_writer;

constexpr const sampled_registers& x86 = sampled_registers_of[0];
constexpr const sampled_registers& arm = sampled_registers_of[1];

TEST(FuzzPerfRing, SurvivesMutations) {
  ring_writer ring(4096, x86, 3000);
  for (const std::size_t bytes : {64U, 0U, 800U}) ring.add(example_sample(bytes), 800);
  ring.add_lost(3);
  const std::vector<std::byte> seed = ring.fuzzer_input();
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::byte> bytes = seed;
    for (std::uint64_t changes = 1 + random() % 4; changes != 0; --changes)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (random() % 16 == 0) bytes.resize(random() % bytes.size());
    ASSERT_EQ(fuzz_perf_ring(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
  }
  EXPECT_EQ(fuzz_perf_ring(nullptr, 0), 0);
}

/// Writes fuzz/seeds: --gtest_also_run_disabled_tests, in the root of the tree.
TEST(FuzzPerfRing, DISABLED_WritesSeeds) {
  const auto write = [](const char* path, const ring_writer& ring) {
    const auto bytes = ring.fuzzer_input();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    EXPECT_TRUE(file.good()) << path;
  };
  ring_writer faults(1024, x86, 600);
  faults.add(example_sample(64), 64);
  faults.add(example_sample(200), 256);
  faults.add_lost(3);
  write("fuzz/seeds/perf_ring/faults", faults);
  ring_writer on_arm(512, arm);
  on_arm.add(example_sample(32), 64);
  write("fuzz/seeds/perf_ring/arm", on_arm);
  write("fuzz/seeds/perf_ring/nothing", ring_writer(64));
}

}  // namespace
}  // namespace bast_stacks
