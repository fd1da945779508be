// SPDX-License-Identifier: Apache-2.0
//
// Growth, from code on the growing stack: flows of control on slots of a pool, without coroutines.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;

/// Runs a function on a stack of a pool and returns when it is done.
class guest {
 public:
  static void run(slot& s, std::function<void()> body) {
    guest made(std::move(body));
    arch::prepare(made.record_.own, s.top - reinterpret_cast<std::uintptr_t>(s.top) % 16, enter);
    made.resumer_hooks_.leave(made.hooks_, stack_pool::bounds_of(s), &made);
    arch::switch_context(made.resumer_, made.record_.own);
    made.resumer_hooks_.arrive(&made);
    made.hooks_.ended();
  }

 private:
  explicit guest(std::function<void()> body) : body_(std::move(body)) { record_.self = this; }
  static void enter(arch::context* own) noexcept {
    guest& self = *reinterpret_cast<record*>(own)->self;
    self.hooks_.arrive(&self);
    self.body_();
    self.hooks_.leave_for_good(self.resumer_hooks_, {}, &self);
    arch::switch_context(self.record_.own, self.resumer_);
    __builtin_unreachable();
  }
  struct record {
    arch::context own;
    guest* self = nullptr;
  };
  record record_;
  arch::context resumer_;
  [[no_unique_address]] arch::fiber_hooks hooks_;
  [[no_unique_address]] arch::fiber_hooks resumer_hooks_;
  std::function<void()> body_;
};

/// Writes to the lowest of `size` bytes below its caller, like one huge frame.
[[gnu::noinline, gnu::no_sanitize_address]] void write_below(std::size_t size) {
  auto* const frame = static_cast<volatile char*>(__builtin_alloca(size));
  frame[0] = 1;
}

struct GuestStack : test::pool_fixture {
  void SetUp() override {
    test::pool_fixture::SetUp();
    if (!IsSkipped() && test::under_valgrind) GTEST_SKIP() << "stacks are open from the start";
    if (!IsSkipped()) {
      make({.limit = 512_KiB, .window = 64_KiB, .retain = 64_KiB, .scrub = stack_scrub::none}, 4);
    }
  }
  /// On a thread of its own, with its own alternate stack.
  void on_a_stack(const std::function<void(slot&)>& body) {
    slot& s = acquire(site_a);
    std::thread thread([&] {
      ASSERT_TRUE(os::ensure_alternate_stack().has_value());
      guest::run(s, [&] { body(s); });
    });
    thread.join();
    pool.check_invariants();
    pool.release(s);
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, GuestStack, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(GuestStack, EnsureStackOpensFromTheCallersFrameDown) {
  on_a_stack([&](slot& s) {
    const auto* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
    ASSERT_EQ(find_stack(here).record, &s);
    EXPECT_TRUE(ensure_stack(1_KiB).has_value());
    EXPECT_EQ(s.grows, 0U) << "it is open already";
    ASSERT_TRUE(ensure_stack(200_KiB).has_value());
    EXPECT_LE(slab::of(s).open_low(s), here - (200 << 10));
    EXPECT_EQ(s.grows, 1U);
  });
}

TEST_P(GuestStack, EnsureStackRefusesMoreThanIsLeftAndSaysHowMuchIs) {
  on_a_stack([&](slot& s) {
    const std::byte* const low = find_stack(__builtin_frame_address(0)).low;
    const auto* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
    const auto left = static_cast<std::size_t>(here - low);
    for (const bytes wanted : {bytes{left + 1}, 512_KiB, unlimited_bytes}) {
      const auto refused = ensure_stack(wanted);
      ASSERT_FALSE(refused.has_value()) << wanted.count;
      EXPECT_EQ(refused.error().kind(), errc::limit);
      EXPECT_STREQ(refused.error().operation(), "ensure_stack");
      EXPECT_STREQ(refused.error().detail(), "more than the stack has left, in bytes");
      const std::string words = refused.error().message();
      const std::string number = words.substr(words.find_first_of("0123456789"));
      EXPECT_LE(std::stoull(number), left) << words;
      EXPECT_GT(std::stoull(number) + 16'384, left) << words;
    }
    EXPECT_EQ(s.grows, 0U);
    // The reported rest can be opened, to the byte.
    const std::string words = ensure_stack(unlimited_bytes).error().message();
    const std::size_t said = std::stoull(words.substr(words.find_first_of("0123456789")));
    EXPECT_FALSE(ensure_stack({said + 1}).has_value());
    EXPECT_TRUE(ensure_stack({said}).has_value());
    EXPECT_EQ(slab::of(s).open_low(s), low);
  });
}

TEST_P(GuestStack, D3_AFaultOpensWhatIsNeededOrTwiceWhatThereIs) {
  on_a_stack([&](slot& s) {
    const slab& home = slab::of(s);
    write_below(std::size_t{70} << 10);
    EXPECT_EQ(home.open_bytes(s), (128_KiB).count);
    EXPECT_EQ(s.grows, 1U);
    // The compiler moves the stack pointer first, so a frame of any size is handled.
    write_below(std::size_t{400} << 10);
    EXPECT_GT(home.open_bytes(s), (400_KiB).count);
    EXPECT_LT(home.open_bytes(s), (416_KiB).count);
    EXPECT_EQ(s.grows, 2U);
    write_below(std::size_t{400} << 10);
    EXPECT_EQ(s.grows, 2U) << "it is open";
  });
  EXPECT_EQ(stats_of(site_a).grows, 2U);
  EXPECT_GT(stats_of(site_a).max, 400_KiB);
}

}  // namespace
}  // namespace bast
