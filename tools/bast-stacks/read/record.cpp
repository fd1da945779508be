// SPDX-License-Identifier: Apache-2.0
#include "read/record.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "read/accumulate.hpp"
#include "read/open.hpp"

namespace bast_stacks {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// While it lives, SIGINT and SIGTERM wait until somebody asks for them.
class held_signals {
 public:
  held_signals() {
    ::sigemptyset(&held_);
    ::sigaddset(&held_, SIGINT);
    ::sigaddset(&held_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~held_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;

  /// Waits; true when a signal ended it.
  bool wait(nanoseconds most) const {
    const auto end = steady_clock::now() + most;
    for (;;) {
      const nanoseconds left = std::max(nanoseconds(0), nanoseconds(end - steady_clock::now()));
      const timespec limit{.tv_sec = left.count() / 1'000'000'000,
                           .tv_nsec = left.count() % 1'000'000'000};
      if (::sigtimedwait(&held_, nullptr, &limit) > 0) return true;
      if (errno != EINTR) return false;
    }
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
};

}  // namespace

std::expected<snapshot, problem> record(const record_options& options) {
  if (options.every <= nanoseconds(0)) {
    return std::unexpected(
        problem{.status = 2, .what = "the interval must be positive", .remedy = {}});
  }
  const held_signals signals;
  const auto begin = steady_clock::now();
  auto all = open_process(options.pid, {});
  if (!all) return all;
  for (;;) {
    const nanoseconds left =
        options.duration ? *options.duration - (steady_clock::now() - begin) : nanoseconds::max();
    if (left <= nanoseconds(0) || signals.wait(std::min(options.every, left))) return all;
    auto now = open_process(options.pid, {});
    if (!now) {
      all->not_seen.push_back(
          fmt::format("What happened after the last look: {}.", now.error().what));
      return all;
    }
    *all = accumulate(*all, std::move(*now));
  }
}

}  // namespace bast_stacks
