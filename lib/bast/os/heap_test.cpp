// SPDX-License-Identifier: Apache-2.0
#include "bast/os/heap.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

TEST(Heap, GivesBlocksThatDoNotOverlapAndAreAligned) {
  auto* const first = static_cast<char*>(allocate(100));
  auto* const second = static_cast<char*>(allocate(100));
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % alignof(std::max_align_t), 0U);
  std::memset(first, 1, 100);
  std::memset(second, 2, 100);
  EXPECT_EQ(first[0] + first[99], 2);
  EXPECT_EQ(second[0] + second[99], 4);
  deallocate(first);
  deallocate(second);
  deallocate(nullptr);
}

TEST(Heap, AReallocatedBlockKeepsWhatItHeld) {
  void* block = reallocate(nullptr, 4);
  ASSERT_NE(block, nullptr);
  std::memcpy(block, "four", 4);
  block = reallocate(block, 1 << 16);
  ASSERT_NE(block, nullptr);
  std::memset(static_cast<char*>(block) + 4, 'x', (1 << 16) - 4);
  EXPECT_EQ(std::memcmp(block, "four", 4), 0);
  block = reallocate(block, 4);
  EXPECT_EQ(std::memcmp(block, "four", 4), 0);
  deallocate(block);
}

/// The smallest of several blocks: malloc may return a larger remainder of another block.
template <class Make>
std::size_t usable_bytes(Make make) {
  std::array<void*, 16> blocks{};
  std::size_t least = SIZE_MAX;
  for (void*& block : blocks) {
    block = make();
    least = std::min(least, ::malloc_usable_size(block));
  }
  for (void* const block : blocks) deallocate(block);
  return least;
}

TEST(Heap, ABlockIsNoLargerThanAsked) {
  for (std::size_t size = 1; size <= 200; ++size) {
    // NOLINTNEXTLINE(*-no-malloc): the reference
    const std::size_t usable = usable_bytes([size] { return std::malloc(size); });
    EXPECT_EQ(usable_bytes([size] { return allocate(size); }), usable) << size;
    EXPECT_EQ(usable_bytes([size] { return reallocate(nullptr, size); }), usable) << size;
  }
}

TEST(Heap, X6_ARefusedBlockIsNullAndTheOldOneStays) {
  void* const block = allocate(4);
  std::memcpy(block, "four", 4);
  const fault_scope fault({.kind = call::allocate, .nth = 1, .persistent = true});
  EXPECT_EQ(allocate(16), nullptr);
  EXPECT_EQ(reallocate(block, 1 << 16), nullptr);
  EXPECT_EQ(std::memcmp(block, "four", 4), 0);
  deallocate(block);
  EXPECT_EQ(fault.injected(), 2U) << "freeing does not pass fault injection";
}

/// Counts live objects and records the constructor's arguments.
struct counted {
  static inline int alive = 0;
  counted(int* first, int second) noexcept : pointer(first), number(second) { ++alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  int* pointer;
  int number;
};

TEST(Heap, MakesAndDestroysOneObject) {
  int target = 0;
  counted* const made = make<counted>(&target, 7);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->pointer, &target);
  EXPECT_EQ(made->number, 7);
  EXPECT_EQ(counted::alive, 1);
  destroy(made);
  EXPECT_EQ(counted::alive, 0);
  destroy(static_cast<counted*>(nullptr));
  EXPECT_EQ(counted::alive, 0);
}

TEST(Heap, X6_AnObjectWithoutMemoryIsNullAndNotConstructed) {
  const fault_scope fault({.kind = call::allocate, .nth = 1});
  EXPECT_EQ(make<counted>(nullptr, 1), nullptr);
  EXPECT_EQ(counted::alive, 0);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
