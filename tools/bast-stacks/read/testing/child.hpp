// SPDX-License-Identifier: Apache-2.0
//
// Starts and ends the test program for tests of the reader.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace bast_stacks::testing {

inline std::vector<std::string> test_program(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BAST_STACKS_TEST_PROGRAM);
  return arguments;
}

class child {
 public:
  /// `before` runs in the child before the program starts.
  template <class F>
  child(const std::vector<std::string>& argv, F before) {
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      before();
      ::dup2(input[0], 0);
      ::dup2(output[1], 1);
      std::vector<char*> words;
      for (const std::string& each : argv) words.push_back(const_cast<char*>(each.c_str()));
      words.push_back(nullptr);
      ::execv(words[0], words.data());
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    output_ = output[0];
  }
  explicit child(const std::vector<std::string>& argv) : child(argv, [] {}) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (input_ >= 0) ::close(input_);
    if (output_ >= 0) ::close(output_);
    if (pid_ > 0 && !waited_) wait();
  }

  pid_t pid() const { return pid_; }
  /// Waits for its first output.
  bool ready() const {
    char text[16] = {};
    return ::read(output_, text, sizeof text) > 0;
  }
  /// Lets it continue: a line of input.
  bool go_on() const { return ::write(input_, "\n", 1) == 1; }
  /// Ends its input and waits for it. Returns the wait status.
  int wait() {
    if (input_ >= 0) ::close(std::exchange(input_, -1));
    int status = 0;
    ::waitpid(pid_, &status, 0);
    waited_ = true;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  bool waited_ = false;
};

}  // namespace bast_stacks::testing
