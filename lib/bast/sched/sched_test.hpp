// SPDX-License-Identifier: Apache-2.0
//
// Shared helpers of this layer's tests.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/sched.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast::test {

/// Collects what goes to run_options::unhandled.
class unhandled_failures {
 public:
  on_unhandled sink() noexcept { return {.take = take, .context = this}; }
  std::size_t count() {
    const std::scoped_lock held(lock_);
    return messages_.size();
  }
  std::vector<std::string> messages() {
    const std::scoped_lock held(lock_);
    return messages_;
  }

 private:
  static void take(void* self, failure&& untaken) noexcept {
    auto& all = *static_cast<unhandled_failures*>(self);
    const std::scoped_lock held(all.lock_);
    all.messages_.push_back(untaken.message());
  }
  std::mutex lock_;
  std::vector<std::string> messages_;
};

/// Counts its copies that live. Move-only.
class counted {
 public:
  explicit counted(std::atomic<int>& lives) noexcept : lives_(&lives) { ++*lives_; }
  counted(counted&& other) noexcept : lives_(other.lives_) { ++*lives_; }
  counted& operator=(counted&&) = delete;
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --*lives_; }

 private:
  std::atomic<int>* lives_;
};

/// What the run's failure is about.
template <class T>
std::optional<errc> primary_of(const std::expected<T, failures>& outcome) {
  if (outcome || !outcome.error().primary.why) return std::nullopt;
  return outcome.error().primary.why->kind();
}

/// Yields until `condition` holds. A condition that never holds hangs the test, which has a time
/// limit.
template <class Condition>
void yield_until(Condition condition) {
  while (!condition()) {
    if (!yield_now()) break;
  }
}

/// Returns when each fiber of this worker that was ready has run, also one that had not started.
inline void let_others_run() {
  for (int i = 0; i < 3 * internal::worker::turns_max; ++i) (void)yield_now();
}

/// A fiber that counts how often it runs, and yields until this ends.
class counting_yielder {
 public:
  counting_yielder() {
    yield_until([this] { return ran_ > 0; });
    ran_ = 0;
  }
  counting_yielder(const counting_yielder&) = delete;
  counting_yielder& operator=(const counting_yielder&) = delete;
  ~counting_yielder() {
    stop_ = true;
    EXPECT_TRUE(fiber_.join());
  }
  /// Since it was made.
  int ran() const { return ran_; }

 private:
  bool stop_ = false;
  int ran_ = 0;
  fiber<void> fiber_ = spawn([this] {
                         while (!stop_) {
                           ++ran_;
                           EXPECT_TRUE(yield_now());
                         }
                       }).value();
};

}  // namespace bast::test
