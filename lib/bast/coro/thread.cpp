// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/thread.hpp"

#include <atomic>

#include "bast/coro/thread_ids.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

/// Returns the id when the thread ends, after its last pool.
void give_id_back() noexcept;
constinit thread_local os::thread_end_task id_at_end{.run = give_id_back};

/// Gives the fault handler, which must not use thread-locals, access to a thread's state by the
/// thread's id. Only that thread writes it or follows the pointer: `identity` shows whether it is
/// the current one.
struct living_thread {
  std::atomic<const void*> identity{nullptr};
  std::atomic<const thread_state*> state{nullptr};
};
constinit living_thread living_threads[threads_max + 1];  // Pages of ids never issued cost nothing.

bool is_within(slot& s, const void* address) noexcept {
  const arch::stack_bounds bounds = stack_pool::bounds_of(s);
  const auto* const at = static_cast<const std::byte*>(address);
  return at >= bounds.base && at < bounds.base + bounds.size;
}

/// For diagnostics: names the running coroutine. Async-signal-safe.
void describe_current(text& out) noexcept {
  const coro_block* const running = this_thread.current;
  if (running == nullptr || running->stack == nullptr) return;
  out << ", in coroutine ";
  if (running->stack->name != nullptr) {
    out << '\'' << running->stack->name << '\'';
  } else {
    out << "(unnamed)";
  }
}

}  // namespace

constinit id_allocator<threads_max> thread_ids;
constinit thread_local thread_state this_thread;

namespace {

void give_id_back() noexcept {
  living_thread& entry = living_threads[this_thread.tag >> tag_thread_shift];
  entry.identity.store(nullptr, std::memory_order_relaxed);
  entry.state.store(nullptr, std::memory_order_relaxed);
  thread_ids.give(static_cast<std::uint16_t>(this_thread.tag >> tag_thread_shift));
}

}  // namespace

result<void> prepare_thread() noexcept {
  // At each call: the stack may have been removed, or replaced by a small one.
  if (auto ready = os::ensure_alternate_stack(); !ready) return ready;
  if (this_thread.tag != 0) return {};
  const std::uint16_t id = thread_ids.take();
  if (id == 0) {
    return fail(errc::limit, "coro_pool", "the process has its maximum of threads with coroutines",
                threads_max);
  }
  if (auto due = os::at_thread_end(id_at_end); !due) {
    thread_ids.give(id);
    return due;
  }
  this_thread.tag = coro_tag{id} << tag_thread_shift;
  living_threads[id].state.store(&this_thread, std::memory_order_relaxed);
  living_threads[id].identity.store(arch::thread_pointer(), std::memory_order_relaxed);
  this_thread.exceptions = arch::exception_state_of_thread();
  set_check_context(describe_current);
  return {};
}

slot* running_stack_of(std::uint64_t user, slot& at) noexcept {
  const living_thread& entry = living_threads[user >> tag_thread_shift];
  if (entry.identity.load(std::memory_order_relaxed) != arch::thread_pointer()) return nullptr;
  const thread_state& thread = *entry.state.load(std::memory_order_relaxed);
  const coro_block* const current = thread.current;
  if (current == nullptr) return nullptr;
  if (current->stack == &at) return &at;
  // During a handover, `current` was set before the switch to its stack, or has already left it.
  const coro_block* const resumer = thread.resuming;
  const bool has_left = state_of(current->tag) != coro_state::running;
  if (resumer != nullptr && resumer->stack == &at) {
    if (has_left || !is_within(at, thread.resumer.context.sp)) return &at;
  }
  return current->stack;
}

}  // namespace bast::inline BAST_ABI::internal
