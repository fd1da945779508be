// SPDX-License-Identifier: Apache-2.0
//
// `run`: runs a program of fibers on workers, of which the calling thread is the first.
//
//   int main() {
//     return bast::run([] {
//       auto a = bast::spawn([] { return load("a"); }).value();
//       auto b = bast::spawn([] { return load("b"); }).value();
//       return compare(a.join().value(), b.join().value());
//     }).value();
//   }
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "bast/sched/batch.hpp"

namespace bast::inline BAST_ABI {

class runtime_handle;

namespace internal {

struct runtime_access;

/// One runtime, from its creation to its end, on the thread that runs it.
class run_session {
 public:
  /// Errors: bad_state (in a coroutine, or on a worker); those of runtime_core.
  [[nodiscard]] static result<run_session> create(const run_options& options) noexcept;
  run_session(run_session&& other) noexcept : core_(std::move(other.core_)) {}
  run_session& operator=(run_session&&) = delete;
  run_session(const run_session&) = delete;
  run_session& operator=(const run_session&) = delete;
  /// Ends a session that was not finished, in which nothing was spawned.
  ~run_session();

  /// `f`, unstarted, is the main fiber.
  void set_main(fiber_record& f) noexcept;
  /// Runs until no fiber is left.
  void finish() noexcept;
  /// After finish(): the failure of main, and the untaken ones after it.
  [[nodiscard]] failures failures_of(const error& why) noexcept;
#if BAST_EXCEPTIONS
  [[nodiscard]] failures failures_of(std::exception_ptr exception) noexcept;
#endif
  const std::shared_ptr<runtime_core>& core() const noexcept { return core_; }

 private:
  explicit run_session(std::shared_ptr<runtime_core> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<runtime_core> core_;
  bool is_finished_ = false;
};

template <class F>
[[nodiscard]] result<fiber<fiber_value<std::decay_t<F>>>> spawn_main(run_session& session,
                                                                     F&& function, site_key site) {
  using code = fiber_code<std::decay_t<F>>;
  auto made = prepare_spawn(nullptr, {.name = "main"}, site, code::operations, code::outside_bytes);
  if (!made) return std::unexpected(made.error());
  place_callable<std::decay_t<F>>(**made, std::forward<F>(function));
  session.set_main(**made);
  return fiber_access::make<fiber_value<std::decay_t<F>>>(**made);
}

/// The failure of a run that has not begun.
failures only(const error& why) noexcept;

/// A guest of a runtime that may have ended. On its own workers it is none: their fibers keep the
/// runtime alive.
class guest_pass {
 public:
  explicit guest_pass(runtime_core& core) noexcept;
  guest_pass(const guest_pass&) = delete;
  guest_pass& operator=(const guest_pass&) = delete;
  ~guest_pass();
  /// Errors: closed.
  [[nodiscard]] result<void> check(static_string operation) const noexcept;

 private:
  runtime_core& core_;
  bool is_guest_;
};

template <class F>
using main_value = typename of_main<std::invoke_result_t<std::decay_t<F>&>>::type;

template <class Value, class F>
[[nodiscard]] std::expected<Value, failures> run_main(F&& main, const run_options& options,
                                                      const std::source_location& where) {
  auto session = run_session::create(options);
  if (!session) return std::unexpected(only(session.error()));
  fiber<Value> handle;
  if (auto spawned = spawn_main(*session, std::forward<F>(main), site_key::at(where))) {
    handle = std::move(*spawned);
  } else {
    return std::unexpected(only(spawned.error()));
  }
  session->finish();
#if BAST_EXCEPTIONS
  try {
#endif
    result<Value> outcome = take_outcome<Value>(*fiber_access::release(handle));
    if (!outcome) {
      return std::unexpected(session->failures_of(outcome.error()));
    }
    if constexpr (std::is_void_v<Value>) {
      return {};
    } else {
      return std::move(*outcome);
    }
#if BAST_EXCEPTIONS
  } catch (...) {
    return std::unexpected(session->failures_of(std::current_exception()));
  }
#endif
}

}  // namespace internal

/// Runs `main` in the first fiber of a new runtime, and returns when every fiber has ended; main's
/// return alone cancels none (S-4). Main and the fibers that it spawns on its worker run on the
/// calling thread. Returns what main returns. A failure of main (an exception, or an error that it
/// returned) cancels the runtime, and is the primary of what is returned; untaken failures of other
/// fibers after it are the suppressed ones. Others that no joiner takes go to
/// run_options::unhandled. A main that returns the outcome of run_scope makes its failures those of
/// the run. Blocks the thread; a process may have several runtimes, on several threads. If the
/// caller is governed by a cancel_binding and `stop` is the default, that token stops the runtime.
/// Allocates.
///
/// Errors, as the primary: bad_state (in a coroutine, or on a worker); `invalid`, naming the
/// option; `limit` (threads, descriptors); no_memory.
template <class F>
[[nodiscard]] std::expected<internal::main_value<F>, failures> run(
    F&& main, const run_options& options = {},
    const std::source_location& where = std::source_location::current()) {
  using value = internal::main_value<F>;
  if constexpr (internal::holds_failures<std::invoke_result_t<std::decay_t<F>&>>) {
    // A program that is one scope: its aggregate, with what has failed after it.
    std::optional<failures> ended;
    auto all = run(
        [&ended, function = std::decay_t<F>(std::forward<F>(main))]() mutable -> result<value> {
          auto outcome = function();
          if (!outcome)
            return std::unexpected(ended.emplace(std::move(outcome.error())).as_error());
          if constexpr (std::is_void_v<value>) {
            return {};
          } else {
            return std::move(*outcome);
          }
        },
        options, where);
    if (all || !ended) return all;
    for (std::size_t i = 0; i < all.error().suppressed_count; ++i) {
      ended->add(std::move(all.error().suppressed[i]));
    }
    ended->dropped += all.error().dropped;
    return std::unexpected(std::move(*ended));
  } else {
    return internal::run_main<value>(std::forward<F>(main), options, where);
  }
}

/// A runtime, seen from outside it. Copyable, and may outlive it: then everything fails with
/// `closed`. Thread-safe like a shared_ptr.
class runtime_handle {
 public:
  /// Of the runtime of the calling fiber. Errors: not_in_fiber.
  [[nodiscard]] static result<runtime_handle> current() noexcept;

  /// As bast::spawn, from any thread. Errors also: closed (the runtime has ended, or its last fiber
  /// has): the function is unchanged.
  template <class F>
  [[nodiscard]] result<fiber<internal::fiber_value<std::decay_t<F>>>> spawn(
      F&& function, const spawn_options& options = {},
      const std::source_location& where = std::source_location::current());
  /// As bast::spawn_batch, from any thread. Errors also: closed.
  template <class F>
  [[nodiscard]] result<std::vector<fiber<internal::batch_value<F>>>> spawn_batch(
      std::size_t count, const F& function, const spawn_options& options = {},
      const std::source_location& where = std::source_location::current()) {
    const internal::guest_pass pass(*core_);
    if (auto open = pass.check("spawn_batch"); !open) return std::unexpected(open.error());
    return internal::spawn_all(count, function, options, site_key::at(where), core_.get());
  }
  /// Runs the function in a fiber of its own, without a handle. Errors: those of spawn().
  template <class F>
  [[nodiscard]] result<void> post(
      F&& function, const std::source_location& where = std::source_location::current()) {
    auto posted = spawn(std::forward<F>(function), {}, where);
    if (!posted) return std::unexpected(posted.error());
    return {};
  }
  /// Cancels the runtime: checkpoints and waits of all its fibers fail from here on (C-10, C-18).
  /// False if it was cancelled or has ended. Any thread.
  bool cancel(const cancel_reason& why = {}) const noexcept;
  /// Workers of all pools together.
  [[nodiscard]] std::size_t workers() const noexcept;

 private:
  friend struct internal::runtime_access;
  explicit runtime_handle(std::shared_ptr<internal::runtime_core> core) noexcept
      : core_(std::move(core)) {}
  std::shared_ptr<internal::runtime_core> core_;
};

template <class F>
result<fiber<internal::fiber_value<std::decay_t<F>>>> runtime_handle::spawn(
    F&& function, const spawn_options& options, const std::source_location& where) {
  using callable = std::decay_t<F>;
  using code = internal::fiber_code<callable>;
  const internal::guest_pass pass(*core_);
  if (auto open = pass.check("spawn"); !open) return std::unexpected(open.error());
  const auto made = internal::prepare_guest_spawn(*core_, options, site_key::at(where),
                                                  code::operations, code::outside_bytes);
  if (!made) return std::unexpected(made.error());
  internal::place_callable<callable>(**made, std::forward<F>(function));
  internal::submit_guest_spawn(*core_, **made, options);
  return internal::fiber_access::make<internal::fiber_value<callable>>(**made);
}

namespace internal {

/// Of the stacks of this worker, up to date. On a worker. Null: no class has that name.
const site_table* worker_sites(const char* stack_class) noexcept;

struct runtime_access {
  static runtime_handle handle(std::shared_ptr<runtime_core> core) noexcept {
    return runtime_handle(std::move(core));
  }
};

}  // namespace internal

/// perform(), from an OS thread that runs no fibers. Errors also: deadlock (on a worker, where it
/// would block those that it waits for; IO-11).
template <performable Op>
[[nodiscard]] result<value_of<Op>> block_on(Op op) {
  if (internal::this_worker != nullptr) {
    return fail(errc::deadlock, "block_on", "a worker's thread would block: perform the op");
  }
  return perform(std::move(op));
}

namespace internal {
[[nodiscard]] result<void> yield_slowly();
}  // namespace internal

/// Lets the other fibers of this worker run, and goes to the end of their queue. Outside a fiber
/// that a worker runs, yields the processor. Errors: cancelled, before it yields; bad_state (code
/// that may not suspend); forked.
[[nodiscard, gnu::always_inline]] inline result<void> yield_now() {
  internal::worker* const here = internal::this_worker;
  if (here == nullptr || !here->may_yield()) [[unlikely]]
    return internal::yield_slowly();
  here->yield();
  return {};
}

namespace this_fiber {

/// True inside a fiber of a worker, and in the coroutines that it resumes.
[[nodiscard]] bool exists() noexcept;
/// The index of the worker that runs it, below runtime_handle::workers(). 0 outside a fiber.
[[nodiscard]] std::size_t worker() noexcept;

/// The stacks of the worker that runs it, which belong to that worker alone: those of a class of
/// run_options::stack_classes, or without a name of run_options::stack. Zero outside a fiber, and
/// if no class has that name. O(stacks).
[[nodiscard]] stack_pool_stats worker_stacks(const char* stack_class = nullptr) noexcept;
/// Calls `f(const site_stats&)` for each place that spawned fibers of this stack class, as in
/// worker_stacks(), of which one has ended on this worker. Outside a fiber there are none. To read
/// those of all workers, read them in a pinned fiber of each. O(stacks).
template <class F>
void for_each_worker_site(F f, const char* stack_class = nullptr) {
  const site_table* const sites = exists() ? internal::worker_sites(stack_class) : nullptr;
  for (std::uint16_t i = 0; sites != nullptr && i < sites->size(); ++i) {
    if (sites->entry_of(i).uses != 0) f(sites->stats(i));
  }
}

}  // namespace this_fiber

}  // namespace bast::inline BAST_ABI
