// SPDX-License-Identifier: Apache-2.0
//
// Callables and results of all sizes, alignments and manners: each is constructed, moved and
// destroyed as often as the other, and the argument of a failed spawn is unchanged.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "bast/sched/sched_test.hpp"

namespace bast {
namespace {

using test::counted;

template <std::size_t Bytes>
struct sized {
  std::array<unsigned char, Bytes> content;
  static sized made() {
    sized filled;
    for (std::size_t i = 0; i < Bytes; ++i) filled.content[i] = static_cast<unsigned char>(i * 7);
    return filled;
  }
  bool is_intact() const {
    for (std::size_t i = 0; i < Bytes; ++i) {
      if (content[i] != static_cast<unsigned char>(i * 7)) return false;
    }
    return true;
  }
};

template <std::size_t In, std::size_t Out>
void passes() {
  std::atomic<int> lives = 0;
  EXPECT_TRUE(run([&] {
    for (int i = 0; i < 3; ++i) {
      auto made = spawn([in = sized<In>::made(), held = counted(lives)] {
        EXPECT_TRUE(in.is_intact());
        EXPECT_TRUE(yield_now());
        EXPECT_TRUE(in.is_intact());
        return sized<Out>::made();
      });
      EXPECT_TRUE(made->join().value().is_intact());
      // Without a handle too.
      (void)spawn([in = sized<In>::made(), held = counted(lives)] { return sized<Out>::made(); });
    }
  }));
  EXPECT_EQ(lives, 0);
}

TEST(Callable, OfEverySizeWithResultsOfEverySize) {
  passes<1, 1>();
  passes<24, 32>();
  passes<32, 33>();
  passes<33, 1>();
  passes<64, 32>();
  passes<1, 1000>();
  passes<5000, 20'000>();
}

template <class T>
bool is_aligned(const T& at) {
  return reinterpret_cast<std::uintptr_t>(&at) % alignof(T) == 0;
}

TEST(Callable, OverAlignedOnesLieInTheRecord) {
  struct alignas(32) wide {
    std::uint64_t values[4] = {1, 2, 3, 4};
    std::uint64_t operator()() const {
      EXPECT_TRUE(is_aligned(*this));
      return values[0] + values[3];
    }
  };
  struct alignas(16) half {
    std::uint64_t values[2] = {5, 6};
  };
  EXPECT_TRUE(run([] {
    EXPECT_EQ(spawn(wide{})->join().value(), 5U);
    auto aligned = spawn([] { return wide{}; }).value();
    EXPECT_TRUE(is_aligned(aligned.join().value()));
    auto both = spawn([in = half{}] { return std::pair(in.values[1], half{}); }).value();
    EXPECT_EQ(both.join().value().first, 6U);
  }));
}

TEST(Callable, LargeOnesOfSixteen) {
  struct alignas(16) large {
    std::uint64_t values[32] = {};
    std::string text = std::string(50, 'a');
  };
  EXPECT_TRUE(run([] {
    auto got = spawn([in = large{}] {
                 EXPECT_TRUE(is_aligned(in));
                 return in;
               }).value();
    const auto back = got.join().value();
    EXPECT_EQ(back.text, std::string(50, 'a'));
  }));
}

TEST(Callable, AFunctionAndAPointerToOne) {
  struct here {
    static int seven() { return 7; }
  };
  EXPECT_TRUE(run([] {
    EXPECT_EQ(spawn(here::seven)->join().value(), 7);
    EXPECT_EQ(spawn(&here::seven)->join().value(), 7);
  }));
}

TEST(Callable, AMutableOneIsCalledOnTheFibersOwnStack) {
  EXPECT_TRUE(run([] {
    auto got = spawn([n = 0]() mutable {
                 ++n;
                 EXPECT_TRUE(yield_now());
                 return ++n;
               }).value();
    EXPECT_EQ(got.join().value(), 2);
  }));
}

TEST(Callable, ALvalueIsCopied) {
  EXPECT_TRUE(run([] {
    const auto function = [held = std::make_shared<int>(4)] { return held.use_count(); };
    EXPECT_EQ(spawn(function)->join().value(), 2);
    EXPECT_EQ(function(), 1);
  }));
}

TEST(Callable, IsDestroyedBeforeTheJoinReturns) {
  std::atomic<int> lives = 0;
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < 100; ++i) {
          auto one = spawn([held = counted(lives)] {}).value();
          EXPECT_TRUE(one.join());
          EXPECT_EQ(lives, 0);
        }
      },
      {.workers = 2}));
}

#if BAST_EXCEPTIONS
struct thrown {};

template <std::size_t Extra>
struct copy_throws {
  explicit copy_throws(std::atomic<int>& n) : lives(n) { ++lives; }
  copy_throws(const copy_throws& other) : lives(other.lives) {
    if (throws) throw thrown{};
    ++lives;
  }
  ~copy_throws() { --lives; }
  void operator()() const {}
  std::atomic<int>& lives;
  bool throws = true;
  char more[Extra] = {};
};

template <class F>
void spawn_throws() {
  std::atomic<int> lives = 0;
  EXPECT_TRUE(run([&] {
    {
      const F function(lives);
      for (int i = 0; i < 100; ++i) {
        EXPECT_THROW((void)spawn(function), thrown);
        EXPECT_THROW((void)runtime_handle::current()->spawn(function), thrown);
        EXPECT_THROW((void)runtime_handle::current()->post(function), thrown);
      }
      EXPECT_EQ(lives, 1);
    }
    EXPECT_EQ(spawn([] { return 1; })->join().value(), 1);
  }));
  EXPECT_EQ(lives, 0);
}

TEST(Callable, ACopyThatThrowsLeavesNoFiber) {
  spawn_throws<copy_throws<1>>();
  spawn_throws<copy_throws<100>>();
}

/// Throws at its second move: the first is into the record.
template <std::size_t Extra>
struct move_throws {
  explicit move_throws(std::atomic<int>& n) : lives(n) { ++lives; }
  move_throws(move_throws&& other) : lives(other.lives), moves(other.moves + 1) {
    if (moves == 2) throw std::runtime_error("a move");
    ++lives;
  }
  ~move_throws() { --lives; }
  int operator()() const { return 1; }
  std::atomic<int>& lives;
  int moves = 0;
  char more[Extra] = {};
};

template <class F>
void move_throws_in_the_fiber() {
  std::atomic<int> lives = 0;
  test::unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [&] {
        auto got = spawn(F(lives)).value();
        EXPECT_THROW((void)got.join(), std::runtime_error);
        (void)spawn(F(lives), {.name = "dropped"});
      },
      {.unhandled = unhandled.sink()}));
  EXPECT_EQ(lives, 0);
  EXPECT_EQ(unhandled.messages(), std::vector<std::string>{"fiber 'dropped': a move"});
}

TEST(Callable, F6_AMoveOntoTheStackThatThrowsIsTheOutcome) {
  move_throws_in_the_fiber<move_throws<1>>();
  move_throws_in_the_fiber<move_throws<100>>();
}

TEST(Callable, AResultWhoseMoveThrowsEndsTheJoin) {
  static std::atomic<int> lives = 0;
  struct value {
    value() { ++lives; }
    value(value&& /*other*/) { throw std::runtime_error("a result"); }
    ~value() { --lives; }
  };
  EXPECT_TRUE(run([] {
    auto got = spawn([] { return value(); }).value();
    EXPECT_THROW((void)got.join(), std::runtime_error);
    EXPECT_FALSE(got);
  }));
  EXPECT_EQ(lives, 0);
}
#endif

}  // namespace
}  // namespace bast
