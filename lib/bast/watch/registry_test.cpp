// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/registry.hpp"

#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/watch/site.hpp"

extern "C" const bast::watch::anchor bast_watch_anchor;

namespace bast::watch {
namespace {

struct Registry : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(open_registry().has_value()); }
};

site_entry* entry_named(std::string_view where) {
  auto* const all = reinterpret_cast<site_entry*>(reinterpret_cast<std::byte*>(registry()) +
                                                  registry()->sites.offset);
  for (std::uint32_t i = 0; i < registry()->sites.used; ++i) {
    const bool in_use = all[i].state != static_cast<std::uint32_t>(entry_state::free);
    if (in_use && all[i].where == where) return all + i;
  }
  return nullptr;
}

// --- how it is found -----------------------------------------------------------------------------

/// The first note of bast among a program header's notes, or null.
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
}

TEST_F(Registry, TheHeaderDescribesTheProcess) {
  const header& head = *registry();
  EXPECT_EQ(head.magic, magic);
  EXPECT_EQ(head.version_major, version_major);
  EXPECT_EQ(head.header_bytes, sizeof(header));
  EXPECT_EQ(head.page_bytes, os::page_bytes());
  EXPECT_EQ(head.self, reinterpret_cast<std::uintptr_t>(&head));
  EXPECT_EQ(head.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(head.sites.record_bytes, sizeof(site_entry));
  EXPECT_EQ(std::string_view(head.library).substr(0, 5), "bast ");
  EXPECT_FALSE(std::string_view(head.compiler).empty());
  EXPECT_EQ((head.built & built_address_sanitizer) != 0, BAST_WITH_ASAN != 0);
}

// --- entries -------------------------------------------------------------------------------------

TEST_F(Registry, ATakenEntryIsNobodyElsesUntilItIsGivenBack) {
  pool_entry* const one = take_pool();
  pool_entry* const other = take_pool();
  ASSERT_NE(one, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_NE(one, other);
  EXPECT_NE(one->id, other->id);
  const std::uint64_t id = one->id;
  publish(*one);
  give(one);
  pool_entry* const again = take_pool();
  EXPECT_EQ(again, one);
  EXPECT_NE(again->id, id) << "an id is never used twice";
  give(again);
  give(other);
  give(static_cast<pool_entry*>(nullptr));
}

TEST_F(Registry, SlabsThatFindNoRoomAreCounted) {
  std::vector<slab_entry*> all;
  const std::uint32_t lost = registry()->slabs.lost;
  while (slab_entry* const entry = take_slab()) all.push_back(entry);
  EXPECT_EQ(all.size(), registry()->slabs.capacity);
  EXPECT_EQ(registry()->slabs.lost, lost + 1);
  for (slab_entry* const entry : all) give(entry);
}

TEST_F(Registry, R3_SitesOfPoolsThatAreGoneAreAddedUpByName) {
  const site_name name{site_kind::source, "folded.cpp", 12, 3};
  for (std::uint64_t round = 1; round <= 3; ++round) {
    site_entry* const entry = take_site(name, nullptr, 1);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->uses, 0U) << "a new pool begins at nothing";
    add(*entry, {.uses = 2, .grows = 1, .is_sample = true, .depth = 1000 * round});
    give(entry);
  }
  const site_entry* const sum = entry_named("folded.cpp");
  ASSERT_NE(sum, nullptr);
  EXPECT_EQ(sum->state, static_cast<std::uint32_t>(entry_state::closed));
  EXPECT_EQ(sum->pool, no_index);
  EXPECT_EQ(sum->uses, 6U);
  EXPECT_EQ(sum->grows, 3U);
  EXPECT_EQ(sum->samples, 3U);
  EXPECT_EQ(sum->max, 3000U);
  EXPECT_EQ(quantile(*sum, 0.1), bucket_high(bucket_of(1000)));
}

TEST_F(Registry, ASiteThatWasNeverUsedLeavesNothing) {
  give(take_site({site_kind::label, "unused", 0, 0}, nullptr, 1));
  EXPECT_EQ(entry_named("unused"), nullptr);
}

TEST_F(Registry, SitesOfOneFileDifferByLineColumnAndKind) {
  const site_name names[] = {{site_kind::source, "same.cpp", 1, 1},
                             {site_kind::source, "same.cpp", 1, 2},
                             {site_kind::source, "same.cpp", 2, 1},
                             {site_kind::label, "same.cpp", 1, 1}};
  const std::uint32_t before = registry()->sites.used;
  for (const site_name& name : names) {
    site_entry* const entry = take_site(name, nullptr, 1);
    add(*entry, {.uses = 1, .is_sample = true, .depth = 100});
    give(entry);
  }
  EXPECT_EQ(registry()->sites.used, before + 4);
}

TEST_F(Registry, ALongNameKeepsItsEnd) {
  const std::string longer = std::string(1000, 'd') + "/the_file.cpp";
  site_entry* const entry = take_site({site_kind::source, longer, 1, 1}, nullptr, 1);
  EXPECT_EQ(entry->where_bytes, longer.size());
  EXPECT_EQ(std::string_view(entry->where).size(), sizeof entry->where - 1);
  EXPECT_TRUE(std::string_view(entry->where).ends_with("/the_file.cpp"));
  give(entry);
}

TEST_F(Registry, AFullTableStillRecordsAndCountsWhatNobodySees) {
  EXPECT_EQ(test::in_child([] {
              site_entry* entry = nullptr;
              do {
                entry = take_site({site_kind::label, "many", 0, 0}, nullptr, 1);
                if (entry == nullptr) return 1;
              } while (registry()->sites.lost == 0);
              add(*entry, {.uses = 1, .is_sample = true, .depth = 64});
              if (entry->uses != 1) return 2;
              give(entry);
              return 0;
            }),
            0);
}

TEST_F(Registry, R1_AReaderSeesAnEvenSequenceOnlyBetweenWrites) {
  site_entry* const entry = take_site({site_kind::label, "sequence", 0, 0}, nullptr, 1);
  const std::uint32_t before = entry->sequence;
  EXPECT_EQ(before % 2, 0U);
  add(*entry, {.uses = 1, .is_sample = true, .depth = 64});
  EXPECT_EQ(entry->sequence, before + 2);
  give(entry);
}

// --- whose it is ---------------------------------------------------------------------------------

TEST_F(Registry, R5_AForkedChildWritesItsOwn) {
  site_entry* const entry = take_site({site_kind::label, "forked", 0, 0}, nullptr, 1);
  EXPECT_EQ(test::in_child([&] {
              add(*entry, {.uses = 7, .is_sample = true, .depth = 64});
              return registry()->pid == static_cast<std::uint64_t>(::getpid()) ? 0 : 1;
            }),
            0);
  EXPECT_EQ(entry->uses, 0U);
  EXPECT_EQ(registry()->pid, static_cast<std::uint64_t>(::getpid()));
  give(entry);
}

}  // namespace
}  // namespace bast::watch
