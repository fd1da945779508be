// SPDX-License-Identifier: Apache-2.0
#include "read/record.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <vector>

#include "model/descriptor.hpp"
#include "read/accumulate.hpp"
#include "read/open.hpp"
#include "read/page_faults.hpp"

namespace bast_stacks {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// Keeps SIGINT and SIGTERM pending until they are taken.
class held_signals {
 public:
  held_signals() {
    ::sigemptyset(&held_);
    ::sigaddset(&held_, SIGINT);
    ::sigaddset(&held_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
    arrived_ = descriptor(::signalfd(-1, &held_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~held_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;

  /// Waits until `end`, or until page faults are ready. True if a signal ended it.
  bool wait(steady_clock::time_point end, page_faults* faults) const {
    for (;;) {
      std::vector<pollfd> all = {{.fd = arrived_.get(), .events = POLLIN, .revents = 0}};
      if (faults != nullptr) faults->wait_on(all);
      nanoseconds left = std::max(nanoseconds(0), nanoseconds(end - steady_clock::now()));
      if (faults != nullptr) left = std::min<nanoseconds>(left, page_faults::patience);
      const timespec limit{.tv_sec = left.count() / 1'000'000'000,
                           .tv_nsec = left.count() % 1'000'000'000};
      const int ready = ::ppoll(all.data(), all.size(), &limit, nullptr);
      if (ready == 0) return false;
      if (ready < 0) continue;
      signalfd_siginfo which{};
      if (::read(arrived_.get(), &which, sizeof which) > 0) return true;
      if (faults != nullptr) faults->heed(std::span(all).subspan(1));
      return false;
    }
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
  descriptor arrived_;
};

/// Clamps to a year, so that the sum cannot overflow.
steady_clock::time_point after(steady_clock::time_point begin, nanoseconds wait) {
  return begin + std::min(wait, nanoseconds(std::chrono::years(1)));
}

/// Looks until the end of the recording. Errors: those of page faults.
std::expected<void, problem> look_again(const record_options& options, const held_signals& signals,
                                        steady_clock::time_point end, page_faults* faults,
                                        snapshot& all) {
  auto next = after(steady_clock::now(), options.every);
  for (;;) {
    const bool interrupted = signals.wait(std::min(next, end), faults);
    if (faults != nullptr) {
      if (auto good = faults->look(); !good) return good;
    }
    if (interrupted || steady_clock::now() >= end) return {};
    if (steady_clock::now() < next) continue;
    auto now = open_process(options.pid, {});
    if (!now) {
      all.not_seen.push_back(
          fmt::format("What happened after the last look: {}.", now.error().what));
      return {};
    }
    all = accumulate(all, std::move(*now));
    next = after(steady_clock::now(), options.every);
  }
}

}  // namespace

std::expected<snapshot, problem> record(const record_options& options) {
  if (options.every <= nanoseconds(0)) {
    return std::unexpected(
        problem{.status = 2, .what = "the interval must be positive", .remedy = {}});
  }
  const held_signals signals;
  const auto end = after(steady_clock::now(), options.duration.value_or(nanoseconds::max()));
  auto all = open_process(options.pid, {});
  if (!all) return all;
  std::optional<page_faults> faults;
  if (options.deepest) {
    auto watched = page_faults::watch(options.pid, all->machine);
    if (!watched) return std::unexpected(watched.error());
    faults.emplace(std::move(*watched));
  }
  const auto good = look_again(options, signals, end, faults ? &*faults : nullptr, *all);
  if (!good) return std::unexpected(good.error());
  if (!faults) return all;
  // Sites that are new since the last look may have deepest stacks, too.
  if (auto now = open_process(options.pid, {}); now) *all = accumulate(*all, std::move(*now));
  faults->add_to(*all);
  return all;
}

}  // namespace bast_stacks
