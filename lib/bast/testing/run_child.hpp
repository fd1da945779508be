// SPDX-License-Identifier: Apache-2.0
//
// Starts a command in a test and follows it to its end without the code under test: a poll loop and
// a waitid.
//
//   auto c = bast::test::child({"out", "5", "exit", "3"});      // bast_test_child's steps
//   c.out(to::pipe{});
//   const auto ended = bast::test::run(c);
//   EXPECT_EQ(ended.out, "abcde");
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "bast/process.hpp"
#include "bast/testing/emulation.hpp"

namespace bast::test {

/// bast_test_child, executable by every user. A checkout may be in a directory that only its owner
/// can enter, such as /root; then this is a copy, until the process ends.
class child_of_anybody {
 public:
  child_of_anybody();
  ~child_of_anybody() {
    if (!copied_to_.empty() && ::getpid() == copied_by_) std::filesystem::remove_all(copied_to_);
  }
  child_of_anybody(const child_of_anybody&) = delete;
  child_of_anybody& operator=(const child_of_anybody&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::filesystem::path copied_to_;
  pid_t copied_by_ = ::getpid();
};

inline child_of_anybody::child_of_anybody() : path_(BAST_TEST_CHILD) {
  namespace fs = std::filesystem;
  constexpr auto everybody = fs::perms::group_exec | fs::perms::others_exec;
  constexpr auto shared = everybody | fs::perms::group_read | fs::perms::others_read;
  for (fs::path at = path_; at.has_relative_path(); at = at.parent_path()) {
    if ((fs::status(at).permissions() & everybody) == everybody) continue;
    std::string made = (fs::temp_directory_path() / "bast-test-child-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) return;
    copied_to_ = made;
    fs::permissions(copied_to_, fs::perms::owner_all | shared);
    path_ = (copied_to_ / "bast_test_child").string();
    fs::copy_file(BAST_TEST_CHILD, path_);
    fs::permissions(path_, fs::perms::owner_all | shared);
    return;
  }
}

/// The words before the child's steps: its path, preceded by the emulator if it is built for
/// another CPU, because the kernel only executes native programs.
inline std::vector<std::string> child_words(std::string_view program = BAST_TEST_CHILD) {
  std::vector<std::string> words;
  std::istringstream prefix(BAST_TEST_CHILD_PREFIX);
  for (std::string word; std::getline(prefix, word);) words.push_back(word);
  words.emplace_back(program);
  return words;
}

/// A command that runs bast_test_child, or its copy, with these steps.
inline command child(std::initializer_list<std::string_view> steps,
                     std::string_view program = BAST_TEST_CHILD) {
  command c = command::argv(std::initializer_list<std::string_view>{});
  for (const auto& word : child_words(program)) c.arg(word);
  for (const auto step : steps) c.arg(step);
  return c;
}

/// The same for a command that becomes another user.
inline command child_as_anybody(std::initializer_list<std::string_view> steps) {
  static const child_of_anybody program;
  return child(steps, program.path());
}

/// The memory in which the child runs before it executes.
enum class child_memory { shared, copied };

/// Starts a command, and forces the fallback if memory is to be `copied`.
[[nodiscard]] inline result<bast::internal::spawned> start(
    command& c, child_memory memory = child_memory::shared) {
  if (memory == child_memory::shared) return bast::internal::spawn(c);
  const os::fault_scope refused({.kind = os::call::spawn, .nth = 1, .error_number = EINVAL});
  auto started = bast::internal::spawn(c);
  if (started) {
    EXPECT_EQ(refused.injected(), 1U) << "the fallback was not taken";
  }
  return started;
}

struct ended {
  std::optional<error> failure;  // of the start
  std::string out;
  std::string err;
  int cause = 0;   // CLD_EXITED, ...
  int status = 0;  // exit code or signal

  bool exited(int code) const { return !failure && cause == CLD_EXITED && status == code; }
};

inline std::ostream& operator<<(std::ostream& out, const ended& e) {
  if (e.failure) return out << e.failure->message();
  return out << "cause " << e.cause << " status " << e.status << " out '" << e.out << "' err '"
             << e.err << "'";
}

/// Reads both pipes to their ends.
inline void read_both(int out, int err, ended& into) {
  pollfd polled[] = {{.fd = out, .events = POLLIN, .revents = 0},
                     {.fd = err, .events = POLLIN, .revents = 0}};
  std::string* const texts[] = {&into.out, &into.err};
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (::poll(polled, 2, -1) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      static thread_local char buffer[1 << 16];
      const auto size = os::read_some(polled[i].fd, std::as_writable_bytes(std::span(buffer)));
      if (size && *size > 0) {
        texts[i]->append(buffer, *size);
      } else if (size || size.error().error_number() != EAGAIN) {
        polled[i].fd = -1;
      }
    }
  }
}

/// Follows a started process to its end and releases its resources.
inline ended finish(bast::internal::spawned&& started) {
  bast::internal::spawned p = std::move(started);
  p.stdin_pipe.reset();
  ended result;
  read_both(p.stdout_pipe.get(), p.stderr_pipe.get(), result);
  const auto told = os::wait_process(p.process.pidfd.get(), WEXITED);
  EXPECT_TRUE(told) << told.error().message();
  if (told) {
    EXPECT_EQ(told->pid, p.process.pid);
    result.cause = told->cause;
    result.status = told->status;
  }
  return result;
}

inline ended run(command& c, child_memory memory = child_memory::shared) {
  auto started = start(c, memory);
  if (started) return finish(std::move(*started));
  ended result;
  result.failure = started.error();
  return result;
}

/// "3:abc1:d" as {"abc", "d"}.
inline std::vector<std::string> counted(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::size_t size = std::stoul(std::string(text.substr(0, colon)));
    all.emplace_back(text.substr(colon + 1, size));
    text.remove_prefix(colon + 1 + size);
  }
  return all;
}

/// Lines "key rest" by key.
inline std::map<std::string, std::string> keyed(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    all[line.substr(0, space)] = space == std::string::npos ? "" : line.substr(space + 1);
  }
  return all;
}

/// Sets a disposition of this process during its lifetime.
class disposition {
 public:
  disposition(int number, void (*handler)(int)) : number_(number) {
    struct sigaction action{};
    action.sa_handler = handler;
    ::sigaction(number, &action, &before_);
  }
  ~disposition() { ::sigaction(number_, &before_, nullptr); }
  disposition(const disposition&) = delete;
  disposition& operator=(const disposition&) = delete;

 private:
  int number_;
  struct sigaction before_{};
};

/// True if this process has no child, ended or not.
inline bool has_no_child() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

/// For tests that must pass in both kinds of memory.
class spawn_test : public ::testing::TestWithParam<child_memory> {
 protected:
  static ended run(command& c) { return test::run(c, GetParam()); }
  [[nodiscard]] static result<bast::internal::spawned> start(command& c) {
    return test::start(c, GetParam());
  }
  void SetUp() override {
    if (under_valgrind && GetParam() == child_memory::copied) {
      GTEST_SKIP() << "valgrind has no pidfd_open";
    }
  }
  void TearDown() override { EXPECT_TRUE(has_no_child()) << "a zombie or a live child"; }
};

inline const auto both_memories = ::testing::Values(child_memory::shared, child_memory::copied);
inline std::string memory_name(const ::testing::TestParamInfo<child_memory>& info) {
  return info.param == child_memory::shared ? "shared" : "copied";
}

}  // namespace bast::test
