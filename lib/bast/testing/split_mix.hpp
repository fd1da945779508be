// SPDX-License-Identifier: Apache-2.0
//
// A small generator of random numbers, for tests and stress: SplitMix64 (Steele, Lea, Flood, OOPSLA
// 2014). random.hpp has the one of a test, which prints how to repeat it.
#pragma once

#include <cstdint>

namespace bast::test {

class split_mix {
 public:
  explicit split_mix(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// From 0 to `limit` - 1.
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

}  // namespace bast::test
