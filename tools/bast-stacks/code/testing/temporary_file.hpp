// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace bast_stacks {

/// A file for the duration of a test.
class temporary_file {
 public:
  explicit temporary_file(const std::string& text)
      : path_(testing::TempDir() + "bast_static_" + std::to_string(::getpid())) {
    std::ofstream(path_) << text;
  }
  ~temporary_file() { std::filesystem::remove(path_); }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace bast_stacks
