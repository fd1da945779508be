// SPDX-License-Identifier: Apache-2.0
//
// Values that a function keeps in registers and on its stack survive a switch. Both sides of a
// switch run a chain of arithmetic with more live values than registers; the oracle is the same
// chain without switches. The matrix of ci/run repeats this at every -O level.
#include <alloca.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "bast/testing/random.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

using test::for_each_mixture;
using test::form;
using test::random_numbers;
using test::raw_fiber;

constexpr int rounds = 6;

using vector = double __attribute__((vector_size(16)));

/// Hides the origin of a value, so that it is neither computed early nor recomputed.
template <class T>
[[gnu::always_inline]] inline void opaque(T& value) {
  asm volatile("" : "+m"(value));
}

std::uint64_t bits(double d) { return std::bit_cast<std::uint64_t>(d); }

bool is_aligned(const void* p, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

/// Sixteen integers, sixteen doubles, a vector, a long double, an over-aligned array and a block
/// from alloca, all live across every call of `switch_away`. Returns a digest of all of them.
template <class Switch>
[[gnu::noinline]] std::uint64_t chain(std::uint64_t seed, Switch switch_away) {
  random_numbers random(seed);
  const auto integer = [&] { return random.next(); };
  const auto real = [&] { return static_cast<double>(random.below(1 << 20)) + 1.0; };

  std::uint64_t a = integer(), b = integer(), c = integer(), d = integer(), e = integer();
  std::uint64_t f = integer(), g = integer(), h = integer(), i = integer(), j = integer();
  std::uint64_t k = integer(), l = integer(), m = integer(), n = integer(), o = integer();
  std::uint64_t p = integer();
  double r = real(), s = real(), t = real(), u = real(), v = real(), w = real(), x = real();
  double y = real(), z = real(), ra = real(), rb = real(), rc = real(), rd = real(), re = real();
  double rf = real(), rg = real();
  vector pair = {real(), real()};
  long double extended = static_cast<long double>(real()) / 3;
  alignas(64) std::uint64_t aligned[8];
  for (auto& word : aligned) word = integer();
  const std::size_t block_size = 1 + random.below(2000);
  auto* const block = static_cast<unsigned char*>(alloca(block_size));
  std::memset(block, static_cast<int>(seed & 0xff), block_size);

  std::uint64_t misplaced = 0;
  for (int round = 0; round < rounds; ++round) {
    switch_away();
    // Each new value depends on an old one, so that none can be dropped or recomputed.
    a += b * 3, b ^= c >> 1, c += d * 5, d ^= e >> 2, e += f * 7, f ^= g >> 3, g += h * 9;
    h ^= i >> 4, i += j * 11, j ^= k >> 5, k += l * 13, l ^= m >> 6, m += n * 15, n ^= o >> 7;
    o += p * 17, p ^= a >> 8;
    r += s * 0.5, s += t * 0.25, t += u * 0.5, u += v * 0.25, v += w * 0.5, w += x * 0.25;
    x += y * 0.5, y += z * 0.25, z += ra * 0.5, ra += rb * 0.25, rb += rc * 0.5, rc += rd * 0.25;
    rd += re * 0.5, re += rf * 0.25, rf += rg * 0.5, rg += r * 0.25;
    pair = pair * 0.5 + pair;
    extended = extended * 0.5L + 1;
    opaque(aligned);
    aligned[round] += a;
    block[block_size - 1] = static_cast<unsigned char>(block[block_size - 1] + block[0] + round);
    if (!is_aligned(aligned, 64)) ++misplaced;
  }
  std::uint64_t digest = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l ^ m ^ n ^ o ^ p;
  for (const double q : {r, s, t, u, v, w, x, y, z, ra, rb, rc, rd, re, rf, rg, pair[0], pair[1],
                         static_cast<double>(extended)}) {
    digest = digest * 31 + bits(q);
  }
  for (const auto word : aligned) digest = digest * 31 + word;
  for (std::size_t q = 0; q < block_size; ++q) digest = digest * 31 + block[q];
  return misplaced != 0 ? 0 : digest;
}

std::uint64_t oracle(std::uint64_t seed) {
  return chain(seed, []() {});
}

TEST(LiveValues, TheOracleTellsChainsApart) {
  EXPECT_NE(oracle(1), oracle(2));
  EXPECT_EQ(oracle(1), oracle(1));
  EXPECT_NE(oracle(1), 0U);
}

TEST(LiveValues, D13_EverythingLiveSurvivesOnBothSides) {
  auto random = random_numbers::of_this_test();
  for_each_mixture([&]<form Resumer, form Fiber>() {
    for (int trial = 0; trial < 250; ++trial) {
      const std::uint64_t inner_seed = random.next();
      const std::uint64_t outer_seed = random.next();
      std::uint64_t inner = 0;
      raw_fiber fiber(Fiber, [&](raw_fiber& self) {
        inner = chain(inner_seed, [&]() __attribute__((always_inline)) { self.suspend<Fiber>(); });
      });
      const std::uint64_t outer =
          chain(outer_seed, [&]() __attribute__((always_inline)) { fiber.resume<Resumer>(); });
      fiber.resume<Resumer>();
      ASSERT_TRUE(fiber.finished());
      ASSERT_EQ(inner, oracle(inner_seed)) << name_of(Fiber) << " inside, trial " << trial;
      ASSERT_EQ(outer, oracle(outer_seed)) << name_of(Resumer) << " outside, trial " << trial;
    }
  });
}

TEST(LiveValues, D13_AChainMayMeetAnotherPeerAtEachSwitch) {
  auto random = random_numbers::of_this_test();
  std::uint64_t digests[3] = {};
  raw_fiber first(form::in_line, [&](raw_fiber& self) {
    digests[0] = chain(10, [&]() __attribute__((always_inline)) { self.suspend<form::in_line>(); });
  });
  raw_fiber second(form::out_of_line, [&](raw_fiber& self) {
    digests[1] =
        chain(11, [&]() __attribute__((always_inline)) { self.suspend<form::out_of_line>(); });
  });
  raw_fiber third(form::in_line, [&](raw_fiber& self) {
    digests[2] = chain(12, [&]() __attribute__((always_inline)) { self.suspend<form::in_line>(); });
  });
  raw_fiber* const all[] = {&first, &second, &third};
  for (int left = 3 * (rounds + 1); left > 0;) {
    raw_fiber& next = *all[random.below(3)];
    if (next.finished()) continue;
    next.resume<form::in_line>();
    --left;
  }
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(digests[i], oracle(10 + i));
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
