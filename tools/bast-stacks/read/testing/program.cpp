// SPDX-License-Identifier: Apache-2.0
//
// The program that the reader's tests read: it uses only bast.
//
//   program depths N...   a suspended coroutine for each N, used to exactly N bytes; says "ready",
//                         ends with its standard input
//   program listen N...   the same with all ways in but one closed: only root may read its
//                         memory, and a bast::watch::listener waits
//   program stacks N...   the same of stacks without a coroutine, a site for each, called N
//   program released N... the same, and gives them back instead of waiting
//   program run COUNT N   COUNT coroutines of N bytes, one after the other; exits with 7
//   program deep N [THREAD]  says "ready"; at the next line of its input starts a coroutine, on
//                         a new thread if THREAD is there, that uses a fresh stack down to the page
//                         N bytes below its top; says "ready" again while it is there, ends with
//                         its standard input
//   program many COUNT    COUNT suspended coroutines; says "ready", ends with its standard input
//   program forks CHILDREN COUNT N  one coroutine of 5,000 bytes, then children that run COUNT of N
//                         bytes each and end by _exit; exits with 7 when all of them are gone
//   program family CHILDREN  a coroutine, then children that wait; says "ready", ends with its
//                         standard input and kills them
//   program becomes COUNT N  the same first, then it becomes `program run COUNT N`
//   program killed N      a coroutine of N bytes kills the process
//   program crash N       a coroutine of N bytes writes to a null pointer
//   program overflow      a coroutine exceeds its stack
//   program recurse N     a coroutine recurses N times and ends; exits with 7
//   program none          no pool; exits with 3
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bast/coro.hpp>
#include <bast/watch.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

using namespace bast::literals;

namespace {

/// Leaves a nonzero byte at exactly this distance from the stack's top.
[[gnu::noinline]] void use_to(std::size_t depth) {
  const bast::stack_view here = bast::find_stack(__builtin_frame_address(0));
  if (!bast::ensure_stack(bast::bytes{depth})) std::abort();
  auto* const top = const_cast<std::byte*>(here.top);
  *static_cast<volatile std::byte*>(top - depth) = std::byte{0x5a};
}

void wait_for_end_of_input() {
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
}

bast::coro_pool make_pool() { return bast::coro_pool::create({.stack = {.limit = 8_MiB}}).value(); }

int depths(std::span<char*> sizes) {
  auto pool = make_pool();
  std::vector<bast::coro<>> all;
  for (char* const size : sizes) {
    all.push_back(pool.acquire().value());
    auto step = all.back().start("worker", [depth = std::strtoull(size, nullptr, 10)] {
      use_to(depth);
      (void)bast::this_coro::yield();
    });
    if (step.failed()) return 1;
  }
  wait_for_end_of_input();
  return 0;
}

/// Only the byte at `depth` is on these stacks, so depths may be small.
int stacks(std::span<char*> sizes, bool wait) {
  bast::stack_pool pool;
  if (!pool.init({.limit = 8_MiB}, sizes.size())) return 1;
  std::vector<bast::slot*> all;
  for (char* const size : sizes) {
    all.push_back(pool.acquire(bast::site_key::labelled(size), "bare").value());
    const std::size_t depth = std::strtoull(size, nullptr, 10);
    *(static_cast<volatile std::byte*>(all.back()->top) - depth) = std::byte{0x5a};
  }
  if (wait) wait_for_end_of_input();
  for (bast::slot* const each : all) pool.release(*each);
  return 0;
}

/// Extends down to the page that lies `depth` below the top, and no further, so that this function
/// touches it first; the page above was touched just before.
[[gnu::noinline, gnu::no_sanitize_address]] int lowest_call(std::size_t depth) {
  constexpr std::uintptr_t page = 4096;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const auto top =
      reinterpret_cast<std::uintptr_t>(bast::find_stack(__builtin_frame_address(0)).top);
  const std::uintptr_t lowest = (top - depth) / page * page + page / 4 * 3;
  auto* const room = static_cast<volatile std::byte*>(__builtin_alloca(here - lowest));
  room[page / 2] = std::byte{0x5a};
  room[0] = std::byte{0x5a};
  (void)bast::this_coro::yield();
  return static_cast<int>(room[0]);
}

[[gnu::noinline]] int middle_call(std::size_t depth) {
  volatile int kept = lowest_call(depth);  // keeps the call from becoming a jump
  return kept;
}

void dive(std::size_t depth) {
  auto pool = make_pool();
  auto one = pool.acquire().value();
  if (one.start("diver", [depth] { (void)middle_call(depth); }).failed()) std::abort();
  wait_for_end_of_input();
}

int deep(std::size_t depth, bool on_a_new_thread) {
  const auto pool = make_pool();
  std::puts("ready");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 1;
  if (on_a_new_thread) {
    std::thread(dive, depth).join();
  } else {
    dive(depth);
  }
  return 0;
}

int many(std::size_t count) {
  auto pool = bast::coro_pool::create().value();
  std::vector<bast::coro<>> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(pool.acquire().value());
    if (all.back().start([] { (void)bast::this_coro::yield(); }).failed()) return 1;
  }
  wait_for_end_of_input();
  return 0;
}

int run(std::size_t count, std::size_t depth) {
  auto pool = make_pool();
  for (std::size_t i = 0; i < count; ++i) {
    auto one = pool.acquire().value();
    if (one.start("worker", [depth] { use_to(depth); }).failed()) return 1;
  }
  return 7;
}

int forks(std::size_t children, std::size_t count, std::size_t depth) {
  auto pool = make_pool();
  (void)pool.acquire().value().start("before", [] { use_to(5000); });
  for (std::size_t i = 0; i < children; ++i) {
    const pid_t child = ::fork();
    if (child != 0) continue;
    for (std::size_t j = 0; j < count; ++j)
      (void)pool.acquire().value().start("worker", [depth] { use_to(depth); });
    pool.for_each_site([](const bast::site_stats&) {});  // Measures what is pending.
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) continue;
  return 7;
}

int family(std::size_t count) {
  auto pool = make_pool();
  (void)pool.acquire().value().start("before", [] { use_to(5000); });
  // A reader counts a child as such once its half of the fork is done.
  int begun[2];
  if (::pipe(begun) != 0) return 1;
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < count; ++i) {
    children.push_back(::fork());
    char said = 0;
    if (children.back() == 0) {
      if (::write(begun[1], &said, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    if (::read(begun[0], &said, 1) != 1) return 1;
  }
  wait_for_end_of_input();
  for (const pid_t child : children) ::kill(child, SIGKILL);
  while (::wait(nullptr) > 0) continue;
  return 0;
}

int becomes(char* count, char* depth) {
  auto pool = make_pool();
  (void)pool.acquire().value().start("before", [] { use_to(5000); });
  char run[] = "run";
  char* const words[] = {run, run, count, depth, nullptr};
  ::execv("/proc/self/exe", words);
  return 1;
}

int killed(std::size_t depth) {
  auto pool = make_pool();
  auto one = pool.acquire().value();
  (void)one.start("killer", [depth] {
    use_to(depth);
    ::raise(SIGKILL);
  });
  return 1;
}

int crash(std::size_t depth) {
  auto pool = make_pool();
  auto one = pool.acquire().value();
  (void)one.start("crasher", [depth] {
    use_to(depth);
    *static_cast<volatile int*>(nullptr) = 1;
  });
  return 1;
}

// Not a tail call: the frame must exist when it returns.
[[gnu::noinline]] int recurse(int level) {
  if (level < 0) return 0;
  volatile char frame[512] = {};
  frame[level % 512] = 1;
  return recurse(level + 1) + frame[0];
}

[[gnu::noinline]] int descend(std::size_t levels) {
  if (levels == 0) return 0;
  volatile char frame[512] = {};
  frame[levels % 512] = 1;
  return descend(levels - 1) + frame[0];
}

int recurse_and_end(std::size_t levels) {
  auto pool = make_pool();
  auto one = pool.acquire().value();
  const auto step = one.start("recurser", [levels] { (void)descend(levels); });
  return !step.failed() ? 7 : 1;
}

int overflow() {
  auto pool = bast::coro_pool::create().value();
  auto one = pool.acquire().value();
  (void)one.start("overflower", [] { std::exit(recurse(0)); });
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const auto all = std::span(words, static_cast<std::size_t>(count)).subspan(1);
  const std::string_view what = all.empty() ? "" : all[0];
  const auto number = [&](std::size_t i) {
    return i < all.size() ? std::strtoull(all[i], nullptr, 10) : 0;
  };
  if (what == "depths") return depths(all.subspan(1));
  if (what == "stacks" || what == "released") return stacks(all.subspan(1), what == "stacks");
  if (what == "deep") return deep(number(1), all.size() > 2);
  if (what == "many") return many(number(1));
  if (what == "run") return run(number(1), number(2));
  if (what == "forks") return forks(number(1), number(2), number(3));
  if (what == "family") return family(number(1));
  if (what == "becomes" && all.size() > 2) return becomes(all[1], all[2]);
  if (what == "killed") return killed(number(1));
  if (what == "crash") return crash(number(1));
  if (what == "overflow") return overflow();
  if (what == "recurse") return recurse_and_end(number(1));
  if (what == "none") return 3;
  if (what == "listen") {
    // Changing the user also makes a process undumpable.
    if (::geteuid() == 0 && ::setresuid(65'534, 65'534, 65'534) != 0) return 1;
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) return 1;
    const auto listening = bast::watch::listener::create();
    return listening ? depths(all.subspan(1)) : 1;
  }
  return 2;
}
