// SPDX-License-Identifier: Apache-2.0
#include "bast/base/error.hpp"

#include <gtest/gtest.h>
#include <bast/config.hpp>

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <map>
#include <new>
#include <set>

// Sanitizers replace operator new themselves; theirs must stay.
#define COUNTS_ALLOCATIONS \
  (!BAST_WITH_ASAN && !BAST_WITH_TSAN && !BAST_WITH_MSAN && !BAST_WITH_VALGRIND)

namespace {
std::size_t allocations = 0;
}

#if COUNTS_ALLOCATIONS
// Counts all allocations of this program, so that a test can check that there were none.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace bast {
namespace {

constexpr int errc_first = static_cast<int>(errc::cancelled);
constexpr int errc_last = static_cast<int>(errc::failed_scope);
constexpr int errno_last = 133;  // EHWPOISON, the last of <asm-generic/errno.h>

TEST(Error, X1_IsTriviallyCopyableAndSmall) {
  static_assert(std::is_trivially_copyable_v<error>);
  static_assert(std::is_trivially_destructible_v<error>);
  static_assert(std::is_nothrow_move_constructible_v<result<int>>);
  static_assert(sizeof(error) <= 40);
}

TEST(Error, X1_MakingCopyingAndDescribingOneAllocatesNothing) {
  (void)bast_category();  // The first use may register its destructor.
  const std::size_t before = allocations;
  const error own(errc::limit, "spawn", "max_fibers reached", 64);
  const error kernels = error::from_errno(ENOMEM, "os.map", "mmap refused", 4096);
  const error copy = own;
  const result<int> failed = fail(errc::busy, "release", "the coroutine runs");
  text line;
  copy.describe(line);
  kernels.describe(line);
  const bool same = own.code() == make_error_code(errc::limit) && failed.error() == errc::busy;
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(same);
}

TEST(Error, TheAllocationCounterOfThisTestCounts) {
  if (!COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer or valgrind owns operator new";
  const std::size_t before = allocations;
  const std::string message =
      error(errc::limit, "a long name of an operation", "a detail").message();
  EXPECT_GT(allocations, before);
  EXPECT_FALSE(message.empty());
}

// The expected table, written independently. Numbers that are missing here map to `io`.
const std::map<int, errc> errno_table = {
    {ENOMEM, errc::no_memory},    {EMFILE, errc::limit},       {ENFILE, errc::limit},
    {EAGAIN, errc::would_block},  {ENOSPC, errc::limit},       {EDQUOT, errc::limit},
    {EINVAL, errc::invalid},      {ENOSYS, errc::unsupported}, {EOPNOTSUPP, errc::unsupported},
    {ETIMEDOUT, errc::timed_out}, {ETIME, errc::timed_out},    {EPIPE, errc::closed},
    {ECONNRESET, errc::closed},   {EBUSY, errc::busy},         {EDEADLK, errc::deadlock},
};

TEST(Error, X2_EachErrnoMapsToExactlyOneCode) {
  for (int number = 1; number <= errno_last; ++number) {
    const auto row = errno_table.find(number);
    const errc expected = row == errno_table.end() ? errc::io : row->second;
    EXPECT_EQ(errc_of_errno(number), expected) << "errno " << number;
    const error e = error::from_errno(number, "operation", "detail");
    EXPECT_EQ(e.kind(), expected);
    EXPECT_EQ(e.error_number(), number);
    EXPECT_EQ(e.code(), std::error_code(number, std::system_category()));
  }
}

TEST(Error, X2_EagainIsALimitWhereSomethingIsCreated) {
  const auto of = [](int number) {
    return error::from_errno(number, "fork", "refused", error::no_value, errc::limit).kind();
  };
  EXPECT_EQ(of(EAGAIN), errc::limit);
  EXPECT_EQ(of(ENOMEM), errc::no_memory);
  EXPECT_EQ(error::from_errno(EAGAIN, "read", "refused").kind(), errc::would_block);
}

TEST(Error, X1_TheNumberIsThereWhenThereIsOne) {
  EXPECT_EQ(error(errc::limit, "spawn", "refused", 64).value(), 64);
  EXPECT_EQ(error(errc::limit, "spawn", "refused", 0).value(), 0);
  EXPECT_EQ(error(errc::limit, "spawn", "refused").value(), std::nullopt);
  EXPECT_EQ(error::from_errno(ENOMEM, "os.map", "refused", 4096).value(), 4096);
}

// A string whose life is unknown does not convert; `promise` is explicit.
TEST(Error, X1_OnlyLiteralsConvert) {
  static_assert(!std::is_convertible_v<std::string, static_string>);
  const std::string owner = "a table's";
  EXPECT_STREQ(error(errc::io, "x", static_string::promise(owner.c_str())).detail(), "a table's");
}

TEST(Error, X2_TheMappingIsTotal) {
  for (int number : {0, -1, errno_last + 1, 4095, std::numeric_limits<int>::min(),
                     std::numeric_limits<int>::max()}) {
    EXPECT_EQ(errc_of_errno(number), errc::io) << number;
  }
  // Without an errno the system category does not apply.
  const error nothing = error::from_errno(0, "operation", "detail");
  EXPECT_EQ(nothing.code(), make_error_code(errc::io));
}

TEST(Error, X2_EveryCodeHasWordsOfItsOwn) {
  std::set<std::string> seen;
  for (int value = errc_first; value <= errc_last; ++value) {
    const std::string words = bast_category().message(value);
    EXPECT_NE(words, "unknown error") << value;
    EXPECT_TRUE(seen.insert(words).second) << words;
  }
  EXPECT_EQ(seen.size(), 27U);
  EXPECT_EQ(bast_category().message(0), "unknown error");
  EXPECT_EQ(bast_category().message(errc_last + 1), "unknown error");
  EXPECT_STREQ(bast_category().name(), "bast");
}

TEST(Error, X2_ConditionsHoldOnlyWhereTheyAreTrue) {
  const std::map<errc, std::errc> table = {
      {errc::cancelled, std::errc::operation_canceled},
      {errc::timed_out, std::errc::timed_out},
      {errc::no_memory, std::errc::not_enough_memory},
      {errc::invalid, std::errc::invalid_argument},
      {errc::would_block, std::errc::resource_unavailable_try_again},
  };
  for (int value = errc_first; value <= errc_last; ++value) {
    const std::error_code code = static_cast<errc>(value);
    EXPECT_TRUE(code) << "no error is equal to success";
    for (const auto& [kind, condition] : table) {
      EXPECT_EQ(code == condition, static_cast<errc>(value) == kind) << value;
    }
  }
  // A limit of the library is not an out-of-memory condition.
  EXPECT_FALSE(std::error_code(errc::limit) == std::errc::not_enough_memory);
}

TEST(Error, X3_CancelledTimedOutAndClosedAreThreeThings) {
  const errc three[] = {errc::cancelled, errc::timed_out, errc::closed};
  for (const errc a : three) {
    for (const errc b : three) {
      EXPECT_EQ(make_error_code(a) == make_error_code(b), a == b);
      EXPECT_EQ(error(a, "operation", "detail") == b, a == b);
      EXPECT_EQ(make_error_code(a) == make_error_code(b).default_error_condition(), a == b);
    }
  }
}

TEST(Error, X3_ACancellationByTheKernelIsNotOurs) {
  const error e = error::from_errno(ECANCELED, "io.read", "the request was cancelled");
  EXPECT_EQ(e.kind(), errc::io);
  EXPECT_NE(e.code(), make_error_code(errc::cancelled));
  for (int number = 1; number <= errno_last; ++number) {
    EXPECT_NE(errc_of_errno(number), errc::cancelled) << "only the library reports it: " << number;
  }
}

TEST(Error, AMessageNamesTheOperationTheKindTheDetailAndTheNumber) {
  EXPECT_EQ(error(errc::invalid, "coro_pool.create", "max_coros must be at least 1").message(),
            "coro_pool.create: invalid argument: max_coros must be at least 1");
  EXPECT_EQ(error(errc::limit, "spawn", "fibers", 64).message(),
            "spawn: limit reached: fibers (64)");
  EXPECT_EQ(error(errc::limit, "spawn", "fibers", -1).message(),
            "spawn: limit reached: fibers (-1)");
  EXPECT_EQ(error::from_errno(ENOMEM, "os.map", "mmap refused", 4096).message(),
            "os.map: no memory: mmap refused (4096) [errno 12]");
  EXPECT_EQ(error(static_cast<errc>(99), nullptr, nullptr).message(), "?: unknown error: ?");
}

TEST(Error, ALongMessageIsCutAndMarked) {
  const std::string detail(2000, 'd');
  const std::string message =
      error(errc::io, "operation", static_string::promise(detail.c_str())).message();
  EXPECT_EQ(message.size(), text::capacity);
  EXPECT_TRUE(message.starts_with("operation: system error: ddd"));
  EXPECT_TRUE(message.ends_with("d..."));
}

TEST(Error, FailIsTheFailingBranchOfAnyResult) {
  const result<int> number = fail(errc::busy, "release", "the coroutine runs", 7);
  const result<void> nothing = fail(errc::busy, "release", "the coroutine runs");
  ASSERT_FALSE(number);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(number.error().kind(), errc::busy);
  EXPECT_STREQ(number.error().operation(), "release");
  EXPECT_STREQ(number.error().detail(), "the coroutine runs");
  EXPECT_EQ(number.error().error_number(), 0);
  EXPECT_EQ(nothing.error() == errc::busy, true);
  static_assert(errc_first == 1, "zero is success to std::error_code");
}

}  // namespace
}  // namespace bast
