// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "read/core_file.hpp"
#include "read/open_core.hpp"
#include "read/testing/core_writer.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/fake_time.hpp"

namespace bast_stacks {
namespace {

using ::testing::Contains;
using testing::core_writer;
using testing::fake_registry;
using ::testing::HasSubstr;

/// The mapping of our own program at the start of its file.
core_writer::mapped_file own_program() {
  const auto maps = read_proc("/proc/self/maps", 1 << 20);
  const auto mappings = parse_maps(maps.value());
  const mapping& first = mappings.front();
  EXPECT_EQ(first.offset, 0U);
  return {.low = first.where.low, .high = first.where.high, .offset_pages = 0, .path = first.path};
}

/// A core with a fake registry, our program's first page and what that points to.
core_writer core_of(fake_registry& fake, std::uint32_t slots) {
  core_writer core;
  const auto program = own_program();
  core.add_files({program});
  core.add_memory(reinterpret_cast<const void*>(program.low), program.high - program.low);
  core.add_memory(&testing::bast_stacks_fake_anchor, sizeof testing::bast_stacks_fake_anchor);
  core.add_memory(&fake.header(), fake_registry::bytes);
  core.add_memory(&fake.slot(0), slots * sizeof(testing::fake_slot));
  core.add_memory(&fake.block(0) - 1, fake.header().coros_bytes);
  core.add_memory(fake.stacks(), slots * (std::uint64_t{256} << 10));
  return core;
}

std::expected<snapshot, problem> read(std::span<const std::byte> bytes) {
  return open_core_source(std::make_shared<buffer_source>(bytes), "a core", {});
}

TEST(OpenCore, TellsWhatTheProcessWas) {
  fake_registry fake;
  fake.use(1, 1, 3000, "worker");
  fake.site(1).uses = 5;
  const auto bytes = core_of(fake, 8).finish();
  testing::fake_time time;
  time.step_ns = 1'234;
  const auto seen = read(bytes);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->from, source_kind::core);
  EXPECT_EQ(seen->overhead_ns, 1'234U);
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_EQ(seen->stacks[0].depth, 3000U);
  // The name is a constant of the program, whose pages are not in this core.
  EXPECT_EQ(seen->sites.at(seen->stacks[0].site).uses, 5U);
  ASSERT_EQ(seen->modules.size(), 1U);
  EXPECT_FALSE(seen->modules[0].build_id.empty());
}

TEST(OpenCore, AProgramWithoutAPathIsCalledAsItsProcess) {
  fake_registry fake;
  auto core = core_of(fake, 8);
  std::vector<std::byte> info(136);
  std::memcpy(info.data() + 40, "its name", 8);
  core.add_note(NT_PRPSINFO, info);
  const auto bytes = core.finish();
  const auto named = read(bytes);
  ASSERT_TRUE(named) << named.error().what;
  EXPECT_EQ(named->program, "its name");
  const auto given = open_core_source(std::make_shared<buffer_source>(bytes), "a core",
                                      {.program = "/proc/self/exe"});
  ASSERT_TRUE(given) << given.error().what;
  EXPECT_EQ(given->program, "/proc/self/exe");
}

TEST(OpenCore, MarksTheStackOfTheThreadThatDied) {
  fake_registry fake;
  for (std::size_t i = 0; i < 3; ++i) fake.use(i, 1, 100);
  auto core = core_of(fake, 8);
  const auto sp = [&](std::size_t i) { return reinterpret_cast<std::uint64_t>(fake.top(i)) - 64; };
  core.add_thread(10, 0x77, sp(1), 0x88);
  core.add_thread(11, 0x99, sp(2), 0);
  const auto seen = read(core.finish());
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_EQ(seen->stacks.size(), 3U);
  EXPECT_FALSE(seen->stacks[0].crashed);
  EXPECT_TRUE(seen->stacks[1].crashed);
  EXPECT_EQ(seen->stacks[1].pc, 0x77U);
  EXPECT_EQ(seen->stacks[1].sp, sp(1));
  EXPECT_EQ(seen->stacks[1].fp, 0x88U);
  EXPECT_FALSE(seen->stacks[2].crashed);
  EXPECT_EQ(seen->stacks[2].pc, 0x99U);
}

TEST(OpenCore, AFaultInTheGuardBelongsToTheStackAboveIt) {
  fake_registry fake;
  for (std::size_t i = 0; i < 3; ++i) fake.use(i, 1, 100);
  auto core = core_of(fake, 8);
  core.add_thread(10, 0x77, 0x1000, 0);
  core.add_signal(SIGSEGV, reinterpret_cast<std::uint64_t>(fake.top(1)) + 100);
  const auto seen = read(core.finish());
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_FALSE(seen->stacks.at(1).crashed);
  EXPECT_TRUE(seen->stacks.at(2).crashed);
}

TEST(OpenCore, WhatACoreLeavesOutIsNotThere) {
  // Half of it is in the core; after that the file has other content.
  static constexpr std::string_view held = "held and not held";
  static constexpr std::string_view next = "elsewhere";
  core_writer core;
  core.add_memory(held.data(), 8, 4);
  core.add_memory(next.data(), next.size());
  const auto bytes = core.finish();
  const auto parsed = parse_core(std::make_shared<buffer_source>(bytes));
  ASSERT_TRUE(parsed) << parsed.error().what;
  std::array<std::byte, 8> read{};
  const auto address = reinterpret_cast<std::uint64_t>(held.data());
  EXPECT_TRUE(parsed->memory->read(address, std::span(read).first(4)));
  EXPECT_EQ(std::memcmp(read.data(), held.data(), 4), 0);
  EXPECT_FALSE(parsed->memory->read(address, read));
  std::vector<resident_extent> pages;
  ASSERT_TRUE(parsed->memory->residency({.low = address, .high = address + 8}, pages));
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0].where.high, address + 4);
}

TEST(OpenCore, SaysThatACoreIsCutShort) {
  fake_registry fake;
  fake.use(0, 1, 100);
  auto bytes = core_of(fake, 8).finish();
  bytes.resize(bytes.size() - (std::size_t{1} << 20));
  const auto seen = read(bytes);
  if (seen) {
    EXPECT_THAT(seen->not_seen, Contains(HasSubstr("The core is cut short")));
  } else {
    EXPECT_THAT(seen.error().what, HasSubstr("registry"));
  }
}

TEST(OpenCore, TheProgramThatIsGivenMustBeTheOneThatRan) {
  const auto moved =
      std::filesystem::path(::testing::TempDir()) / ("bast-moved-" + std::to_string(::getpid()));
  std::filesystem::copy_file("/proc/self/exe", moved,
                             std::filesystem::copy_options::overwrite_existing);
  const auto read_with = [](core_writer core, const std::string& program) {
    const auto bytes = core.finish();
    return open_core_source(std::make_shared<buffer_source>(bytes), "a core", {.program = program});
  };
  fake_registry fake;
  // AT_PHDR identifies the program among the files.
  const std::uint64_t auxv[] = {AT_PHDR, own_program().low + 64, AT_NULL, 0};
  auto core = core_of(fake, 8);
  core.add_note(NT_AUXV, std::as_bytes(std::span(auxv)));
  const auto right = read_with(core, moved);
  ASSERT_TRUE(right) << right.error().what;
  EXPECT_EQ(right->program, moved);
  EXPECT_EQ(right->modules.at(0).here, moved);
  EXPECT_EQ(right->modules.at(0).path, own_program().path);
  EXPECT_THAT(right->not_seen, ::testing::Each(::testing::Not(HasSubstr("what ran"))));

  const auto wrong = read_with(core, "/bin/true");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().status, 3);
  EXPECT_THAT(wrong.error().what,
              ::testing::MatchesRegex("/bin/true is not what ran: its build id is [0-9a-f]+, that "
                                      "of the core's program " +
                                      right->modules.at(0).build_id));
  const auto text = read_with(core, "/etc/passwd");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().what, "/etc/passwd is not a program");
  const auto missing = read_with(core, "/no/such/file");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("/no/such/file"));

  const auto unknown = read_with(core_of(fake, 8), moved);
  ASSERT_TRUE(unknown) << unknown.error().what;
  EXPECT_THAT(unknown->not_seen,
              ::testing::Contains(moved.string() + " was not read: the core does not show which "
                                                   "file its program was."));
  // Without the first page in the core nothing can be compared.
  core_writer bare;
  bare.add_files({own_program()});
  bare.add_memory(&testing::bast_stacks_fake_anchor, sizeof testing::bast_stacks_fake_anchor);
  bare.add_memory(&fake.header(), fake_registry::bytes);
  bare.add_note(NT_AUXV, std::as_bytes(std::span(auxv)));
  const auto unchecked = read_with(bare, moved);
  ASSERT_TRUE(unchecked) << unchecked.error().what;
  EXPECT_THAT(
      unchecked->not_seen,
      ::testing::Contains("Whether " + moved.string() +
                          " is what ran: the core does not hold the program's first page."));
  std::filesystem::remove(moved);
}

TEST(OpenCore, SaysWhatAFileIsThatIsNoCore) {
  const auto error = [](std::span<const std::byte> bytes) {
    const auto seen = read(bytes);
    return seen ? std::string("none") : seen.error().what;
  };
  EXPECT_EQ(error({}), "cannot read a core as a core: it is not an ELF file");
  auto bytes = core_writer().finish();
  EXPECT_THAT(error(bytes), HasSubstr("a core is not a program built with bast"));
  bytes[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_THAT(error(bytes), HasSubstr("it is a 32-bit ELF file"));
  const auto program = open_core("/proc/self/exe", {});
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().what, HasSubstr("it is an ELF file, but no core"));
}

TEST(OpenCore, ReadsWhatTheKernelWrites) {
  const auto pattern = read_proc("/proc/sys/kernel/core_pattern", 256);
  if (!pattern || *pattern != "core\n") GTEST_SKIP() << "the kernel writes cores elsewhere";
  const auto directory =
      std::filesystem::path(::testing::TempDir()) / ("bast-core-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  fake_registry fake;
  const char* const name = "from the program";
  fake.use(4, 1, 5000, name);
  *(fake.top(4) - 9000) = std::byte{0};  // Written, with a zero.
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit unlimited{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_CORE, &unlimited) != 0 || ::chdir(directory.c_str()) != 0) ::_exit(77);
    ::signal(SIGABRT, SIG_DFL);
    ::abort();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::filesystem::path core;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) core = entry.path();
  if (core.empty() || !WCOREDUMP(status)) {
    std::filesystem::remove_all(directory);
    GTEST_SKIP() << "no core may be written here";
  }
  const auto seen = open_core(core, {});
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->pid, static_cast<std::uint64_t>(child));
  EXPECT_THAT(seen->program, HasSubstr("bast_stacks_read_test"));
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_EQ(seen->stacks[0].depth, 5000U);
  EXPECT_EQ(seen->stacks[0].depth_at_most, 12'288U);
  EXPECT_EQ(seen->modules.front().path, seen->program);
}

}  // namespace
}  // namespace bast_stacks
