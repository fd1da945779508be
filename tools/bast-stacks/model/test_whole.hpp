// SPDX-License-Identifier: Apache-2.0
//
// Compares long texts with files beside the tests. BAST_WRITE_WHOLE=1 rewrites the files; review
// them with `git diff` before committing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace bast_stacks::test {

/// `name` is relative to the directory of the tools: "draw/whole/server.html".
inline void expect_whole(const std::string& name, const std::string& text) {
  const std::string path = std::string(BAST_STACKS_SOURCE "/") + name;
  if (std::getenv("BAST_WRITE_WHOLE") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ADD_FAILURE() << path << " was written: read it";
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  std::ostringstream kept;
  kept << file.rdbuf();
  if (text == kept.str()) return;
  std::istringstream is(text);
  std::istringstream was(kept.str());
  std::string is_line;
  std::string was_line;
  for (int line = 1;; ++line) {
    const bool more = static_cast<bool>(std::getline(is, is_line));
    const bool more_kept = static_cast<bool>(std::getline(was, was_line));
    if (more && more_kept && is_line == was_line) continue;
    ADD_FAILURE() << path << ':' << line << "\n is:  " << (more ? is_line : "(the end)")
                  << "\n was: " << (more_kept ? was_line : "(the end)");
    return;
  }
}

}  // namespace bast_stacks::test
