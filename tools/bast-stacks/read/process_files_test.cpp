// SPDX-License-Identifier: Apache-2.0
//
// Which files of a process differ from ours at that path, on a scripted file system.
#include "read/process_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <string>

#include "read/testing/faulty_calls.hpp"

namespace bast_stacks {
namespace {

using testing::answered_call;
using testing::called;
using ::testing::ElementsAre;

TEST(ProcessFiles, ThoseThatAreOthersHereAreReadThroughTheProcess) {
  struct placed {
    dev_t device;
    ino_t number;
    mode_t mode = S_IFREG;
  };
  const std::map<std::string, placed> files = {
      {"/proc/7/root/same", {1, 2}},
      {"/same", {1, 2}},
      {"/proc/7/root/device", {1, 2}},
      {"/device", {2, 2}},
      {"/proc/7/root/number", {1, 2}},
      {"/number", {1, 3}},
      {"/proc/7/root/only its", {1, 2}},
      {"/only ours", {1, 2}},
      {"/proc/7/root/pipe", {1, 2, S_IFIFO}},
      {"/pipe", {1, 3}},
      {"/proc/7/root/folder", {1, 2, S_IFDIR}},
  };
  std::vector<std::string> asked;
  const answered_call stats(called::stat, [&](const auto& given) -> std::optional<long> {
    asked.emplace_back(reinterpret_cast<const char*>(given[0]));
    const auto found = files.find(asked.back());
    if (found == files.end()) return -ENOENT;
    auto& into = *reinterpret_cast<struct stat*>(given[1]);
    into = {};
    into.st_dev = found->second.device;
    into.st_ino = found->second.number;
    into.st_mode = found->second.mode;
    return 0;
  });
  std::vector<module> modules;
  for (const char* const path : {"/same", "/device", "/number", "/only its", "/only ours", "/pipe",
                                 "/folder", "[vdso]", "", "relative"})
    modules.emplace_back().path = path;
  find_files_here(7, modules);
  std::vector<std::string> here;
  for (const module& each : modules) here.push_back(each.here);
  EXPECT_THAT(here, ElementsAre("", "/proc/7/root/device", "/proc/7/root/number",
                                "/proc/7/root/only its", "", "", "", "", "", ""));
  EXPECT_EQ(asked.size(), 7U + 4U);
}

}  // namespace
}  // namespace bast_stacks
