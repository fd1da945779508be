// SPDX-License-Identifier: Apache-2.0
//
// The decisions of the growth handler, fault by fault, with invented contexts: exact addresses, one
// byte to either side of each bound. Each test is a child that first installs a handler of the
// test, which counts the faults that the growth handler passes on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "bast/os.hpp"
#include "bast/stack/report.hpp"
#include "bast/testing/fault.hpp"
#include "bast/testing/invented_fault.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::require;

constexpr std::size_t kib = 1024;

int faults_passed_on = 0;
int reports_made = 0;
overflow_info last_report;

void count_passed_on(int, siginfo_t*, void*) { ++faults_passed_on; }
void keep_report(const overflow_info& info) noexcept {
  ++reports_made;
  last_report = info;
}

enum class verdict { grown, passed_on, reported };

/// One pool with a live stack, in a child.
struct faulting {
  explicit faulting(stack_tier tier) {
    struct sigaction ours{};
    ours.sa_sigaction = count_passed_on;
    ours.sa_flags = SA_SIGINFO;
    test::install_application_handler(ours);
    require(pool.init({.limit = 256_KiB,
                       .guard = 128_KiB,
                       .window = 64_KiB,
                       .retain = 64_KiB,
                       .tier = tier,
                       .scrub = stack_scrub::none},
                      8)
                .has_value(),
            "a pool");
    require(pool.acquire(test::site_b).has_value(), "a neighbour");
    s = pool.acquire(test::site_a, "walker").value();
    home = &slab::of(*s);
    require(set_overflow_hook(keep_report) == nullptr, "no hook before the first");
    low = reinterpret_cast<std::uintptr_t>(home->low(*s));
    floor = low + 128 * kib;
    top = reinterpret_cast<std::uintptr_t>(home->high(*s));
  }
  std::uintptr_t open_low() const { return reinterpret_cast<std::uintptr_t>(home->open_low(*s)); }

  verdict strike(std::uintptr_t address, std::uintptr_t sp, int code = SEGV_ACCERR) {
    const test::invented_fault fault{
        .address = address, .sp = sp, .pc = 0x1111, .fp = 0x2222, .code = code};
    siginfo_t info = fault.info();
    ucontext_t context = fault.context();
    faults_passed_on = reports_made = 0;
    os::handle_fault(SIGSEGV, &info, &context);
    require(faults_passed_on <= 1 && reports_made <= faults_passed_on,
            "a report is passed on as well, once");
    if (faults_passed_on == 0) return verdict::grown;
    return reports_made == 0 ? verdict::passed_on : verdict::reported;
  }
  /// Expects no growth and no report.
  void nothing(std::uintptr_t address, std::uintptr_t sp, int code, const char* sentence) {
    const std::uintptr_t before = open_low();
    const std::uint16_t grows = s->grows.load();
    require(strike(address, sp, code) == verdict::passed_on, sentence);
    require(open_low() == before && s->grows.load() == grows, sentence);
  }
  void report(std::uintptr_t address, std::uintptr_t sp, const overflow_info& wanted,
              const char* sentence) {
    const std::uintptr_t before = open_low();
    require(strike(address, sp) == verdict::reported, sentence);
    require(open_low() == before, sentence);
    require(last_report.cause == wanted.cause, "the cause");
    require(last_report.name == wanted.name, "the name");
    require(last_report.site == wanted.site, "the site");
    require(last_report.fault_address == address, "the fault's address");
    require(last_report.stack_pointer == sp, "the stack pointer");
    require(last_report.program_counter == 0x1111, "the instruction");
    require(last_report.limit == wanted.limit, "the limit");
    require(last_report.open == wanted.open, "what is open");
    require(last_report.depth == wanted.depth, "the depth");
    require(last_report.grows == wanted.grows, "the growths");
  }
  stack_pool pool;
  slot* s = nullptr;
  slab* home = nullptr;
  std::uintptr_t low = 0;
  std::uintptr_t floor = 0;
  std::uintptr_t top = 0;
};

struct GrowthFilterDeathTest : test::each_tier {
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // A handler can be the first only once.
    if (test::emulated) GTEST_SKIP() << "the emulator cannot start the program again";
    if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
    if (!test::tier_works(GetParam())) GTEST_SKIP() << "guard markers do not guard here";
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, GrowthFilterDeathTest, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST_P(GrowthFilterDeathTest, D3_OnlyFaultsOfAStackBelowItsOpenPartGrowIt) {
  const auto child = [] {
    faulting f(GetParam());
    const std::uintptr_t open = f.open_low();
    const std::uintptr_t sp = open + 64;
    f.nothing(open, sp, SEGV_ACCERR, "an open address is not an overflow");
    f.nothing(f.top - 1, sp, SEGV_ACCERR, "nor is the other end of the open part");
    f.nothing(f.top, sp, SEGV_ACCERR, "above the stack");
    f.nothing(open - 1, sp, SI_USER, "sent by a process");
    f.nothing(open - 1, sp, SI_TKILL, "sent to the thread");
    f.nothing(open - 1, sp, SI_QUEUE, "sent with a value");
    f.nothing(open - 1, 0x1000, SEGV_ACCERR, "not on a stack of ours");
    const auto unopened =
        reinterpret_cast<std::uintptr_t>(f.home->base + f.home->reserved) - 8 * kib;
    f.nothing(unopened - 8, unopened, SEGV_MAPERR, "an unopened slot");
    f.nothing(f.low - 1, f.low + 8, SEGV_MAPERR, "the slot below is another stack");
    // The maximum distance of a frame's probes, to the byte.
    f.nothing(open - 1, open - 1 + 64 * kib + 1, SEGV_MAPERR, "a wild write");
    require(f.strike(open - 1, open - 1 + 64 * kib, 1) == verdict::grown, "the furthest probe");
    require(f.open_low() == open - 64 * kib, "doubled");
    require(f.s->grows.load() == 1, "counted");
    f.nothing(f.floor, f.floor + 64 * kib + 1, SEGV_MAPERR, "wild above the guard");
    require(f.strike(f.floor, f.floor + 64 * kib) == verdict::grown, "the lowest byte of all");
    require(f.open_low() == f.floor, "all is open");
    require(f.s->grows.load() == 2, "counted again");
    f.pool.check_invariants();
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "^$");
}

TEST_P(GrowthFilterDeathTest, F19_AReportTellsTheWholeRecord) {
  const auto child = [] {
    faulting f(GetParam());
    overflow_info wanted{.cause = overflow_cause::limit,
                         .name = "walker",
                         .site = test::site_a,
                         .limit = 256_KiB,
                         .open = 64_KiB,
                         .depth = {f.top - f.floor + 1}};
    f.report(f.floor - 1, f.floor + 100, wanted, "the guard's last byte, the fault is deeper");
    wanted.depth = {f.top - f.low};
    f.report(f.low, f.low + 64 * kib, wanted, "the guard's first byte");
    wanted.depth = {f.top - f.low - 100};
    f.report(f.low + 200, f.low + 100, wanted, "the stack pointer is deeper");
    f.nothing(f.low, f.low + 64 * kib + 1, SEGV_MAPERR, "a wild write into the guard");

    const std::uintptr_t just_below = f.open_low() - 1;
    wanted.depth = {f.top - just_below};
    const auto below = [&](overflow_cause cause, const char* sentence) {
      wanted.cause = cause;
      f.report(just_below, just_below + 8, wanted, sentence);
    };
    f.pool.budget().set_limit(f.pool.budget().open());
    below(overflow_cause::pool_budget, "the pool's budget");
    f.pool.budget().set_limit(unlimited_bytes);
    process_stack_budget().set_limit(process_stack_budget().open());
    below(overflow_cause::process_budget, "the process's budget");
    process_stack_budget().set_limit(unlimited_bytes);
    {
      const os::fault_scope refusing({.nth = 1, .persistent = true});
      below(overflow_cause::kernel, "the kernel");
    }
    f.s->state = slot_state::idle;  // Its `name` is then something else.
    wanted.name = nullptr;
    below(overflow_cause::guard_skipped, "an idle stack has no thread");
    f.s->state = slot_state::live;

    require(f.strike(just_below, just_below + 8) == verdict::grown, "room again");
    wanted = {.cause = overflow_cause::limit,
              .name = "walker",
              .site = test::site_a,
              .limit = 256_KiB,
              .open = 128_KiB,
              .depth = {f.top - f.floor + 1},
              .grows = 1};
    f.report(f.floor - 1, f.floor, wanted, "after a growth");
    require(set_overflow_hook(nullptr) == keep_report, "the hook before");
    f.strike(f.floor - 1, f.floor);
    require(reports_made == 0 && faults_passed_on == 1, "without a hook, nothing is called");
    const watch::site_entry& told = f.pool.sites().entry_of(f.s->site);
    require(told.overflows == 9, "each of the above is counted");
    const auto stack_top = reinterpret_cast<std::uintptr_t>(f.s->top);
    require(told.deepest.depth == stack_top - f.low, "and its depth");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

/// The answers of a pool's user.
constexpr char neighbours_name[] = "neighbour";
constinit slot* running_answer = nullptr;
constinit std::uint64_t asked_as = 0;
constinit slot* asked_about = nullptr;
slot* answers(std::uint64_t user, slot& at) noexcept {
  asked_as = user;
  asked_about = &at;
  return running_answer;
}

TEST_P(GrowthFilterDeathTest, D3_OnlyTheStackThatRunsOnTheThreadGrows) {
  const auto child = [] {
    faulting f(GetParam());
    slot& neighbour = *f.pool.acquire(test::site_b, neighbours_name).value();
    f.pool.set_user(answers, 7);
    const std::uintptr_t at = f.open_low() - 1;
    // The neighbour runs and a frame of it reached over its guard: its overflow.
    overflow_info wanted{.cause = overflow_cause::guard_skipped,
                         .name = neighbours_name,
                         .site = test::site_b,
                         .limit = 256_KiB,
                         .open = 64_KiB,
                         .depth = {}};
    const auto neighbours_top = reinterpret_cast<std::uintptr_t>(f.home->high(neighbour));
    running_answer = &neighbour;
    wanted.depth = {neighbours_top - at};
    f.report(at, at + 8, wanted, "below the open part of another's stack");
    require(asked_as == 7 && asked_about == f.s, "it was asked about the stack pointer's stack");
    wanted.depth = {neighbours_top - f.low};
    f.report(f.low, f.low + 64, wanted, "in another's guard");
    const auto neighbours_low = reinterpret_cast<std::uintptr_t>(f.home->low(neighbour));
    wanted.depth = {neighbours_top - (at + 8)};
    f.report(neighbours_low + 8, at + 8, wanted, "in its own guard, sp in another stack");
    // The running stack lies below both addresses: they are above its top, not deep in it.
    slot& lowest = f.home->slots()[0];
    require(f.home->high(lowest) <= f.home->low(*f.s), "a stack below");
    running_answer = &lowest;
    wanted.name = nullptr;
    wanted.depth = {0};
    f.report(f.low + 8, f.low + 64, wanted, "above its own top");
    f.report(at, at + 8, wanted, "far above its own top");
    f.nothing(f.open_low(), f.open_low() + 8, SEGV_ACCERR, "an open address");
    // No stack of the user runs on this thread, or that is unknown.
    running_answer = nullptr;
    wanted.name = "walker";
    wanted.site = test::site_a;
    wanted.depth = {f.top - at};
    f.report(at, at + 8, wanted, "nothing runs");
    // Now it runs.
    running_answer = f.s;
    f.pool.set_user(answers, 8);
    require(f.strike(at, at + 8) == verdict::grown, "the running stack grows");
    require(asked_as == 8, "the pool's new thread was asked");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST_P(GrowthFilterDeathTest, R4_TheDeepestStackOfTheSiteIsRemembered) {
  const auto child = [] {
    faulting f(GetParam());
    const watch::deepest_stack& deepest = f.pool.sites().entry_of(f.s->site).deepest;
    const auto top = reinterpret_cast<std::uintptr_t>(f.s->top);
    require(deepest.depth == 0, "nothing yet");
    const std::uintptr_t at = f.open_low() - 1;
    require(f.strike(at, at + 100) == verdict::grown, "a growth");
    require(deepest.depth == top - at, "its depth");
    require(deepest.sp_depth == top - at - 100, "its stack pointer");
    require(deepest.pc == 0x1111 && deepest.fp == 0x2222, "its instruction and frame");
    require(deepest.top == top, "the stack's upper end");
    require(f.strike(f.floor - 1, f.floor) == verdict::reported, "an overflow");
    require(deepest.depth == top - f.floor + 1, "is the deepest");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST_P(GrowthFilterDeathTest, F19_TheReportIsWrittenWithABacktrace) {
  const auto child = [] {
    faulting f(GetParam());
    f.strike(f.floor - 1, f.floor);
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0),
              "^bast: stack overflow in coroutine 'walker', spawned at site a\n"
              "  the stack reached its limit: limit 256 KiB, open 64 KiB, depth 256 KiB, "
              "grown 0 times\n"
              "  fault address 0x[0-9a-f]+, stack pointer 0x[0-9a-f]+, instruction 0x1111\n"
              "  to fix it: raise stack_options::limit or recurse less\n"
              "  backtrace:\n.+\n.+\n");
}

/// The kernel could not fit a signal's frame, `distance` above the open part's end.
void lose_a_signal(stack_tier tier, std::size_t distance) {
  faulting f(tier);
  f.nothing(0, f.open_low() + distance, SI_KERNEL, "the kernel's report is passed on");
  _exit(0);
}

TEST_P(GrowthFilterDeathTest, D3_ALostSignalIsExplainedNearTheEndOfTheOpenPartOnly) {
  constexpr const char* explained =
      "^bast: a signal whose handler was installed without SA_ONSTACK arrived near the end of the "
      "open part of a coroutine's stack; the kernel could not deliver it\n$";
  EXPECT_EXIT(lose_a_signal(GetParam(), 0), testing::ExitedWithCode(0), explained);
  const auto bound = [] {
    faulting f(GetParam());
    require(ensure_open(*f.s, f.s->top - 100 * kib).has_value(), "more than the distance is open");
    f.nothing(0, f.open_low() + 64 * kib, SI_KERNEL, "explained");
    f.nothing(0, f.open_low() + 64 * kib + 1, SI_KERNEL, "too far from the end");
    _exit(0);
  };
  EXPECT_EXIT(bound(), testing::ExitedWithCode(0), explained);
}

}  // namespace
}  // namespace bast
