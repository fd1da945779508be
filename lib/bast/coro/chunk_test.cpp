// SPDX-License-Identifier: Apache-2.0
//
// The first coroutine of a process creates the table, so tests of that run in their own
// processes.
#include "bast/coro/chunk.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using internal::chunk_blocks;
using internal::chunk_bytes;

constexpr std::size_t per_chunk = chunk_blocks - 1;  // the first of a chunk is its head

std::byte* process_table() { return reinterpret_cast<std::byte*>(watch::registry()->coros); }
std::size_t used_bytes() { return watch::registry()->coros_bytes; }

/// Acquires `count` coroutines that never start.
bool acquire_more(coro_pool& pool, std::size_t count, std::vector<coro<>>& into) {
  for (std::size_t i = 0; i < count; ++i) {
    auto c = pool.acquire();
    if (!c) return false;
    into.push_back(std::move(*c));
  }
  return true;
}

TEST(BlockTable, X6_ARefusedTableIsNoMemoryAndTheNextAttemptSucceeds) {
  test::expect_in_fresh_process([] {
    coro_pool pool = *coro_pool::create();
    {
      const os::fault_scope all({.kind = os::call::map, .nth = 1, .persistent = true});
      if (test::kind_of(pool.acquire()) != errc::no_memory) return 1;
      if (all.injected() != 17) return 2;  // 4 GiB, then halves down to one step of 64 KiB
    }
    {
      const os::fault_scope opening({.kind = os::call::protect, .nth = 1});
      if (test::kind_of(pool.acquire()) != errc::no_memory) return 3;
    }
    if (used_bytes() != 0) return 4;
    pool.check_invariants();
    auto c = pool.acquire();
    if (!c || !c->start([] {}).finished()) return 5;
    return used_bytes() == chunk_bytes ? 0 : 6;
  });
}

TEST(BlockTable, ASmallerTableServesWhereAddressSpaceIsLimited) {
  test::expect_in_fresh_process([] {
    coro_pool pool = *coro_pool::create();
    const os::fault_scope largest({.kind = os::call::map, .nth = 1, .also_nth = 2});
    auto c = pool.acquire();
    if (!c || largest.injected() != 2) return 1;
    return c->start([] {}).finished() ? 0 : 2;
  });
}

TEST(BlockTable, WhenTheSmallerTableIsFullThatIsALimit) {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN) GTEST_SKIP() << "terabytes are mapped";
  if (test::emulated) GTEST_SKIP() << "qemu does not serve RLIMIT_AS";
  if (BAST_WITH_VALGRIND) GTEST_SKIP() << "valgrind's own memory counts as well";
  test::expect_in_fresh_process([] {
    constexpr std::size_t table_bytes = 32 * chunk_bytes;
    std::vector<coro<>> all;
    all.reserve(4096);
    coro_pool pool = *coro_pool::create();
    rlimit before{};
    if (::getrlimit(RLIMIT_AS, &before) != 0) return 1;
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    // Room for a table of that size and its alignment, but not for twice as much.
    const rlim_t most = pages * os::page_bytes() + 2 * table_bytes;
    const rlimit little{.rlim_cur = most, .rlim_max = before.rlim_max};
    if (::setrlimit(RLIMIT_AS, &little) != 0) return 2;
    if (!acquire_more(pool, 1, all)) return 3;
    if (::setrlimit(RLIMIT_AS, &before) != 0) return 4;
    if (!acquire_more(pool, 32 * per_chunk - 1, all)) return 5;
    if (used_bytes() != table_bytes) return 6;
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (test::words_of(pool.acquire()) !=
          "coro_pool.acquire: limit reached: the process has its maximum of coroutines (2048)") {
        return 7;
      }
    }
    pool.check_invariants();
    all.pop_back();
    if (!pool.acquire()) return 8;
    coro_pool other = *coro_pool::create();
    if (test::kind_of(other.acquire()) != errc::limit) return 9;
    all.clear();
    pool = *coro_pool::create();  // The previous pool returned everything to the table.
    return other.acquire() ? 0 : 10;
  });
}

TEST(BlockTable, TheTableIsOpenedStepByStep) {
  test::expect_in_fresh_process([] {
    coro_pool pool = *coro_pool::create();
    std::vector<coro<>> all;
    const std::size_t step = std::max(16 * chunk_bytes, os::page_bytes());
    if (!acquire_more(pool, 1, all)) return 1;
    if (!test::accessible(process_table() + step - 64) || test::accessible(process_table() + step))
      return 2;
    if (!acquire_more(pool, 16 * per_chunk - 1, all)) return 3;
    if (used_bytes() != 16 * chunk_bytes) return 4;
    if (step == used_bytes() && test::accessible(process_table() + step)) return 5;
    if (!acquire_more(pool, 1, all)) return 6;
    if (used_bytes() != 17 * chunk_bytes) return 7;
    return test::accessible(process_table() + 16 * chunk_bytes) ? 0 : 8;
  });
}

TEST(BlockTable, ChunksOfPoolsThatAreGoneAreUsedAgain) {
  // In its own process, where no earlier test left a free chunk.
  test::expect_in_fresh_process([] {
    for (int round = 0; round < 4; ++round) {
      coro_pool pool = *coro_pool::create();
      std::vector<coro<>> all;
      if (!acquire_more(pool, 5 * per_chunk, all)) return 1;
      pool.check_invariants();
      if (used_bytes() != 5 * chunk_bytes) return 2;
    }
    return 0;
  });
}

TEST(BlockTable, APoolsChunksAreItsOwnWhileItLives) {
  coro_pool one = *coro_pool::create();
  coro_pool other = *coro_pool::create();
  auto a = one.acquire();
  auto b = other.acquire();
  EXPECT_TRUE(one.owns(*a));
  EXPECT_FALSE(other.owns(*a));
  EXPECT_FALSE(one.owns(*b));
  EXPECT_TRUE(other.owns(*b));
  const coro_ref<> gone = *a;
  a = {};
  one = *coro_pool::create();
  EXPECT_FALSE(one.owns(gone)) << "a free chunk has no owner";
  EXPECT_FALSE(other.owns(gone));
  EXPECT_FALSE(one.owns(coro_ref<>()));
}

TEST(BlockTable, TheHeaderHasThePlacesOfTheRealBlocks) {
  coro_pool pool = *coro_pool::create();
  ASSERT_TRUE(pool.acquire());
  using internal::coro_block;
  const std::size_t context = offsetof(coro_block, context);
  watch::coro_layout expected{};
  expected.record_bytes = sizeof(coro_block);
  expected.sp = static_cast<std::uint16_t>(context + offsetof(arch::context, sp));
  expected.pc = static_cast<std::uint16_t>(context + offsetof(arch::context, pc));
  expected.fp = static_cast<std::uint16_t>(context + offsetof(arch::context, fp));
  expected.tag = offsetof(coro_block, tag);
  expected.stack = offsetof(coro_block, stack);
  expected.head_every = 64;
  expected.newest = 0;
  expected.outer = 8;
  const watch::coro_layout described = watch::registry()->blocks;
  EXPECT_EQ(std::memcmp(&described, &expected, sizeof expected), 0);
  EXPECT_EQ(watch::registry()->coros % chunk_bytes, 0U);  // I1
}

TEST(BlockTable, TheBlockOfACoroutineIsInTheTableAndItsTagTellsItsState) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  std::size_t at = 0;
  ASSERT_FALSE(c->start([&] {
                  auto* const block = reinterpret_cast<std::byte*>(internal::this_thread.current);
                  at = static_cast<std::size_t>(block - process_table());
                  ASSERT_TRUE(this_coro::yield());
                }).failed());
  ASSERT_LT(at, used_bytes());
  const auto state = [&] {
    std::uint64_t tag = 0;
    std::memcpy(&tag, process_table() + at + watch::registry()->blocks.tag, sizeof tag);
    return static_cast<watch::coro_state>(tag & 0xff);
  };
  EXPECT_EQ(state(), watch::coro_state::suspended);
  ASSERT_FALSE(c->resume().failed());
  EXPECT_EQ(state(), watch::coro_state::finished);
  ASSERT_TRUE(c->release());
  EXPECT_EQ(state(), watch::coro_state::free);
}

}  // namespace
}  // namespace bast
