// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/registry.hpp"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/watch/site.hpp"

extern "C" const bast::watch::anchor bast_watch_anchor;

namespace bast::watch {
namespace {

struct Registry : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(open_registry().has_value()); }
};

/// The status of a child that runs `body`.
template <class F>
int in_child(F body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "status " << status;
  return WEXITSTATUS(status);
}

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
  EXPECT_EQ(in_child([] {
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
  EXPECT_EQ(in_child([&] {
              add(*entry, {.uses = 7, .is_sample = true, .depth = 64});
              return registry()->pid == static_cast<std::uint64_t>(::getpid()) ? 0 : 1;
            }),
            0);
  EXPECT_EQ(entry->uses, 0U);
  EXPECT_EQ(registry()->pid, static_cast<std::uint64_t>(::getpid()));
  give(entry);
}

/// A descriptor as `bast-stacks run` makes one.
struct tools_file {
  int fd = ::memfd_create("registry", 0);
  ~tools_file() { ::close(fd); }
  std::string variable() const { return "fd:" + std::to_string(fd) + ",unknown"; }
};

/// Whether this program has such a test. A filter that meets none passes.
bool is_test(const std::string& name) {
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const auto& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j)
      if (name == std::string(suite.name()) + "." + suite.GetTestInfo(j)->name()) return true;
  }
  return false;
}

/// Runs this program's test `name` as a new process under BAST_WATCH; its exit status.
int run_test(const char* name, const std::string& watch) {
  EXPECT_TRUE(is_test(name)) << name;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("BAST_WATCH", watch.c_str(), 1);
    const std::string filter = std::string("--gtest_filter=") + name;
    ::execl("/proc/self/exe", "bast_watch_test", filter.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class RegistryFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BAST_EMULATED) GTEST_SKIP() << "an emulated program cannot execute itself";
  }
};

TEST_F(RegistryFile, WithTheToolsFileItOutlivesTheProcess) {
  const tools_file file;
  ASSERT_EQ(run_test("Registry.R3_SitesOfPoolsThatAreGoneAreAddedUpByName", file.variable()), 0);
  header head{};
  ASSERT_EQ(::pread(file.fd, &head, sizeof head, 0), static_cast<ssize_t>(sizeof head));
  EXPECT_EQ(head.magic, magic);
  EXPECT_NE(head.pid, 0U);
  EXPECT_EQ(head.modes, mode_shared);
  site_entry entry{};
  ASSERT_EQ(::pread(file.fd, &entry, sizeof entry, static_cast<off_t>(head.sites.offset)),
            static_cast<ssize_t>(sizeof entry));
  EXPECT_STREQ(entry.where, "folded.cpp");
  EXPECT_EQ(entry.uses, 6U);
}

TEST_F(RegistryFile, R5_AForkedChildLeavesTheToolsFileAlone) {
  const tools_file file;
  EXPECT_EQ(run_test("Registry.R5_AForkedChildWritesItsOwn", file.variable()), 0);
}

TEST_F(RegistryFile, TheSecondProcessHasARegistryOfItsOwn) {
  const tools_file file;
  ASSERT_EQ(run_test("Registry.R3_SitesOfPoolsThatAreGoneAreAddedUpByName", file.variable()), 0);
  header first{};
  ASSERT_EQ(::pread(file.fd, &first, sizeof first, 0), static_cast<ssize_t>(sizeof first));
  EXPECT_EQ(run_test("Registry.TheHeaderDescribesTheProcess", file.variable()), 0);
  header second{};
  ASSERT_EQ(::pread(file.fd, &second, sizeof second, 0), static_cast<ssize_t>(sizeof second));
  EXPECT_EQ(second.pid, first.pid);
}

TEST_F(RegistryFile, WhatIsNoFileOfTheToolIsLeftAlone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  for (const std::string& watch :
       {"fd:" + std::to_string(ends[1]), std::string("fd:-1"), std::string("fd:99999999999"),
        std::string("fd:"), std::string("fd:1x"), std::string(",,,")}) {
    EXPECT_EQ(run_test("Registry.TheHeaderDescribesTheProcess", watch), 0) << watch;
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(RegistryMapping, AFileSizeLimitIsRespected) {
  const tools_file file;
  EXPECT_EQ(in_child([&] {
              const rlimit little{4096, 4096};
              if (::setrlimit(RLIMIT_FSIZE, &little) != 0) return 1;
              const auto mapped = os::map_empty_file(file.fd, 1 << 20);
              return !mapped && mapped.error().kind() == errc::limit ? 0 : 2;
            }),
            0);
}

TEST(RegistryMapping, WithoutMemoryThereIsAnErrorAndThenARegistry) {
  EXPECT_EQ(in_child([] {
              if (registry() != nullptr) return 0;  // Made before the fork: nothing to fail.
              {
                const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
                const auto opened = open_registry();
                if (opened || opened.error().kind() != errc::no_memory) return 1;
              }
              {
                const os::fault_scope fault({.kind = os::call::protect, .nth = 1});
                if (open_registry()) return 2;
              }
              return open_registry() ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace bast::watch
