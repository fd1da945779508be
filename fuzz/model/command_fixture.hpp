// SPDX-License-Identifier: Apache-2.0
//
// `command_fixture`: the directories and programs for `command_argv_env` programs, created once per
// process and removed at its end:
//
//   ROOT/bin/tool      bast_test_child          ROOT/other/tool    a file that may not be executed
//   ROOT/bin/plain     such a file too          ROOT/other/other   bast_test_child
//   ROOT/bin/folder/                            ROOT/ and every byte that a name may have/
#pragma once

#include <cstdint>
#include <string>

namespace bast::model {

class command_fixture {
 public:
  /// Ends the process if there is no room for it.
  static const command_fixture& get();

  command_fixture(const command_fixture&) = delete;
  command_fixture& operator=(const command_fixture&) = delete;
  ~command_fixture();

  // The choices of a program's values. `in_hand` is the string that some of them use.
  struct choice {
    std::string text;
    bool safe = true;  // to execute: not chosen by a fuzzer
  };
  static constexpr std::size_t programs = 10;
  static constexpr std::size_t shell = 9;  // the text is a script
  choice program(std::size_t number, const std::string& in_hand) const;
  std::string directory(std::uint16_t value, const std::string& in_hand) const;
  std::string search_path(std::uint16_t value) const;
  /// One of fifteen names of environment variables; three of them are invalid.
  static std::string name(std::uint16_t value);

 private:
  command_fixture();
  std::string root_;
  std::string relative_;  // the same, from the working directory
  std::string odd_;
};

}  // namespace bast::model
