// SPDX-License-Identifier: Apache-2.0
//
// `spawn`: starts a fiber.
//
//   auto page = bast::spawn([url] { return fetch(url); }, {.name = "fetch"}).value();
//   ...
//   std::string text = page.join().value();
#pragma once

#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

#include "bast/sched/fiber.hpp"
#include "bast/sched/fiber_scope.hpp"
#include "bast/sched/worker.hpp"

namespace bast::inline BAST_ABI {

struct spawn_options {
  /// For diagnostics and the inspector; static lifetime.
  const char* name = nullptr;
  /// A pool of run_options::pools; null: that of the spawning fiber.
  const char* pool = nullptr;
  /// When all other fibers of its scope, or of the runtime, have ended, it is cancelled, and then
  /// awaited (S-4).
  bool daemon = false;
  /// Runs on the worker of the spawning fiber: no other one takes it. Not together with `pool`;
  /// from another thread it is ignored.
  bool pinned = false;
  /// A class of run_options::stack_classes; null: run_options::stack. Children do not inherit it.
  const char* stack = nullptr;
};

namespace internal {

/// A record that holds no callable yet. `scope`: null for the root. `outside_bytes`: the size of
/// the block for callable and value, 0 if they lie in the record.
[[nodiscard]] result<fiber_record*> prepare_spawn(fiber_scope* scope, const spawn_options& options,
                                                  site_key site, const fiber_operations& operations,
                                                  std::size_t outside_bytes) noexcept;
/// The same for a thread that is no worker, into the default pool unless the options name one.
[[nodiscard]] result<fiber_record*> prepare_guest_spawn(runtime_core& core,
                                                        const spawn_options& options, site_key site,
                                                        const fiber_operations& operations,
                                                        std::size_t outside_bytes) noexcept;

/// Frees a prepared record without a callable.
void abandon_spawn(fiber_record& f) noexcept;

/// Constructs the callable of these. If that throws, the record is free again.
template <class F, class... Arguments>
void place_callable(fiber_record& f, Arguments&&... arguments) {
  struct undo {
    explicit undo(fiber_record& made) noexcept : record(&made) {}
    undo(const undo&) = delete;
    undo& operator=(const undo&) = delete;
    ~undo() {
      if (record != nullptr) abandon_spawn(*record);
    }
    fiber_record* record;
  } guard(f);
  ::new (f.storage()) F(std::forward<Arguments>(arguments)...);
  guard.record = nullptr;
}

/// The callable is in place: the fiber may run.
void submit_spawn(fiber_record& f, const spawn_options& options) noexcept;
void submit_guest_spawn(runtime_core& core, fiber_record& f, const spawn_options& options) noexcept;

/// The usual case, inline. Null: prepare_spawn() does it, or says what is wrong.
[[gnu::always_inline]] inline fiber_record* prepare_usual(worker* here, fiber_scope* scope,
                                                          site_key site, const char* name,
                                                          const fiber_operations& code) noexcept {
  if (here == nullptr || here->is_forked()) return nullptr;
  if (scope != nullptr && !scope->admit(false)) return nullptr;
  fiber_record* const made = here->slab().take();
  if (made == nullptr) [[unlikely]] {
    if (scope != nullptr) scope->left(false);
    return nullptr;
  }
  set_up(*made, here->running(), scope != nullptr ? &scope->domain_of(false) : nullptr, site, name,
         code);
  return made;
}

/// Where the running fiber's spawns go; null: to the root.
[[gnu::always_inline]] inline fiber_scope* scope_here() noexcept {
  return this_worker != nullptr ? this_worker->scope_here() : nullptr;
}

/// spawn() into a scope.
template <class F>
[[nodiscard]] result<fiber<fiber_value<std::decay_t<F>>>> spawn_in(fiber_scope* scope, F&& function,
                                                                   const spawn_options& options,
                                                                   site_key site) {
  using callable = std::decay_t<F>;
  using code = fiber_code<callable>;
  worker* const here = this_worker;
  const bool is_usual = !code::is_outside && options.pool == nullptr && !options.daemon &&
                        !options.pinned && options.stack == nullptr;
  fiber_record* f =
      is_usual ? prepare_usual(here, scope, site, options.name, code::operations) : nullptr;
  if (f == nullptr) [[unlikely]] {
    const auto made = prepare_spawn(scope, options, site, code::operations, code::outside_bytes);
    if (!made) return std::unexpected(made.error());
    f = *made;
  }
  place_callable<callable>(*f, std::forward<F>(function));
  if (is_usual) [[likely]] {
    here->submit(*f);
  } else {
    submit_spawn(*f, options);
  }
  return fiber_access::make<fiber_value<callable>>(*f);
}

}  // namespace internal

/// Makes a fiber that runs `function`, on a worker of the caller's pool; in the innermost scope
/// that the caller is in, if there is one (S-1). It does not run within this call (IO-8). Copies
/// or moves the function in; if it fails, the argument is unchanged. The child inherits the fiber-
/// locals of the caller. Only on a worker: in a fiber, or a function that it calls; other threads
/// use runtime_handle::spawn. Never suspends. Throws what the copy throws. Allocates only if
/// function or result do not fit in 32 bytes, and for memory of fibers. Errors: not_in_fiber;
/// forked; no_memory, `limit` (the fibers of the process); `invalid` (no pool or no stack class
/// has that name); closed (the scope).
template <class F>
[[nodiscard]] result<fiber<internal::fiber_value<std::decay_t<F>>>> spawn(
    F&& function, const spawn_options& options = {},
    const std::source_location& where = std::source_location::current()) {
  return internal::spawn_in(internal::scope_here(), std::forward<F>(function), options,
                            site_key::at(where));
}

}  // namespace bast::inline BAST_ABI
