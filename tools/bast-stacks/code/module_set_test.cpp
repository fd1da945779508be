// SPDX-License-Identifier: Apache-2.0
#include "code/module_set.hpp"

#include <gtest/gtest.h>

#include "code/program_files.hpp"

namespace bast_stacks {
namespace {

/// A process with the known program at `path`, readable at `here`.
snapshot process_with(const std::string& path, const std::string& here) {
  snapshot all;
  all.modules = {{.path = path,
                  .build_id = (*code_file::open(BAST_KNOWN_FRAMES))->elf().build_id(),
                  .low = 0x1000,
                  .high = 0x9000,
                  .here = here}};
  return all;
}

TEST(ModuleSet, ReadsAFileWhereItCanBeReadFromHere) {
  const snapshot all = process_with("/in/the/container/server", BAST_KNOWN_FRAMES);
  module_set modules(all);
  EXPECT_NE(modules.at(0x2000).file, nullptr);
  frame described;
  modules.describe(0x2000, described);
  EXPECT_EQ(described.module, "server");
}

TEST(ModuleSet, ReadsItByItsPathWhenTheOtherWayIsGone) {
  const snapshot all = process_with(BAST_KNOWN_FRAMES, "/proc/0/root/gone");
  EXPECT_NE(module_set(all).at(0x2000).file, nullptr);
}

TEST(ModuleSet, BelievesTheBuildIdOnly) {
  const snapshot all = process_with("/in/the/container/server", BAST_KNOWN_LIBRARY);
  module_set modules(all);
  EXPECT_EQ(modules.at(0x2000).file, nullptr);
  std::vector<std::string> not_seen;
  modules.tell(not_seen);
  ASSERT_EQ(not_seen.size(), 1U);
  EXPECT_NE(not_seen[0].find("/in/the/container/server"), std::string::npos);
}

TEST(ProgramFiles, OfAnotherRootHaveTheirLibrariesThere) {
  const std::string root = "/proc/" + std::to_string(::getpid()) + "/root";
  const auto files = program_files::load(root + BAST_KNOWN_FRAMES);
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_TRUE(files->missing().empty());
  ASSERT_GE(files->files().size(), 2U);
  for (const auto& each : files->files())
    EXPECT_TRUE(each->elf().path().starts_with(root + "/")) << each->elf().path();
}

}  // namespace
}  // namespace bast_stacks
