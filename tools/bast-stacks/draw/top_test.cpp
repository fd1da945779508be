// SPDX-License-Identifier: Apache-2.0
#include "draw/top.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "draw/testing/sample.hpp"

namespace {

using namespace bast_stacks;

constexpr std::string_view leaves_screen = "\x1b[?1049l";

using look_function = std::function<std::expected<snapshot, problem>()>;

/// As the program calls it.
int run(const look_function& look, const top_options& options = {}) {
  const auto ended = run_top(look, options);
  if (ended.has_value()) return *ended;
  std::fprintf(stderr, "%s\n%s\n", ended.error().what.c_str(), ended.error().remedy.c_str());
  return ended.error().status;
}

/// `top` in its own process on its own terminal.
class shown {
 public:
  shown(const look_function& look, const char* type, const top_options& options = {}) {
    winsize size{.ws_row = 24, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (child_ == 0) {
      ::setenv("TERM", type, 1);
      ::setenv("LC_ALL", "C.UTF-8", 1);
      ::_exit(run(look, options));
    }
  }
  ~shown() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    ::close(terminal_);
  }
  shown(const shown&) = delete;
  shown& operator=(const shown&) = delete;

  /// Reads until the words appear; false if the program ends or stays silent first. Text that was
  /// read before does not count again.
  bool says(std::string_view words) {
    for (;;) {
      const std::size_t found = output_.find(words, seen_);
      if (found != std::string::npos) {
        seen_ = found + words.size();
        return true;
      }
      if (!read_more()) return false;
    }
  }
  void type(std::string_view keys) const {
    EXPECT_EQ(::write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void resize(unsigned short columns, unsigned short rows) const {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(terminal_, TIOCSWINSZ, &size), 0);  // the kernel sends SIGWINCH
  }
  void signal(int number) const { ::kill(child_, number); }
  void hang_up() {
    ::close(terminal_);
    terminal_ = -1;
  }
  /// In the form of waitpid.
  int status() {
    while (read_more()) {
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    child_ = -1;
    return status;
  }
  const std::string& output() const { return output_; }

 private:
  bool read_more() {
    if (terminal_ < 0) return false;
    pollfd ready{terminal_, POLLIN, 0};
    if (::poll(&ready, 1, 60'000) <= 0) return false;
    std::array<char, 4096> part{};
    const ssize_t got = ::read(terminal_, part.data(), part.size());
    if (got <= 0) return false;
    output_.append(part.data(), static_cast<std::size_t>(got));
    return true;
  }

  pid_t child_ = -1;
  int terminal_ = -1;
  std::string output_;
  std::size_t seen_ = 0;
};

std::expected<snapshot, problem> server() { return sample::server(); }

bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

TEST(Top, ShowsTheSitesAndQuits) {
  shown top(server, "xterm");
  EXPECT_TRUE(top.says("parse.cpp:40"));
  EXPECT_TRUE(top.says("clock.cpp:12"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
  EXPECT_NE(top.output().find(leaves_screen), std::string::npos);
}

TEST(Top, EnterShowsDetailsAndEscapeLeavesThem) {
  shown top(server, "xterm-256color");
  EXPECT_TRUE(top.says("parse.cpp:40"));
  top.type("\r");
  EXPECT_TRUE(top.says("62,600"));
  top.type("\x1b");
  EXPECT_TRUE(top.says("server.cpp:88"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
}

TEST(Top, LooksAgain) {
  int looks = 0;  // in the child's memory
  const auto look = [&looks]() -> std::expected<snapshot, problem> {
    snapshot seen = sample::server();
    if (++looks > 3) seen.sites[2].where = "src/another.cpp";
    return seen;
  };
  shown top(look, "xterm", {.refresh = std::chrono::milliseconds(100)});
  EXPECT_TRUE(top.says("server.cpp:88"));
  EXPECT_TRUE(top.says("another"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
}

TEST(Top, LooksWhenAsked) {
  int looks = 0;
  const auto look = [&looks]() -> std::expected<snapshot, problem> {
    snapshot seen = sample::server();
    if (++looks > 1) seen.sites[2].where = "src/another.cpp";
    return seen;
  };
  shown top(look, "xterm", {.refresh = std::chrono::hours(1)});
  EXPECT_TRUE(top.says("server.cpp:88"));
  top.type("r");
  EXPECT_TRUE(top.says("another"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
}

TEST(Top, TheLastPictureStaysWhenTheProcessEnds) {
  // A process that has ended: a child of this one, reaped.
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  int looks = 0;
  const auto look = [&looks, gone]() -> std::expected<snapshot, problem> {
    if (++looks > 1) return std::unexpected(problem{3, "it has ended", {}});
    snapshot seen = sample::server();
    seen.pid = static_cast<std::uint64_t>(gone);
    return seen;
  };
  shown top(look, "xterm", {.refresh = std::chrono::milliseconds(100)});
  EXPECT_TRUE(top.says("parse.cpp:40"));
  EXPECT_TRUE(top.says("process ended"));
  top.type("\r");
  EXPECT_TRUE(top.says("62,600"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
}

TEST(Top, ANewSizeIsAnswered) {
  shown top(server, "xterm");
  EXPECT_TRUE(top.says("clock.cpp:12"));
  top.resize(60, 10);
  EXPECT_TRUE(top.says("parse.cpp:40"));
  top.resize(200, 50);
  EXPECT_TRUE(top.says("recommended"));
  top.type("q");
  EXPECT_TRUE(exited_with(top.status(), 0));
}

TEST(Top, SignalsEndItWithTheTerminalRestored) {
  for (const int number : {SIGTERM, SIGHUP}) {
    shown top(server, "xterm");
    EXPECT_TRUE(top.says("clock.cpp:12"));
    top.signal(number);
    const int status = top.status();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number) << status;
    EXPECT_NE(top.output().find(leaves_screen), std::string::npos);
  }
  shown top(server, "xterm");
  EXPECT_TRUE(top.says("clock.cpp:12"));
  top.type("\x03");  // Ctrl-C
  EXPECT_TRUE(exited_with(top.status(), 0));
  EXPECT_NE(top.output().find(leaves_screen), std::string::npos);
}

TEST(Top, EndsWhenItsTerminalIsGone) {
  shown top(server, "xterm");
  EXPECT_TRUE(top.says("clock.cpp:12"));
  top.hang_up();
  const int status = top.status();
  EXPECT_TRUE(exited_with(status, 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP))
      << status;
}

TEST(Top, ATerminalThatCannotPlaceItsCursorIsRefused) {
  shown dumb(server, "dumb");
  EXPECT_TRUE(dumb.says("'dumb' (TERM) cannot place its cursor"));
  EXPECT_TRUE(dumb.says("bast-stacks report"));
  EXPECT_TRUE(exited_with(dumb.status(), 2));
  shown unknown(server, "no-such-terminal");
  EXPECT_TRUE(unknown.says("nothing is known of terminals of type 'no-such-terminal'"));
  EXPECT_TRUE(exited_with(unknown.status(), 2));
}

TEST(Top, AFailureOfTheFirstLookIsTold) {
  shown top(
      []() -> std::expected<snapshot, problem> {
        return std::unexpected(
            problem{3, "cannot attach to 4711", "sysctl kernel.yama.ptrace_scope=0"});
      },
      "xterm");
  EXPECT_TRUE(top.says("cannot attach to 4711"));
  EXPECT_TRUE(top.says("ptrace_scope"));
  EXPECT_TRUE(exited_with(top.status(), 3));
}

TEST(Top, NeedsATerminal) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::_exit(run(server));
  }
  ::close(ends[1]);
  std::string said(4096, '\0');
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], said.data(), 4096))));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(exited_with(status, 2));
  EXPECT_NE(said.find("bast-stacks report"), std::string::npos) << said;
}

}  // namespace
