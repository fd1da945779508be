// SPDX-License-Identifier: Apache-2.0
//
// Runs the built program for tests and captures its output and exit status.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "model/recording.hpp"
#include "model/test_samples.hpp"

namespace bast_stacks {

namespace fs = std::filesystem;

inline std::string contents(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

inline void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

inline constexpr const char* all_commands[] = {"run",   "top",    "record", "report", "recommend",
                                               "flame", "static", "diff",   "check",  "export"};

struct ending {
  int status = -1;  // 128 + the signal that ended it
  std::string out;
  std::string error;
};

/// With a recording, now.json, in its own directory.
class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "bast-stacks-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    write(path("now.json"), to_json(test::sample_server()));
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  /// Runs bast-stacks with these words, with the file `in` as standard input; captures standard
  /// output, or sends it to the descriptor `to`.
  ending run(std::vector<std::string> words, const std::string& in = "/dev/null",
             int to = -1) const {
    words.insert(words.begin(), BAST_STACKS_PROGRAM);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    constexpr int create = O_WRONLY | O_CREAT | O_TRUNC;
    ::posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, path("out").c_str(), create, 0600);
    if (to >= 0) ::posix_spawn_file_actions_adddup2(&files, to, 1);
    ::posix_spawn_file_actions_addopen(&files, 2, path("error").c_str(), create, 0600);
    pid_t child = -1;
    EXPECT_EQ(::posix_spawn(&child, arguments[0], &files, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&files);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(path("out")),
            contents(path("error"))};
  }

  fs::path directory_;
};

}  // namespace bast_stacks
