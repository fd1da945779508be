// SPDX-License-Identifier: Apache-2.0
#include "bast/os/thread_end.hpp"

#include <limits.h>
#include <pthread.h>

#include <atomic>
#include <mutex>

#include "bast/os/keep_loaded.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

// POSIX: a thread that ends calls the destructors of its keys in up to this many rounds, as long as
// a destructor sets a value again. A task registered in a destructor runs a round later. The
// address sanitizer unmaps the alternate stack that it finds in the last round. The thread
// sanitizer no longer knows the thread in the last round.
constexpr int our_round = PTHREAD_DESTRUCTOR_ITERATIONS - (BAST_WITH_TSAN != 0 ? 2 : 1);
static_assert(our_round >= 2);

constinit std::mutex key_lock;
constinit std::atomic<bool> key_exists{false};
constinit pthread_key_t key{};

constinit thread_local thread_end_task* first_task = nullptr;

// The key's value points to the element of the next round.
constinit char rounds[our_round + 1] = {};

void at_each_round(void* value) {
  char* const round = static_cast<char*>(value);
  // If the value cannot be set again, there is no further round.
  if (round < rounds + our_round && ::pthread_setspecific(key, round + 1) == 0) return;
  while (first_task != nullptr) {
    thread_end_task& task = *first_task;
    first_task = task.next;
    task.is_due = false;
    task.run();
  }
}

result<void> make_key() noexcept {
  if (key_exists.load()) return {};
  // Each ending thread calls code of this object. Called before our lock is taken, because a
  // constructor that holds the dynamic linker's lock may call this function.
  keep_loaded();
  const std::lock_guard guard(key_lock);
  if (key_exists.load()) return {};
  if (::pthread_key_create(&key, at_each_round) != 0) {
    return fail(errc::limit, "os.at_thread_end", "the process has its maximum of pthread keys",
                PTHREAD_KEYS_MAX);
  }
  key_exists.store(true);
  return {};
}

}  // namespace

result<void> at_thread_end(thread_end_task& task) noexcept {
  if (task.is_due) return {};
  if (auto made = make_key(); !made) return made;
  if (first_task == nullptr && ::pthread_setspecific(key, rounds + 1) != 0) {
    return fail(errc::no_memory, "os.at_thread_end", "no memory for the value of a pthread key");
  }
  task.next = first_task;
  task.is_due = true;
  first_task = &task;
  return {};
}

}  // namespace bast::inline BAST_ABI::os
