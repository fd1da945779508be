// SPDX-License-Identifier: Apache-2.0
//
// fork(2) while other threads grow stacks, from a thread and from a coroutine. The child has one
// thread and its own copies of the forking thread's coroutines, which it continues, grows and ends.
// It must not create pools: another thread may have held their locks at the fork.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "bast/testing/joined_thread.hpp"
#include "frames.hpp"
#include "storm.hpp"

namespace bast::stress {

namespace {

/// Exit statuses of a child.
enum : int { child_fine = 0, child_refused = 3, child_frame_changed = 4 };
/// A child that hangs ends by SIGALRM. A growth takes microseconds, and seconds under sanitizers.
constexpr unsigned child_seconds_max = 60;

using handle = coro_ref<>;

/// A coroutine that suspends twice, the second time deeper, and checks its frames.
struct grower {
  handle coroutine;
  unsigned char* local = nullptr;  // in a suspended frame
  bool fine = false;

  void body(yielder<>& out, unsigned frames) {
    bool inner = false;
    const bool outer = descend({.frames = frames, .frame_bytes = 900, .pattern = 1}, [&] {
      unsigned char mine = 7;
      local = &mine;
      out.yield();
      const bool deeper =
          descend({.frames = frames, .frame_bytes = 1100, .pattern = 101}, [&] { out.yield(); });
      inner = deeper && mine == 7;
    });
    fine = outer && inner;
  }
};

bool start(coro_pool& pool, grower& g, unsigned frames) {
  auto got = pool.acquire();
  if (!got) return false;
  g.coroutine = got->detach();
  return !g.coroutine.start([&g, frames](yielder<>& out) { g.body(out, frames); }).failed();
}

/// The child: every coroutine continues to its end, except the last one, which is unwound.
int live_on(std::vector<grower>& all) {
  for (grower& g : all) {
    if (&g == &all.back()) {
      if (g.coroutine.resume().failed() || !g.coroutine.release()) return child_refused;
      continue;
    }
    while (g.coroutine.state() == coro_state::suspended) {
      if (g.coroutine.resume().failed()) return child_refused;
    }
    if (!g.fine) return child_frame_changed;
    if (!g.coroutine.release()) return child_refused;
  }
  return child_fine;
}

void wait_for(run& r, pid_t child) {
  if (child < 0) return r.fail("fork failed");
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return r.fail("waitpid failed");
  if (WIFSIGNALED(status)) {
    return r.fail("a child ended by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == child_frame_changed) return r.fail("a child's frame was changed");
  if (WEXITSTATUS(status) != child_fine) r.fail("a child's coroutine was refused something");
}

/// One fork; `inside` a coroutine, whose stack is then the child's only one.
void fork_once(run& r, std::mt19937_64& random, bool inside) {
  auto pool = coro_pool::create({.stack = {.limit = bytes{1 << 20}}});
  if (!pool) return r.fail("create: " + pool.error().message());
  std::vector<grower> all(5);
  for (grower& g : all) {
    if (!start(*pool, g, 1 + static_cast<unsigned>(random() % 200))) return r.fail("start failed");
  }
  pid_t child = -1;
  const auto fork_here = [&] {
    child = ::fork();
    if (child != 0) return;
    ::alarm(child_seconds_max);
    if (r.planted("frame")) *all.front().local = 0;
    // Without destroying the parent's objects.
    ::_exit(live_on(all));
  };
  if (inside) {
    auto forker = pool->acquire();
    if (!forker || forker->start(fork_here).failed()) return r.fail("start failed");
  } else {
    fork_here();
  }
  wait_for(r, child);
  // The parent's coroutines are unchanged.
  if (live_on(all) != child_fine) r.fail("a coroutine of the parent was changed by a fork");
}

}  // namespace

std::string fork(run& r) {
  model::warm_up();
  const books before;
  std::uint64_t forks = 0;
  {
    std::vector<test::joined_thread> workers;
    for (unsigned n = 0; n + 1 < thread_count(); ++n) {
      workers.emplace_back([&, n] { storm(r, "growth", r.random(n)); });
    }
    auto random = r.random(thread_count());
    for (; r.goes_on(); ++forks) fork_once(r, random, forks % 2 != 0);
  }
  before.balance(r);
  return std::to_string(forks) + " forks, half of them on a coroutine";
}

}  // namespace bast::stress
