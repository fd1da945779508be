// SPDX-License-Identifier: Apache-2.0
//
// F-12: every object on an abandoned stack that others point to is found, wherever it lies, and
// nothing else is.
#include "bast/coro/abandonable.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "bast/coro.hpp"

namespace bast {
namespace {

/// Records which object was ended.
struct linked : internal::abandonable {
  std::vector<int>* ended;
  int number;
  linked(std::vector<int>& to, int n) : abandonable(end), ended(&to), number(n) { mark(); }
  linked(const linked&) = delete;
  linked& operator=(const linked&) = delete;
  ~linked() { unmark(); }
  static void end(abandonable& self) noexcept {
    auto& mine = static_cast<linked&>(self);
    mine.ended->push_back(mine.number);
  }
};

struct nested {
  static void down(std::vector<int>& ended, int depth) {
    const linked mine(ended, depth);
    if (depth != 0) return down_and_back(ended, depth);
    (void)this_coro::yield();
  }
  [[gnu::noinline]] static void down_and_back(std::vector<int>& ended, int depth) {
    char frame[1000] = {};
    down(ended, depth - 1);
    asm volatile("" : : "r"(&frame) : "memory");
  }
};

TEST(Abandonable, F12_IsEndedOnceWhereverItLies) {
  coro_pool pool = *coro_pool::create();
  for (int life = 0; life < 3; ++life) {
    std::vector<int> ended;
    auto c = pool.acquire();
    // In the callable, in an optional, and in the frames of a recursion.
    struct job {
      std::vector<int>& to;
      std::optional<linked> own;
      explicit job(std::vector<int>& ended_here) : to(ended_here) {}
      job(job&& other) noexcept : to(other.to) {}
      job(const job&) = delete;
      job& operator=(const job&) = delete;
      ~job() = default;
      void operator()() {
        own.emplace(to, 100);
        nested::down(to, 20);
      }
    };
    ASSERT_FALSE(c->start(job(ended)).failed());
    ASSERT_TRUE(c->release(abandon));
    std::vector<int> wanted;
    for (int depth = 0; depth <= 20; ++depth) wanted.push_back(depth);
    wanted.push_back(100);
    if (!BAST_WITH_ASAN) {  // It orders frames differently.
      EXPECT_EQ(ended, wanted) << "innermost first";
    }
    EXPECT_EQ(ended.size(), wanted.size());
  }
  pool.check_invariants();
}

TEST(Abandonable, F12_NotWhatHasEndedNorACopyNorWhatLiesElsewhere) {
  coro_pool pool = *coro_pool::create();
  std::vector<int> ended;
  auto c = pool.acquire();
  auto other = pool.acquire();
  const linked outside(ended, 1);
  auto on_heap = std::make_unique<linked>(ended, 2);
  ASSERT_FALSE(other
                   ->start([&] {
                     const linked elsewhere(ended, 3);
                     (void)this_coro::yield();
                   })
                   .failed());
  ASSERT_FALSE(c->start([&] {
                  std::optional<linked> gone(std::in_place, ended, 4);
                  // Each copy has another address than its mark says.
                  alignas(linked) unsigned char copies[256][sizeof(linked)];
                  for (auto& copy : copies) std::memcpy(copy, &*gone, sizeof copy);
                  gone.reset();
                  for (auto& copy : copies) {
                    asm volatile("" : : "r"(copy) : "memory");
                  }
                  (void)this_coro::yield();
                  asm volatile("" : : "r"(&copies) : "memory");
                }).failed());
  ASSERT_TRUE(c->release(abandon));
  EXPECT_TRUE(ended.empty());
  ASSERT_TRUE(other->release(abandon));
  EXPECT_EQ(ended, std::vector{3});
}

/// For every secret, addresses that differ in any bits have different marks.
TEST(Abandonable, F12_NoCopyIsEndedAtAnyDistance) {
  const coro_pool pool = *coro_pool::create();  // chooses the secret
  constexpr std::size_t size = 1 << 20;
  std::vector<int> ended;
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(size, size),
                                                           std::free);
  auto* const low = static_cast<std::byte*>(memory.get());
  for (const std::size_t original : {std::size_t{0}, size / 2, size - sizeof(linked)}) {
    auto* const marked = new (low + original) linked(ended, 1);
    alignas(linked) std::byte image[sizeof(linked)];
    std::memcpy(image, static_cast<void*>(marked), sizeof image);
    for (std::size_t at = 0; at < size; at += sizeof(linked)) {
      if (at != original) std::memcpy(low + at, image, sizeof image);
    }
    internal::abandonable::end_between(low, low + size);
    EXPECT_EQ(ended, std::vector{1}) << original;
    ended.clear();
    internal::abandonable::end_between(low, low + size);
    EXPECT_TRUE(ended.empty()) << "it has ended";
  }
}

TEST(Abandonable, F12_BothEndsOfTheRangeAreExact) {
  const coro_pool pool = *coro_pool::create();
  std::vector<int> ended;
  linked all[] = {{ended, 0}, {ended, 1}, {ended, 2}, {ended, 3}};
  const auto* const low = reinterpret_cast<const std::byte*>(all);
  constexpr std::size_t step = sizeof(linked);
  internal::abandonable::end_between(low + step, low + step);
  internal::abandonable::end_between(low + step + sizeof(void*), low + 2 * step);
  EXPECT_TRUE(ended.empty());
  internal::abandonable::end_between(low + step, low + 3 * step);
  EXPECT_EQ(ended, (std::vector{1, 2}));
}

TEST(Abandonable, F12_WhatACoroutineEndsItselfIsNotEndedAgain) {
  coro_pool pool = *coro_pool::create();
  std::vector<int> ended;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&] {
                  for (int i = 0; i < 3; ++i) {
                    const linked mine(ended, i);
                    (void)this_coro::yield();
                  }
                  (void)this_coro::yield();
                }).failed());
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(c->resume().failed());
  ASSERT_TRUE(c->release(abandon));
  EXPECT_TRUE(ended.empty());
}

/// The function that ends it may query the coroutine, which is running.
TEST(Abandonable, F1_ItsEndFindsTheCoroutineRunning) {
  static coro_ref<> own;
  static coro_state seen;
  static bool released;
  struct asks : internal::abandonable {
    asks() : abandonable(end) { mark(); }
    static void end(abandonable&) noexcept {
      seen = own.state();
      released = own.release(abandon).has_value();
    }
  };
  coro_pool pool = *coro_pool::create();
  own = pool.acquire()->detach();
  ASSERT_FALSE(own.start([] {
                    const asks mine;
                    (void)this_coro::yield();
                  })
                   .failed());
  ASSERT_TRUE(own.release(abandon));
  EXPECT_EQ(seen, coro_state::running);
  EXPECT_FALSE(released);
  EXPECT_EQ(own.state(), coro_state::free);
  EXPECT_EQ(pool.stats().free, 1U);
  pool.check_invariants();
}

#if !BAST_EXCEPTIONS
TEST(Abandonable, F17_APoolThatCannotUnwindEndsItToo) {
  std::vector<int> ended;
  {
    coro_pool pool = *coro_pool::create();
    for (int i = 0; i < 3; ++i) {
      auto c = pool.acquire()->detach();
      ASSERT_FALSE(c.start([&ended, i] {
                      const linked mine(ended, i);
                      (void)this_coro::yield();
                    }).failed());
    }
  }
  EXPECT_EQ(ended, (std::vector{2, 1, 0}));
}
#endif

}  // namespace
}  // namespace bast
