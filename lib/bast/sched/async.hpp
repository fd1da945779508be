// SPDX-License-Identifier: Apache-2.0
//
// `async`: runs a function in a fiber if there can be one, else at once in the caller (IO-2).
//
//   auto checksum = bast::async([&] { return crc_of(block); });   // with a runtime, or without
//   write(block);
//   use(checksum.join().value());
//
// For code that need not run beside the caller, but may: libraries, and divided work. What must run
// beside it, because it waits for something that the caller does later, is a case for `concurrent`.
#pragma once

#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "bast/sched/spawn.hpp"

namespace bast::inline BAST_ABI {

template <class T>
class async_join_op;

struct async_options {
  /// For diagnostics and the inspector; static lifetime.
  const char* name = nullptr;
};

namespace internal {

/// Reports a failure that no joiner took, of a function that ran without a fiber: to the runtime of
/// the calling thread, else to standard error.
void report_untaken_here(failure&& untaken) noexcept;

/// What a function ended with that ran at once.
template <class T>
class kept_outcome {
 public:
  kept_outcome() = default;
  kept_outcome(kept_outcome&& other) noexcept(std::is_nothrow_move_constructible_v<result<T>>)
      : name_(other.name_), returned_(std::move(other.returned_)) {
    other.returned_.reset();
#if BAST_EXCEPTIONS
    thrown_ = std::exchange(other.thrown_, nullptr);
#endif
  }
  kept_outcome& operator=(kept_outcome&& other) noexcept(
      std::is_nothrow_move_constructible_v<result<T>>) {
    if (this == &other) return *this;
    drop_it();
    name_ = other.name_;
    if (other.returned_) returned_.emplace(*std::move(other.returned_));
    other.returned_.reset();
#if BAST_EXCEPTIONS
    thrown_ = std::exchange(other.thrown_, nullptr);
#endif
    return *this;
  }
  kept_outcome(const kept_outcome&) = delete;
  kept_outcome& operator=(const kept_outcome&) = delete;
  ~kept_outcome() { drop_it(); }

  /// Calls it. An unwinding of the calling coroutine goes on.
  template <class F>
  void run(F& function, const char* name) {
    name_ = name;
#if BAST_EXCEPTIONS
    try {
      call(function);
    } catch (const forced_unwind&) {
      throw;
    } catch (...) {
      thrown_ = std::current_exception();
    }
#else
    call(function);
#endif
  }
  bool is_there() const noexcept {
#if BAST_EXCEPTIONS
    if (thrown_ != nullptr) return true;
#endif
    return returned_.has_value();
  }
  [[nodiscard]] result<T> take() {
#if BAST_EXCEPTIONS
    if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
#endif
    if (!returned_) {
      return fail(errc::bad_state, "join", "the handle is empty: the outcome was taken");
    }
    struct emptied {
      explicit emptied(std::optional<result<T>>& of) noexcept : value(of) {}
      emptied(const emptied&) = delete;
      emptied& operator=(const emptied&) = delete;
      ~emptied() { value.reset(); }
      std::optional<result<T>>& value;
    } const end(returned_);
    return *std::move(returned_);
  }

 private:
  template <class F>
  void call(F& function) {
    using raw = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<raw>) {
      function();
      returned_.emplace();
    } else if constexpr (std::is_same_v<raw, T>) {
      returned_.emplace(std::in_place, function());
    } else {
      returned_.emplace(function());
    }
  }
  void drop_it() noexcept {
    failure untaken{.fiber = name_};
#if BAST_EXCEPTIONS
    untaken.exception = std::exchange(thrown_, nullptr);
    if (untaken.exception != nullptr) return report_untaken_here(std::move(untaken));
#endif
    if (returned_ && !*returned_ && returned_->error() != errc::cancelled) {
      untaken.why = returned_->error();
      report_untaken_here(std::move(untaken));
    }
    returned_.reset();
  }

  const char* name_ = nullptr;
  std::optional<result<T>> returned_;
#if BAST_EXCEPTIONS
  std::exception_ptr thrown_;
#endif
};

struct async_access;

}  // namespace internal

/// The outcome of an `async`, now or later. Used like a fiber<T>: moves like a unique_ptr, by one
/// thread or fiber at a time; a failure that no joiner takes goes to run_options::unhandled (S-3),
/// or, where the function ran at once and no runtime is on the thread that drops the handle, as one
/// line to standard error.
template <class T>
class [[nodiscard]] async_value {
 public:
  using value_type = T;

  async_value() = default;

  /// Waits until the function has ended, and takes its outcome: returns the value, or rethrows the
  /// exception. The handle is empty afterwards. Never waits if the function ran at once. If the
  /// caller is cancelled, nothing is taken. Errors: cancelled; bad_state (the handle is empty);
  /// those of fiber::join; those that the function returned.
  [[nodiscard]] result<T> join();
  /// The same as an op.
  [[nodiscard]] async_join_op<T> joined() noexcept;

  /// True once the function has ended. Memory ordering: what it did happens before.
  [[nodiscard]] bool is_done() const noexcept { return kept_.is_there() || spawned_.is_done(); }
  /// True if it has something to join.
  [[nodiscard]] explicit operator bool() const noexcept {
    return kept_.is_there() || static_cast<bool>(spawned_);
  }

 private:
  friend struct internal::async_access;
  friend class async_join_op<T>;
  fiber<T> spawned_;
  internal::kept_outcome<T> kept_;
};

/// Commits when the function has ended, and takes the outcome. The handle must outlive the perform.
template <class T>
class async_join_op {
 public:
  using value_type = T;
  explicit async_join_op(async_value<T>& of) noexcept : of_(&of) {}

  template <class>
  class plan {
   public:
    explicit plan(async_join_op op)
        : of_(*op.of_), end_(internal::fiber_access::record_of(of_.spawned_)) {}
    plan(const plan&) = delete;
    plan& operator=(const plan&) = delete;
    ~plan() = default;
    void gather(internal::branch_list& list) {
      if (of_.kept_.is_there()) {
        list.append(at_once_);
      } else {
        list.append(end_);
      }
    }
    bool has(const internal::leaf* chosen) const { return chosen == &at_once_ || chosen == &end_; }
    [[nodiscard]] result<T> take(const internal::leaf* chosen) {
      if (chosen == &at_once_) return of_.kept_.take();
      return internal::take_outcome<T>(*internal::fiber_access::release(of_.spawned_));
    }

   private:
    async_value<T>& of_;
    internal::ready_leaf<internal::real_traits> at_once_;
    internal::join_leaf end_;
  };

 private:
  async_value<T>* of_;
};

template <class T>
async_join_op<T> async_value<T>::joined() noexcept {
  return async_join_op<T>(*this);
}
template <class T>
result<T> async_value<T>::join() {
  if (spawned_) return spawned_.join();
  // As a wait does (C-10).
  if (auto may = internal::check_governing("join"); !may) return std::unexpected(may.error());
  return kept_.take();
}

namespace internal {

struct async_access {
  template <class T>
  static async_value<T> of(fiber<T>&& spawned) noexcept {
    async_value<T> made;
    made.spawned_ = std::move(spawned);
    return made;
  }
  template <class T, class F>
  static async_value<T> run(F& function, const char* name) {
    async_value<T> made;
    made.kept_.run(function, name);
    return made;
  }
};

}  // namespace internal

/// Runs `function` in a fiber, as spawn() does; or, where that is not possible, at once: on a
/// thread that runs no fibers, in a forked child, and without memory. Then it runs within this
/// call, on the caller's stack, and its waits are the caller's. So `async` never fails, and gives
/// no promise that the function runs beside the caller. Copies or moves the function in. Any
/// thread. Suspends only in a function that runs at once. Throws what the copy throws; what the
/// function throws is for the join. Allocates as spawn().
template <class F>
async_value<internal::fiber_value<std::decay_t<F>>> async(
    F&& function, const async_options& options = {},
    const std::source_location& where = std::source_location::current()) {
  using value = internal::fiber_value<std::decay_t<F>>;
  if (auto spawned = spawn(std::forward<F>(function), {.name = options.name}, where)) {
    return internal::async_access::of(std::move(*spawned));
  }
  // A spawn that fails has not moved it.
  std::decay_t<F> mine(
      std::forward<F>(function));  // NOLINT(bugprone-use-after-move): not moved, as spawn() failed
  return internal::async_access::run<value>(mine, options.name);
}

}  // namespace bast::inline BAST_ABI
