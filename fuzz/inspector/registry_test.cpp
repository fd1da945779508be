// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

#include "read/modules.hpp"
#include "read/open_core.hpp"
#include "read/source.hpp"
#include "read/testing/core_writer.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using testing::core_writer;
using testing::fake_registry;

constexpr std::uint32_t example_slots = 3;
constexpr std::uint64_t example_stride = 16 << 10;

/// A small registry with an instance of everything.
struct example {
  fake_registry fake{
      {.slots = example_slots, .stride = example_stride, .guard = 4096, .window = 8192}};

  example() {
    fake.use(0, 1, 100, "one");
    fake.use(1, 1, 5000).countdown = 0;
    fake.run(0, bast::watch::coro_state::suspended).sp =
        reinterpret_cast<std::uint64_t>(fake.top(0)) - 64;
    fake.run(1, bast::watch::coro_state::running);
    auto& source = fake.add_site(2, bast::watch::site_kind::source, "server.cpp");
    source.line = 88;
    source.uses = source.samples = 3;
    source.histogram[5] = 3;
    source.max = 351;
    source.deepest.depth = 351;
    source.deepest.top = reinterpret_cast<std::uint64_t>(fake.top(2));
    source.deepest.count = source.deepest.first = 1;
  }

  std::vector<std::byte> core() {
    core_writer writer;
    const auto maps = read_proc("/proc/self/maps", 1 << 20);
    const mapping program = parse_maps(maps.value()).front();
    writer.add_files(
        {{.low = program.where.low, .high = program.where.low + 4096, .path = "/nowhere"}});
    writer.add_thread(1, 2, reinterpret_cast<std::uint64_t>(fake.top(0)) - 64, 3);
    writer.add_signal(11, reinterpret_cast<std::uint64_t>(fake.top(1)) - example_stride);
    writer.add_memory(reinterpret_cast<const void*>(program.where.low), 4096);
    writer.add_memory(&testing::bast_stacks_fake_anchor, sizeof(bast::watch::anchor));
    writer.add_memory(&fake.header(), 6 * fake_registry::page);
    writer.add_memory(&fake.slot(0), example_slots * sizeof(testing::fake_slot));
    writer.add_memory(&fake.block(0) - 1, fake.header().coros_bytes);
    writer.add_memory(fake.stacks(), example_slots * example_stride);
    return writer.finish();
  }
};

/// The same in as few bytes as a reader accepts, so that most changes of a fuzzer matter.
struct packed_example : example {
  static constexpr std::size_t tables = sizeof(bast::watch::header) +
                                        sizeof(bast::watch::pool_entry) +
                                        sizeof(bast::watch::slab_entry);

  packed_example() {
    bast::watch::header& head = fake.header();
    auto* const base = reinterpret_cast<std::byte*>(&head);
    std::uint32_t end = sizeof head;
    const auto move = [&](bast::watch::table& table, const auto& entry) {
      std::memmove(base + end, &entry, sizeof entry);
      table = {.offset = end, .record_bytes = sizeof entry, .capacity = 1, .used = 1, .lost = 0};
      end += sizeof entry;
    };
    move(head.pools, fake.pool(0));
    move(head.slabs, fake.slab(0));
    move(head.sites, fake.site(2));
    head.bytes = end;
    head.coros_bytes = 4 * sizeof(testing::fake_block);
  }

  /// Without its sites, which take a page each, a registry has fewer than a thousand bytes.
  std::vector<std::span<const std::byte>> parts(bool with_sites) {
    const auto bytes = [](const void* from, std::size_t count) {
      return std::span(static_cast<const std::byte*>(from), count);
    };
    return {bytes(&fake.header(), with_sites ? fake.header().bytes : tables),
            bytes(&fake.slot(0), example_slots * sizeof(testing::fake_slot)),
            bytes(&fake.block(0) - 1, fake.header().coros_bytes), bytes(fake.top(0) - 128, 128),
            bytes(fake.top(1) - 5000, 64)};
  }
  std::vector<std::byte> memory_image(bool with_sites) {
    return fake_registry::memory_image_of(parts(with_sites));
  }
  std::vector<std::byte> core() {
    core_writer writer;
    const mapping program = parse_maps(read_proc("/proc/self/maps", 1 << 20).value()).front();
    writer.add_files(
        {{.low = program.where.low, .high = program.where.low + 4096, .path = "/nowhere"}});
    writer.add_thread(1, 2, reinterpret_cast<std::uint64_t>(fake.top(0)) - 64, 3);
    // The headers of the program, and its notes.
    writer.add_memory(reinterpret_cast<const void*>(program.where.low), 4096, 1536);
    writer.add_memory(&testing::bast_stacks_fake_anchor, sizeof(bast::watch::anchor));
    for (const auto part : parts(false)) writer.add_memory(part.data(), part.size());
    return writer.finish();
  }
};

using fuzz_target = int (*)(const std::uint8_t*, std::size_t);

int run(fuzz_target fuzz, const std::vector<std::byte>& bytes) {
  return fuzz(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

/// Values that numbers are compared with, and their neighbours.
std::uint64_t interesting(std::mt19937_64& random) {
  constexpr std::uint64_t values[] = {
      0,      1,          8,          64,         4095,       4096,       0x7fff,
      0xffff, 0x7fffffff, 0xffffffff, 1ULL << 40, 1ULL << 63, UINT64_MAX, UINT64_MAX - 4095};
  if (random() % 4 == 0) return random();
  return values[random() % std::size(values)];
}

void mutate(std::vector<std::byte>& bytes, std::mt19937_64& random) {
  for (std::uint64_t changes = 1 + random() % 3; changes != 0; --changes) {
    const std::uint64_t value = interesting(random);
    const std::size_t width = std::size_t{1} << random() % 4;
    // Half of them in the first pages, where the headers are.
    const std::size_t within =
        random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 10'000) : bytes.size();
    const std::size_t at = random() % (within / width) * width;
    std::memcpy(bytes.data() + at, &value, width);
  }
  if (random() % 16 == 0) bytes.resize(random() % bytes.size());
}

void survives(fuzz_target fuzz, const std::vector<std::byte>& seed) {
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 1000; ++round) {
    std::vector<std::byte> bytes = seed;
    mutate(bytes, random);
    ASSERT_EQ(run(fuzz, bytes), 0) << "round " << round;
  }
}

TEST(FuzzRegistry, SurvivesMutations) {
  example of;
  survives(fuzz_registry, of.fake.memory_image(true));
}

TEST(FuzzCore, SurvivesMutations) {
  example of;
  survives(fuzz_core, of.core());
}

TEST(FuzzRegistry, SurvivesNothing) {
  EXPECT_EQ(fuzz_registry(nullptr, 0), 0);
  EXPECT_EQ(fuzz_core(nullptr, 0), 0);
}

TEST(FuzzRegistry, PackedExamplesAreReadWhole) {
  packed_example of;
  survives(fuzz_registry, of.memory_image(true));
  survives(fuzz_core, of.core());
  const auto core = of.core();
  const auto seen = open_core_source(std::make_shared<buffer_source>(core), "a core", {});
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_EQ(seen->stacks.size(), 2U);
  EXPECT_EQ(seen->stacks[0].depth, 100U);
  EXPECT_TRUE(seen->stacks[0].crashed);
}

/// Writes fuzz/seeds: --gtest_also_run_disabled_tests, in the root of the tree.
TEST(FuzzRegistry, DISABLED_WritesSeeds) {
  example of;
  const auto write = [](const char* path, const std::vector<std::byte>& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    EXPECT_TRUE(file.good()) << path;
  };
  write("fuzz/seeds/registry/memory_image", of.fake.memory_image(true));
  write("fuzz/seeds/registry/without_stacks", of.fake.memory_image());
  write("fuzz/seeds/core/process", of.core());
  packed_example packed;
  write("fuzz/seeds/registry/packed", packed.memory_image(true));
  write("fuzz/seeds/registry/packed_without_sites", packed.memory_image(false));
  write("fuzz/seeds/core/packed", packed.core());
  write("fuzz/seeds/core/nothing", core_writer().finish());
}

}  // namespace
}  // namespace bast_stacks
