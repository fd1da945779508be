// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/thread.hpp"

#include "bast/coro/thread_ids.hpp"
#include "bast/os.hpp"

namespace bast::internal {
namespace {

/// Gives the id back when the thread ends. The thread keeps using it until then: pools of static
/// storage duration are destroyed after the main thread's thread-locals.
struct id_lease {
  std::uint16_t id = 0;
  constexpr id_lease() = default;
  id_lease(const id_lease&) = delete;
  id_lease& operator=(const id_lease&) = delete;
  ~id_lease() {
    if (id != 0) thread_ids.give(id);
  }
};
constinit thread_local id_lease own_lease;

/// For diagnostics: who runs on this thread. Async-signal-safe.
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

result<void> prepare_thread() noexcept {
  if (this_thread.tag != 0) return {};
  if (auto ready = os::ensure_alternate_stack(); !ready) return ready;
  const std::uint16_t id = thread_ids.take();
  if (id == 0) {
    return fail(errc::limit, "coro_pool", "the process has its maximum of threads with coroutines",
                threads_max);
  }
  own_lease.id = id;  // Touched, so that its destructor runs.
  this_thread.tag = coro_tag{id} << tag_thread_shift;
  this_thread.exceptions = arch::exception_state_of_thread();
  set_check_context(describe_current);
  return {};
}

}  // namespace bast::internal
