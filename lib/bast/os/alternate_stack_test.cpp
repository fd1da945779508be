// SPDX-License-Identifier: Apache-2.0
//
// The invariants I1 to I3 of alternate_stack.hpp. Every test runs on a thread of its own that
// begins without an alternate stack: a sanitizer's is set aside first and restored at the very end.
#include "bast/os/alternate_stack.hpp"

#include <gtest/gtest.h>
#include <limits.h>
#include <pthread.h>
#include <sys/auxv.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "bast/os/fault_injection.hpp"
#include "bast/os/thread_end.hpp"
#include "bast/testing/fault.hpp"
#include "bast/testing/mappings.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using test::mappings;

stack_t installed_now() {
  stack_t installed{};
  EXPECT_EQ(sigaltstack(nullptr, &installed), 0);
  return installed;
}

bool is_disabled(const stack_t& s) { return (s.ss_flags & SS_DISABLE) != 0; }

/// The thread's state before the body ran, while its thread_locals were destroyed, and after it
/// ended.
struct observation {
  mappings before;
  mappings after;
  stack_t in_destructors{};
  stack_t at_exit{};
  stack_t foreign{};
  int round = 0;
};

/// The destructor of a pthread key that is younger than the library's: in the round in which the
/// library removes its stack, it runs after that.
void observe_the_end(void* out);
pthread_key_t observers_key() {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    EXPECT_EQ(pthread_key_create(&made, observe_the_end), 0);
    return made;
  }();
  return key;
}

void observe_the_end(void* out) {
  auto& seen = *static_cast<observation*>(out);
  if (++seen.round < PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
    (void)pthread_setspecific(observers_key(), out);
    return;
  }
  seen.after = mappings::now();
  seen.at_exit = installed_now();
  (void)sigaltstack(&seen.foreign, nullptr);
}

/// Constructed before the library's first use in the thread, so destroyed after the library's
/// thread_locals.
struct observer {
  ~observer() { seen->in_destructors = installed_now(); }
  observation* seen = nullptr;
};

template <class Body>
observation on_a_bare_thread(Body body) {
  observation seen;
  std::thread([&] {
    thread_local observer last;
    last.seen = &seen;
    seen.foreign = installed_now();
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    (void)sigaltstack(&none, nullptr);
    constinit static thread_local thread_end_task nothing{.run = [] noexcept {}};
    EXPECT_TRUE(at_thread_end(nothing));  // So that the library's key is older.
    EXPECT_EQ(pthread_setspecific(observers_key(), &seen), 0);
    (void)mappings::now();
    seen.before = mappings::now();
    body();
  }).join();
  return seen;
}

/// Requires that a handler can run on `stack`: it is mapped and writable from end to end.
void expect_usable(const stack_t& stack) {
  ASSERT_FALSE(is_disabled(stack));
  auto* const base = static_cast<std::byte*>(stack.ss_sp);
  for (std::size_t at = 0; at < stack.ss_size; at += page_bytes()) {
    ASSERT_TRUE(kernel_can_write(base + at)) << at;
  }
}

void expect_nothing_left(const observation& seen) {
  EXPECT_TRUE(is_disabled(seen.at_exit));
  EXPECT_EQ(seen.after, seen.before);
}

TEST(AlternateStack, I2_IsGuardedBelowAndSizedForThisCpu) {
  expect_nothing_left(on_a_bare_thread([] {
    ASSERT_TRUE(ensure_alternate_stack());
    const stack_t ours = installed_now();
    ASSERT_FALSE(is_disabled(ours));
    // 64 KiB hold the overflow report and its unwinder; or four signal frames, if those are larger.
    const std::size_t frame = std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 2048);
    const std::size_t wanted = std::max<std::size_t>(64 << 10, 4 * frame);
    EXPECT_EQ(ours.ss_size, bast::internal::round_up(wanted, page_bytes()));
    EXPECT_EQ(ours.ss_flags & ~SS_ONSTACK, 0);
    auto* const base = static_cast<std::byte*>(ours.ss_sp);
    EXPECT_FALSE(kernel_can_write(base - 16)) << "the guard is directly below";
    EXPECT_FALSE(kernel_can_write(base - page_bytes()));
    EXPECT_TRUE(kernel_can_write(base));
    EXPECT_TRUE(kernel_can_write(base + ours.ss_size - 16));
  }));
}

TEST(AlternateStack, TheMinimumHoldsASignalFrameAndTheHandler) {
  // x86-64 kernels before 5.14 report no frame size; it is 2 KiB then.
  const std::size_t frame = std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 2048);
  EXPECT_EQ(alternate_stack_bytes_min(), frame + 4096);
}

TEST(AlternateStack, IsInstalledOnce) {
  expect_nothing_left(on_a_bare_thread([] {
    ASSERT_TRUE(ensure_alternate_stack());
    const stack_t first = installed_now();
    const mappings mapped = mappings::now();
    const fault_scope scope({.kind = call::map});
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(ensure_alternate_stack());
    EXPECT_EQ(installed_now().ss_sp, first.ss_sp);
    EXPECT_EQ(scope.seen(), 0U) << "one is installed already";
    EXPECT_EQ(mappings::now(), mapped);
  }));
}

TEST(AlternateStack, I3_IsThereUntilTheLastThreadLocalIsDestroyed) {
  stack_t ours{};
  const observation seen = on_a_bare_thread([&] {
    ASSERT_TRUE(ensure_alternate_stack());
    ours = installed_now();
  });
  EXPECT_EQ(seen.in_destructors.ss_sp, ours.ss_sp);
  EXPECT_EQ(seen.in_destructors.ss_size, ours.ss_size);
  expect_nothing_left(seen);
}

TEST(AlternateStack, I3_IsTakenDownWithItsMemoryBeforeEachThreadEnds) {
  for (int round = 0; round < 20; ++round) {
    expect_nothing_left(on_a_bare_thread([] { ASSERT_TRUE(ensure_alternate_stack()); }));
  }
}

/// An application's own stack of a chosen size. Installing it must succeed.
class own_stack {
 public:
  explicit own_stack(std::size_t size) : memory_(size) {
    stack_t next{};
    next.ss_sp = memory_.data();
    next.ss_size = size;
    EXPECT_EQ(sigaltstack(&next, nullptr), 0);
  }
  bool is_installed() const { return installed_now().ss_sp == memory_.data(); }
  static void disable() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    EXPECT_EQ(sigaltstack(&none, nullptr), 0);
  }

 private:
  std::vector<std::byte> memory_;
};

TEST(AlternateStack, I1_AnApplicationsOwnStackIsUsedAndNeverReplaced) {
  own_stack* theirs = nullptr;
  const observation seen = on_a_bare_thread([&] {
    theirs = new own_stack(alternate_stack_bytes_min());
    ASSERT_TRUE(ensure_alternate_stack());
    EXPECT_TRUE(theirs->is_installed());
  });
  EXPECT_FALSE(is_disabled(seen.at_exit)) << "the application's stays to the end";
  delete theirs;
}

TEST(AlternateStack, I1_AStackThatIsTooSmallIsRefusedWithTheBytesNeeded) {
  (void)on_a_bare_thread([] {
    const own_stack theirs(alternate_stack_bytes_min() - 1);
    const fault_scope scope({.kind = call::map});
    const auto refused = ensure_alternate_stack();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), errc::invalid);
    const std::string message = refused.error().message();
    EXPECT_TRUE(message.starts_with("os.ensure_alternate_stack: invalid argument: ")) << message;
    EXPECT_TRUE(message.ends_with('(' + std::to_string(alternate_stack_bytes_min()) + ')'))
        << message;
    EXPECT_TRUE(theirs.is_installed()) << "not replaced";
    EXPECT_EQ(scope.seen(), 0U);
    own_stack::disable();
  });
}

TEST(AlternateStack, I1_AStackInstalledOverOursStaysWhenTheThreadEnds) {
  own_stack* theirs = nullptr;
  const observation seen = on_a_bare_thread([&] {
    ASSERT_TRUE(ensure_alternate_stack());
    theirs = new own_stack(64 << 10);
  });
  EXPECT_FALSE(is_disabled(seen.at_exit));
  delete theirs;
}

TEST(AlternateStack, OursIsInstalledAgainAndNotMappedAgainWhenSomebodyDisabledIt) {
  expect_nothing_left(on_a_bare_thread([] {
    ASSERT_TRUE(ensure_alternate_stack());
    const stack_t first = installed_now();
    const mappings mapped = mappings::now();
    own_stack::disable();
    ASSERT_TRUE(ensure_alternate_stack());
    EXPECT_EQ(installed_now().ss_sp, first.ss_sp);
    EXPECT_EQ(mappings::now(), mapped);
  }));
}

TEST(AlternateStack, EachRefusedCallLeavesNothingBehindAndALaterAttemptSucceeds) {
  const fault_plan plans[] = {
      {.kind = call::map, .nth = 1, .error_number = ENOMEM},
      {.kind = call::protect, .nth = 1, .error_number = ENOMEM},
      {.kind = call::sigaltstack, .nth = 1, .error_number = EPERM},  // reading
      {.kind = call::sigaltstack, .nth = 2, .error_number = EPERM},  // the installation
  };
  for (const fault_plan& plan : plans) {
    SCOPED_TRACE(name_of(plan.kind));
    expect_nothing_left(on_a_bare_thread([&] {
      const mappings before = mappings::now();
      {
        const fault_scope fault(plan);
        const auto refused = ensure_alternate_stack();
        ASSERT_FALSE(refused);
        EXPECT_EQ(fault.injected(), 1U);
        EXPECT_EQ(refused.error().error_number(), plan.error_number);
      }
      EXPECT_TRUE(is_disabled(installed_now()));
      EXPECT_EQ(mappings::now(), before);
      ASSERT_TRUE(ensure_alternate_stack());
      expect_usable(installed_now());
    }));
  }
}

TEST(AlternateStack, OneThatIsRefusedWhenItIsInstalledAgainIsGivenBack) {
  expect_nothing_left(on_a_bare_thread([] {
    const mappings before = mappings::now();
    for (int life = 0; life < 2; ++life) {
      ASSERT_TRUE(ensure_alternate_stack());
      own_stack::disable();
      {
        const fault_scope fault({.kind = call::sigaltstack, .nth = 2, .error_number = ENOMEM});
        const auto refused = ensure_alternate_stack();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().message(),
                  "os.ensure_alternate_stack: no memory: sigaltstack refused [errno 12]");
      }
      EXPECT_TRUE(is_disabled(installed_now()));
      EXPECT_EQ(mappings::now(), before);
    }
    ASSERT_TRUE(ensure_alternate_stack());
    expect_usable(installed_now());
  }));
}

TEST(AlternateStack, EachErrnoOfItsCallsIsKept) {
  expect_nothing_left(on_a_bare_thread([] {
    for (const int error_number : {EPERM, EINVAL, ENOMEM}) {
      for (std::uint64_t nth = 1; nth <= 2; ++nth) {
        const fault_scope fault(
            {.kind = call::sigaltstack, .nth = nth, .error_number = error_number});
        EXPECT_EQ(ensure_alternate_stack().error().message(),
                  error::from_errno(error_number, "os.ensure_alternate_stack",
                                    static_string::promise(nth == 1 ? "sigaltstack cannot be read"
                                                                    : "sigaltstack refused"))
                      .message());
      }
    }
  }));
}

TEST(AlternateStack, X6_WhenEvenGivingBackIsRefusedItIsRetried) {
  expect_nothing_left(on_a_bare_thread([] {
    const mappings before = mappings::now();
    {
      // The read and the mapping succeed; the guard and everything after it fail.
      const fault_scope fault({.kind = call::any, .nth = 3, .persistent = true});
      ASSERT_FALSE(ensure_alternate_stack());
      EXPECT_GE(fault.injected(), 2U);
    }
    EXPECT_EQ(retry_pending_releases(), 0U);
    EXPECT_EQ(mappings::now(), before);
  }));
}

bool handler_was_on_it = false;
constinit const test::forbidden_page* page_of_a_thread = nullptr;

bool look_where_we_run(siginfo_t*, void*) noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const stack_t ours = installed_now();
  const auto base = reinterpret_cast<std::uintptr_t>(ours.ss_sp);
  handler_was_on_it = here > base && here < base + ours.ss_size;
  return page_of_a_thread->open();
}

TEST(AlternateStackDeathTest, D3_TheFaultHandlerRunsOnIt) {
  const auto child = [] {
    test::start_from_default_action();
    test::require(install_fault_filter(look_where_we_run).has_value(), "installed");
    const test::forbidden_page page;
    page_of_a_thread = &page;
    (void)on_a_bare_thread([&] {
      test::require(ensure_alternate_stack().has_value(), "ensured");
      test::load_from(page.address());
    });
    test::require(handler_was_on_it, "the handler's frame is on the alternate stack");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
