// SPDX-License-Identifier: Apache-2.0
//
// Threads that start and end. Each runs a program on its own pool, and uses one pool that is handed
// over from thread to thread. When it ends it must leave nothing: no mapping, no descriptor, and
// the alternate signal stack that it found.
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

#include "bast/testing/joined_thread.hpp"
#include "bast/testing/mappings.hpp"
#include "frames.hpp"
#include "storm.hpp"

namespace bast::stress {

namespace {

stack_t installed_now() {
  stack_t now{};
  (void)::sigaltstack(nullptr, &now);
  return now;
}

bool same(const stack_t& a, const stack_t& b) {
  const bool none = (a.ss_flags & SS_DISABLE) != 0;
  if (none != ((b.ss_flags & SS_DISABLE) != 0)) return false;
  return none || (a.ss_sp == b.ss_sp && a.ss_size == b.ss_size);
}

/// Checks the alternate stack after the library has removed its own: in the same round of the
/// destructors of keys (os/thread_end.cpp), by a key that is younger than the library's.
class last_look {
 public:
  explicit last_look(run& r) : run_(r) {
    if (!coro_pool::create()) r.fail("a pool is refused, and with it the library's key");
    ::pthread_key_create(&key_, [](void* begun) { static_cast<thread*>(begun)->end(); });
  }
  ~last_look() { ::pthread_key_delete(key_); }
  last_look(const last_look&) = delete;
  last_look& operator=(const last_look&) = delete;

  /// Must be the first call on each thread.
  void begin() {
    ::pthread_setspecific(key_, new thread{.r = run_, .key = key_, .found = installed_now()});
  }

 private:
  struct thread {
    run& r;
    pthread_key_t key;
    stack_t found;
    int rounds_left = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
    void end() {
      if (--rounds_left > 0) {
        ::pthread_setspecific(key, this);
        return;
      }
      if (!same(found, installed_now())) {
        r.fail("a thread ended with another alternate stack than it began with");
        (void)::sigaltstack(&found, nullptr);  // A sanitizer unmaps what it finds.
      }
      delete this;
    }
  };
  run& run_;
  pthread_key_t key_{};
};

/// An application's own alternate stack, which the library must use and leave in place.
class own_alternate_stack {
 public:
  explicit own_alternate_stack(run& r) : run_(r), memory_(size) {
    mine_.ss_sp = memory_.data();
    mine_.ss_size = size;
    (void)::sigaltstack(&mine_, &before_);
  }
  ~own_alternate_stack() {
    if (!same(mine_, installed_now())) run_.fail("the application's alternate stack was replaced");
    (void)::sigaltstack(&before_, nullptr);
  }
  own_alternate_stack(const own_alternate_stack&) = delete;
  own_alternate_stack& operator=(const own_alternate_stack&) = delete;

 private:
  static constexpr std::size_t size = 128 << 10;
  run& run_;
  std::vector<std::byte> memory_;
  stack_t mine_{};
  stack_t before_{};
};

/// The pool that is handed over: adopted, used, and left with one coroutine that has finished and
/// one that never began; the next thread ends them.
void use_inherited(run& r, std::optional<coro_pool>& pool, std::vector<coro_ref<>>& left) {
  if (!pool) {
    auto made = coro_pool::create({.max_coros = 4});
    if (!made) return r.fail("create: " + made.error().message());
    pool.emplace(std::move(*made));
  } else if (const auto adopted = pool->adopt(); !adopted) {
    return r.fail("adopt: " + adopted.error().message());
  }
  for (coro_ref<>& c : left) {
    if (!c.release()) r.fail("an inherited coroutine could not be released");
  }
  left.clear();
  bool fine = false;
  for (int i = 0; i < 2; ++i) {
    auto got = pool->acquire();
    if (!got) return r.fail("acquire: " + got.error().message());
    left.push_back(got->detach());
  }
  const auto ran = left.front().start(
      [&] { fine = descend({.frames = 60, .frame_bytes = 1000, .pattern = 9}, [] {}); });
  if (ran.failed() || !fine) r.fail("an inherited pool's coroutine failed");
}

void one_life(run& r, last_look& look, std::mt19937_64 random, std::optional<coro_pool>& inherited,
              std::vector<coro_ref<>>& left) {
  look.begin();
  std::optional<own_alternate_stack> own;
  if (random() % 2 != 0) own.emplace(r);
  (void)one_program(r, "pool", random);
  use_inherited(r, inherited, left);
  if (r.planted("mapping")) {
    // Two of them with a guard between, so that the next one is not merged with it.
    const auto leaked = os::map(2 * os::page_bytes());
    if (leaked) (void)os::protect(*leaked, os::page_bytes(), os::access::none);
  }
  if (r.planted("descriptor")) {
    [[maybe_unused]] const int lost = ::dup(STDOUT_FILENO);
  }
  if (r.planted("alternate") && !own) {
    // Kept permanently, as the end of this thread will find it installed.
    static std::byte memory[128 << 10];
    const stack_t mine{.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
    (void)::sigaltstack(&mine, nullptr);
  }
}

/// The C library's leftovers of ended threads: stacks, and arenas of the heap. Both are bounded by
/// the number of threads alive at the same time; the leaks of a life are not.
std::size_t mappings_kept() { return std::size_t{16} * thread_count(); }

}  // namespace

std::string threads(run& r) {
  model::warm_up();
  const books before;
  const test::mappings mapped = test::mappings::now();
  std::atomic<std::uint64_t> lives = 0;
  {
    last_look look(r);
    std::vector<test::joined_thread> parents;
    for (unsigned n = 0; n < thread_count(); ++n) {
      parents.emplace_back([&, n] {
        std::optional<coro_pool> inherited;
        std::vector<coro_ref<>> left;
        for (std::uint64_t life = 0; r.goes_on(); ++life, ++lives) {
          std::thread([&, life] { one_life(r, look, r.random(n, life), inherited, left); }).join();
        }
        // The last owner is gone; the destroyer of a pool must own it.
        if (inherited && !inherited->adopt()) r.fail("the last adoption was refused");
      });
    }
  }
  before.balance(r);
  const test::mappings now = test::mappings::now();
  if (now.count > mapped.count + mappings_kept()) {
    r.fail("mappings: " + std::to_string(mapped.count) + " before, " + std::to_string(now.count) +
           " after " + std::to_string(lives) + " lives");
  }
  return std::to_string(lives) + " lives of threads";
}

}  // namespace bast::stress
