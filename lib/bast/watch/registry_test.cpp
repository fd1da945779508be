// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/registry.hpp"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <tuple>

#include "bast/os.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/optimized.hpp"
#include "bast/watch/site.hpp"

extern "C" const bast::watch::anchor bast_watch_anchor;

namespace bast::watch {
namespace {

struct Registry : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(open_registry().has_value()); }
};

// --- finding the registry ------------------------------------------------------------------------

/// The first bast note among a program header's notes, or null.
const note* note_in(const char* at, const char* end) {
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) head;
    std::memcpy(&head, at, sizeof head);
    const char* const owner = at + sizeof head;
    const char* const description = owner + internal::round_up(head.n_namesz, 4);
    if (head.n_type == note_type && head.n_namesz == sizeof note_owner &&
        std::memcmp(owner, note_owner, sizeof note_owner) == 0) {
      return reinterpret_cast<const note*>(description);
    }
    at = description + internal::round_up(head.n_descsz, 4);
  }
  return nullptr;
}

TEST_F(Registry, TheNoteOfTheProgramLeadsToIt) {
  const note* found = nullptr;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* into) {
        auto*& found_in = *static_cast<const note**>(into);
        for (int i = 0; i < object->dlpi_phnum && found_in == nullptr; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_NOTE) continue;
          const auto* const notes =
              reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
          found_in = note_in(notes, notes + segment.p_memsz);
        }
        return 0;
      },
      &found);
  ASSERT_NE(found, nullptr) << "no loaded object has the note";
  std::int64_t distance = 0;
  std::memcpy(&distance, found, sizeof distance);
  const auto* const at =
      reinterpret_cast<const anchor*>(reinterpret_cast<const char*>(found) + distance);
  EXPECT_EQ(at, &bast_watch_anchor);
  EXPECT_EQ(at->magic, magic);
  EXPECT_EQ(at->registry, reinterpret_cast<std::uintptr_t>(registry()));
  EXPECT_EQ(at->bytes, registry()->bytes);
}

/// The current CLOCK_BOOTTIME.
std::uint64_t boottime_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}
const std::uint64_t program_started_ns = boottime_ns();

std::uint64_t expected_built() {
  std::uint64_t bits = 0;
  const auto add_if = [&](bool built, std::uint64_t bit) { bits += built ? bit : 0; };
  add_if(BAST_ASSERTIONS != 0, built_assertions);
  add_if(BAST_HARDENED != 0, built_hardened);
  add_if(BAST_WITH_ASAN != 0, built_address_sanitizer);
  add_if(BAST_WITH_TSAN != 0, built_thread_sanitizer);
  add_if(BAST_WITH_MSAN != 0, built_memory_sanitizer);
  add_if(BAST_WITH_VALGRIND != 0, built_valgrind);
  add_if(BAST_COVERAGE != 0, built_coverage);
  add_if(!test::library_is_optimized(), built_unoptimized);
  return bits;
}

/// A table's offset, record size and capacity.
std::tuple<std::uint64_t, std::uint32_t, std::uint32_t> place_of(const table& t) {
  return {t.offset, t.record_bytes, t.capacity};
}

TEST_F(Registry, TheHeaderDescribesTheProcess) {
  const header& head = *registry();
  EXPECT_EQ(head.magic, magic);
  EXPECT_EQ(head.version_major, 1);
  EXPECT_EQ(head.version_minor, 3);
  EXPECT_EQ(head.header_bytes, 512U);
#if defined(__x86_64__)
  EXPECT_EQ(head.machine, EM_X86_64);
#else
  EXPECT_EQ(head.machine, EM_AARCH64);
#endif
  EXPECT_EQ(head.pointer_bytes, 8);
  EXPECT_EQ(head.page_bytes, os::page_bytes());
  EXPECT_EQ(head.self, reinterpret_cast<std::uintptr_t>(&head));
  EXPECT_EQ(head.bytes, bast_watch_anchor.bytes);
  EXPECT_EQ(head.bytes, internal::round_up(head.sites.offset + head.sites.capacity * 4096ULL,
                                           os::page_bytes()));
  EXPECT_EQ(head.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_GE(head.started_ns, program_started_ns);
  EXPECT_LE(head.started_ns, boottime_ns());
  EXPECT_EQ(head.built, expected_built());
  EXPECT_EQ(place_of(head.pools), std::tuple(4096U, 256U, 4096U));
  EXPECT_EQ(place_of(head.slabs), std::tuple(4096U + 4096U * 256U, 64U, 16384U));
  EXPECT_EQ(place_of(head.sites), std::tuple(4096U + 4096U * 256U + 16384U * 64U, 4096U, 16384U));
  EXPECT_EQ(head.generation_bits, std::uint32_t{BAST_GENERATION_BITS});
  EXPECT_EQ(head.library, "bast " + std::to_string(BAST_VERSION_MAJOR) + "." +
                              std::to_string(BAST_VERSION_MINOR) + "." +
                              std::to_string(BAST_VERSION_PATCH));
#if defined(__clang__)
  EXPECT_EQ(head.compiler, std::string("clang ") + __clang_version__);
#else
  EXPECT_EQ(head.compiler, std::string("gcc ") + __VERSION__);
#endif
}

TEST_F(Registry, TheHeaderTellsWhatTheLayersDescribe) {
  const header before = *registry();
  slot_layout slots{};
  slots.record_bytes = 11;
  slots.sampled = 12;
  coro_layout blocks{};
  blocks.record_bytes = 21;
  blocks.outer = 22;
  const int table = 0;
  describe(slots);
  describe(blocks);
  describe_coros(&table, 4242);
  const header after = *registry();
  describe(before.slots);
  describe(before.blocks);
  describe_coros(reinterpret_cast<const void*>(before.coros), before.coros_bytes);
  EXPECT_EQ(std::memcmp(&after.slots, &slots, sizeof slots), 0);
  EXPECT_EQ(std::memcmp(&after.blocks, &blocks, sizeof blocks), 0);
  EXPECT_EQ(after.coros, reinterpret_cast<std::uintptr_t>(&table));
  EXPECT_EQ(after.coros_bytes, 4242U);
  EXPECT_EQ(std::memcmp(registry(), &before, sizeof before), 0) << "and nothing else";
}

TEST_F(Registry, ItIsMadeOnce) {
  const header* const made = registry();
  const header before = *made;
  EXPECT_TRUE(open_registry());
  EXPECT_EQ(registry(), made);
  EXPECT_EQ(std::memcmp(made, &before, sizeof before), 0);
}

/// RegistryFile runs this test with the variable; without it, no mode is set.
TEST_F(Registry, ItsModesAreThoseOfTheVariable) {
  const char* const expected = ::getenv("BAST_TEST_MODES");
  const std::uint32_t modes = expected == nullptr ? 0 : static_cast<std::uint32_t>(*expected - '0');
  if (expected == nullptr && ::getenv("BAST_WATCH") != nullptr) GTEST_SKIP() << "watched as it is";
  EXPECT_EQ(registry()->modes, modes);
  EXPECT_EQ(every_page_is_a_growth(), (modes & mode_deepest) != 0);
  // A file of the tool that is not used is not mapped either.
  std::ifstream maps("/proc/self/maps");
  int mapped = 0;
  for (std::string line; std::getline(maps, line);) {
    mapped += line.find("/memfd:bast-registry") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(mapped, (modes & mode_shared) != 0 ? 1 : 0);
}

// --- forked children -----------------------------------------------------------------------------

TEST_F(Registry, R5_AForkedChildWritesItsOwn) {
  site_entry* const entry = take_site({site_kind::label, "forked", 0, 0}, nullptr, 1);
  const std::uint32_t modes = registry()->modes;
  add(*entry, {.uses = 2, .grows = 1, .is_sample = true, .depth = 640});
  // In the tool's file it begins at zero, because its parent's uses are counted there already.
  const std::uint64_t before = (modes & mode_shared) != 0 ? 0 : 2;
  EXPECT_EQ(test::in_child([&] {
              if (entry->uses != before) return 5;
              add(*entry, {.uses = 7, .is_sample = true, .depth = 64});
              if (registry()->pid != static_cast<std::uint64_t>(::getpid())) return 1;
              if (registry()->modes != modes) return 2;
              if (registry()->magic != magic) return 3;
              const std::uint64_t mine = (modes & mode_shared) != 0 ? 0 : entry->uses;
              // Its own child has one too, and can take and return entries.
              return test::in_child([&] {
                add(*entry, {.uses = 1});
                give(take_site({site_kind::label, "forked twice", 0, 0}, nullptr, 1));
                return registry()->pid == static_cast<std::uint64_t>(::getpid()) &&
                               entry->uses == mine + 1
                           ? 0
                           : 4;
              });
            }),
            0);
  EXPECT_EQ(entry->uses, 2U);
  EXPECT_EQ(registry()->pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(registry()->modes, modes);
  entry->uses = 0;
  give(entry);
}

/// Changes by a child to a site that was closed before the fork are the child's, too.
TEST_F(Registry, R5_WhatWasClosedBeforeAForkIsAddedUpInTheChildAnew) {
  const site_name name{site_kind::label, "closed before", 0, 0};
  const auto live_once = [&](std::uint32_t uses) {
    pool_entry* const pool = take_pool();
    publish(*pool);
    site_entry* const entry = take_site(name, pool, 1);
    add(*entry, {.uses = uses});
    give(entry, close(pool, 3));
  };
  live_once(5);
  const auto closed = [&] {
    auto* const all = reinterpret_cast<site_entry*>(reinterpret_cast<std::byte*>(registry()) +
                                                    registry()->sites.offset);
    std::uint64_t uses = 0;
    for (std::uint32_t i = 0; i < registry()->sites.used; ++i) {
      const bool it = std::string_view(all[i].where) == name.where &&
                      all[i].state == static_cast<std::uint32_t>(entry_state::closed);
      uses += it ? all[i].uses : 0;
    }
    return uses;
  };
  const bool shared = (registry()->modes & mode_shared) != 0;
  const std::uint64_t before = closed();
  EXPECT_EQ(test::in_child([&] {
              if (closed() != (shared ? 0 : before)) return 1;
              live_once(7);
              return closed() == (shared ? 7 : before + 7) ? 0 : 2;
            }),
            0);
  EXPECT_EQ(closed(), before);
}

/// The addresses of stacks are valid in a child as in its parent.
TEST_F(Registry, R5_AForkedChildHasThePoolsAndSlabsOfItsParent) {
  pool_entry* const pool = take_pool();
  pool->limit = 4242;
  publish(*pool);
  slab_entry* const slabs[] = {take_slab(), take_slab()};
  for (slab_entry* const slab : slabs) {
    slab->pool = index_of(pool);
    slab->base = reinterpret_cast<std::uintptr_t>(slab);
    slab->stride = 4096;
    publish(*slab);
  }
  set_opened(*slabs[1], 7);
  const pool_entry pool_before = *pool;
  const slab_entry before[] = {*slabs[0], *slabs[1]};
  EXPECT_EQ(test::in_child([&] {
              if (std::memcmp(pool, &pool_before, sizeof pool_before) != 0) return 1;
              for (std::size_t i = 0; i < 2; ++i) {
                if (std::memcmp(slabs[i], before + i, sizeof before[i]) != 0) return 2;
              }
              return 0;
            }),
            0);
  for (slab_entry* const slab : slabs) give(slab);
  give(pool);
}

TEST_F(Registry, R5_AfterAForkBothMayTakeAndGive) {
  EXPECT_EQ(test::in_child([] { return take_pool() != nullptr ? 0 : 1; }), 0);
  pool_entry* const entry = take_pool();
  EXPECT_NE(entry, nullptr);
  give(entry);
}

}  // namespace
}  // namespace bast::watch
