// SPDX-License-Identifier: Apache-2.0
#include "draw/top.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "draw/terminal.hpp"
#include "draw/top_view.hpp"
#include "draw/watcher.hpp"
#include "model/clean_text.hpp"

namespace bast_stacks {

namespace {

using namespace draw;
using clock_type = std::chrono::steady_clock;

std::unexpected<problem> refuse(std::string what) {
  return std::unexpected(
      problem{2, std::move(what), "bast-stacks report, which needs no terminal"});
}

/// Receives signals through a descriptor, so that one thread alone touches the terminal, between
/// other work.
class signals {
 public:
  signals() {
    sigset_t taken;
    ::sigemptyset(&taken);
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) ::sigaddset(&taken, each);
    ::pthread_sigmask(SIG_BLOCK, &taken, &before_);
    for (std::size_t i = 0; i < handled.size(); ++i) ::sigaction(handled[i], nullptr, &actions_[i]);
    fd_ = ::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~signals() {
    if (fd_ >= 0) ::close(fd_);
    for (std::size_t i = 0; i < handled.size(); ++i) ::sigaction(handled[i], &actions_[i], nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  int fd() const noexcept { return fd_; }
  /// The next one, or 0.
  int take() const noexcept {
    signalfd_siginfo info{};
    if (::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  // Curses installs its own handlers for these; they outlive it and would end the program with
  // status 1.
  static constexpr std::array handled{SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

  sigset_t before_{};
  std::array<struct sigaction, handled.size()> actions_{};
  int fd_ = -1;
};

/// The screen, the events that change it, and their timing.
class session {
 public:
  session(snapshot first, terminal& screen, const signals& taken, watcher& eyes,
          const top_options& options)
      : now_(std::move(first)),
        screen_(screen),
        signals_(taken),
        eyes_(eyes),
        refresh_(std::max(options.refresh, std::chrono::milliseconds(100))) {
    state_.ascii = !screen.shows_unicode();
    state_.status = fmt::format("every {:g} s", std::chrono::duration<double>(refresh_).count());
    usual_status_ = state_.status;
    state_.recommend = options.recommend;
  }

  /// Returns the signal that ends the program, or 0 if the user quits.
  int run() {
    next_look_ = clock_type::now() + refresh_;
    for (;;) {
      screen_.show(top_screen(now_, state_, screen_.size()));
      if (wait(); !take_keys()) return 0;
      for (int number = 0; (number = signals_.take()) != 0;) {
        if (number == SIGWINCH)
          screen_.resized();
        else
          return number == SIGINT ? 0 : number;
      }
      if (auto seen = eyes_.take()) saw(std::move(*seen));
      if (!ended_ && !eyes_.busy() && clock_type::now() >= next_look_) {
        eyes_.ask();
        next_look_ = clock_type::time_point::max();
      }
    }
  }

 private:
  void wait() {
    pollfd events[]{
        {STDIN_FILENO, POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {eyes_.ready_fd(), POLLIN, 0}};
    int milliseconds = -1;
    if (!ended_ && next_look_ != clock_type::time_point::max()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(next_look_ - clock_type::now());
      milliseconds = static_cast<int>(std::clamp<long long>(left.count(), 0, 60'000));
    }
    (void)::poll(events, 3, milliseconds);
    keys_ready_ = (events[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0;
  }

  /// False when the user quits or the terminal has hung up.
  bool take_keys() {
    if (!keys_ready_) return true;
    bool any = false;
    while (const std::optional<top_key> key = screen_.take_key()) {
      any = true;
      if (!press(state_, *key, now_, screen_.size())) return false;
      if (*key == top_key::look) {
        ended_ = false;
        next_look_ = clock_type::now();
      }
    }
    // Readable without data: the terminal has hung up.
    silent_ = any ? 0 : silent_ + 1;
    return silent_ < 3;
  }

  void saw(std::expected<snapshot, problem> seen) {
    next_look_ = clock_type::now() + refresh_;
    if (seen) {
      now_ = std::move(*seen);
      state_.status = usual_status_;
      state_.alarm = false;
      return;
    }
    state_.alarm = true;
    const bool gone =
        now_.pid != 0 && ::kill(static_cast<pid_t>(now_.pid), 0) != 0 && errno == ESRCH;
    ended_ = true;
    if (gone)
      state_.status = fmt::format("process ended: this is how {} was last seen", now_.pid);
    else
      state_.status = clean_text(seen.error().what) + " (r: look again)";
  }

  snapshot now_;
  terminal& screen_;
  const signals& signals_;
  watcher& eyes_;
  std::chrono::milliseconds refresh_;
  top_state state_;
  std::string usual_status_;
  clock_type::time_point next_look_;
  bool ended_ = false;  // no further look until requested
  bool keys_ready_ = false;
  int silent_ = 0;
};

}  // namespace

std::expected<int, problem> run_top(const std::function<std::expected<snapshot, problem>()>& look,
                                    const top_options& options) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0)
    return refuse("top shows itself on a terminal");
  std::expected<snapshot, problem> first = look();
  if (!first) return std::unexpected(std::move(first.error()));
  int ended_by = 0;
  {
    const signals taken;
    terminal screen;
    if (const std::string why = screen.open(options.colour); !why.empty()) return refuse(why);
    watcher eyes(look);
    ended_by = session(std::move(*first), screen, taken, eyes, options).run();
  }
  if (ended_by != 0) ::raise(ended_by);
  return ended_by == 0 ? 0 : 128 + ended_by;
}

}  // namespace bast_stacks
