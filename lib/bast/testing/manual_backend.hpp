// SPDX-License-Identifier: Apache-2.0
//
// A backend with virtual time, for tests of what waits for time or for descriptors. Its clock moves
// when the test says so, and otherwise to the end of a wait that nothing ends earlier (IO-14).
//
//   manual_backend outside;
//   event_loop loop(outside);
//   outside.make_ready(7, os::readiness::readable);
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "bast/io.hpp"

namespace bast::test {

class manual_backend final : public internal::io_backend {
 public:
  manual_backend() = default;
  explicit manual_backend(std::uint64_t begins_ns) noexcept : now_ns_(begins_ns) {}
  manual_backend(const manual_backend&) = delete;
  manual_backend& operator=(const manual_backend&) = delete;
  ~manual_backend() override { EXPECT_TRUE(watches_.empty()); }

  // --- for the test ------------------------------------------------------------------------------

  void advance(std::uint64_t by_ns) noexcept { now_ns_ += by_ns; }
  /// The next wait reports it, if it is watched then; once.
  void make_ready(int fd, os::readiness direction) { ready_.emplace_back(fd, direction); }
  /// The next wait fails.
  void fail_next() noexcept { fails_ = true; }
  /// Waits that nothing would have ended: in a program they are a deadlock.
  unsigned stuck() const noexcept { return stuck_; }
  unsigned waits() const noexcept { return waits_; }

  // --- io_backend --------------------------------------------------------------------------------

  std::uint64_t now_ns() noexcept override { return now_ns_; }
  [[nodiscard]] result<bool> is_ready(int fd, os::readiness awaited) noexcept override {
    for (const auto& each : ready_) {
      if (each == std::pair{fd, awaited}) return true;
    }
    return false;
  }
  [[nodiscard]] result<void> reserve(int /*fd*/) noexcept override { return {}; }
  [[nodiscard]] result<void> watch(internal::descriptor_watch& asked) noexcept override {
    for (const auto* each : watches_) {
      if (each->fd != asked.fd || each->awaited != asked.awaited) continue;
      return fail(errc::busy, "manual_backend.watch", "watched already", asked.fd);
    }
    watches_.push_back(&asked);
    asked.watched = true;
    return {};
  }
  void unwatch(internal::descriptor_watch& asked) noexcept override {
    if (std::exchange(asked.watched, false)) std::erase(watches_, &asked);
  }
  std::size_t watched() const noexcept override { return watches_.size(); }

  [[nodiscard]] result<std::size_t> wait(std::uint64_t until_ns) noexcept override {
    ++waits_;
    if (std::exchange(fails_, false)) return fail(errc::io, "manual_backend.wait", "as asked");
    const std::size_t called = report();
    if (woken_.exchange(false) || called != 0) return called;
    if (until_ns == internal::no_deadline_ns) {
      ++stuck_;
    } else if (until_ns > now_ns_) {
      now_ns_ = until_ns;
    }
    return 0U;
  }
  void wake() noexcept override { woken_ = true; }

 private:
  std::size_t report() {
    std::size_t called = 0;
    for (const auto& [fd, direction] : std::exchange(ready_, {})) {
      for (std::size_t i = 0; i < watches_.size(); ++i) {
        internal::descriptor_watch* const each = watches_[i];
        if (each->fd != fd || each->awaited != direction) continue;
        unwatch(*each);
        each->ready(*each);
        ++called;
        break;
      }
    }
    return called;
  }

  std::uint64_t now_ns_ = 0;
  std::vector<internal::descriptor_watch*> watches_;
  std::vector<std::pair<int, os::readiness>> ready_;
  std::atomic<bool> woken_{false};
  bool fails_ = false;
  unsigned stuck_ = 0;
  unsigned waits_ = 0;
};

}  // namespace bast::test
