// SPDX-License-Identifier: Apache-2.0
//
// `blocking`: runs a function that blocks its thread, or computes for long, on a thread of a pool,
// while the fiber waits and its worker runs others.
//
//   bast::result<std::string> text = bast::blocking([&] { return read_whole(path); });
//
// A call is a job, which the caller and the pool hold:
//
//   pending -> finished                 by the pool, when the outcome is there
//           \-> awaited -> finished     a caller that may not leave sleeps until then
//            \-> abandoned              by the caller: the pool destroys the outcome
//
//   I1  Who holds a job last destroys it, and with it what nobody took.
//   I2  A caller leaves a pending job only if it was withdrawn, or may be abandoned: `fn` may use
//       the caller's stack.
#pragma once

#include <atomic>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/io/event_loop.hpp"
#include "bast/io/thread_pool.hpp"
#include "bast/op.hpp"

namespace bast::inline BAST_ABI {

struct blocking_options {
  /// Null: that of the worker's runtime.
  thread_pool* pool = nullptr;
  /// A cancel returns at once, also if `fn` is running: it goes on, counts as `abandoned` in the
  /// pool's stats and against threads_max, and the pool destroys what it returns. So it may not use
  /// the caller's stack.
  bool abandon_on_cancel = false;
};

namespace internal {

enum class job_state : std::uint32_t { pending, awaited, finished, abandoned };

class blocking_job : private pool_task {
 public:
  blocking_job(const blocking_job&) = delete;
  blocking_job& operator=(const blocking_job&) = delete;

 protected:
  /// Calls `fn`, if `runs`, which makes the outcome; and destroys it.
  using call_function = void (*)(blocking_job& self, bool runs) noexcept;
  using destroy_function = void (*)(blocking_job& self) noexcept;
  blocking_job(call_function call, destroy_function destroy) noexcept;
  ~blocking_job() = default;

 private:
  friend class blocking_caller;
  struct done_op;

  static void run_it(pool_task& self) noexcept;
  static void drop_it(pool_task& self) noexcept;
  void finish() noexcept;
  bool abandon() noexcept;
  void sleep_until_finished() noexcept;
  void release() noexcept;

  call_function call_;
  destroy_function destroy_;
  thread_pool_core* pool_ = nullptr;  // kept, once the job was submitted
  bool was_dropped_ = false;
  basic_once_event<real_traits> done_;
  std::atomic<std::uint32_t> state_{static_cast<std::uint32_t>(job_state::pending)};
  std::atomic<std::uint32_t> holders_{1};  // the caller; and the pool, from submit on
};

/// The caller's hold of a job. Its end, by a return, an exception or a release of the coroutine,
/// ends the call as I2 says; so it may wait. On an abandoned stack, too (F-12).
class [[nodiscard]] blocking_caller : private abandonable {
 public:
  blocking_caller(blocking_job& job, const blocking_options& options) noexcept
      : abandonable(abandoned), job_(job), options_(options) {
    mark();
  }
  blocking_caller(const blocking_caller&) = delete;
  blocking_caller& operator=(const blocking_caller&) = delete;
  ~blocking_caller() {
    unmark();
    leave();
  }

  /// Submits, and waits. An error if `fn` was not called, or is abandoned; else the outcome is
  /// there. Throws forced_unwind.
  [[nodiscard]] result<void> call();

 private:
  static void abandoned(abandonable& self) noexcept { static_cast<blocking_caller&>(self).leave(); }
  [[nodiscard]] result<void> submit() noexcept;
  bool withdraw() noexcept;
  void leave() noexcept;

  blocking_job& job_;
  const blocking_options options_;
  bool submitted_ = false;  // and the pool may still run it, or the caller must look
};

template <class F>
class job_of final : public blocking_job {
 public:
  using raw = std::invoke_result_t<F&>;
  using value = typename unwrapped<raw>::type;
  static_assert(!std::is_reference_v<raw>, "what `fn` returns would belong to a pool's thread");

  template <class G>
  job_of(std::in_place_t /*unused*/, G&& f)
      : blocking_job(call, destroy), f_(std::in_place, std::forward<G>(f)) {}

  [[nodiscard]] result<value> take() {
#if BAST_EXCEPTIONS
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
#endif
    return *std::move(outcome_);
  }

 private:
  static void call(blocking_job& self, bool runs) noexcept {
    auto& mine = static_cast<job_of&>(self);
    if (runs) {
#if BAST_EXCEPTIONS
      try {
        mine.invoke();
      } catch (...) {
        mine.failure_ = std::current_exception();
      }
#else
      mine.invoke();
#endif
    }
    mine.f_.reset();  // Before the caller goes on: it may refer to that one's stack.
  }
  static void destroy(blocking_job& self) noexcept { os::destroy(&static_cast<job_of&>(self)); }
  void invoke() {
    if constexpr (std::is_void_v<raw>) {
      (*f_)();
      outcome_.emplace();
    } else {
      outcome_.emplace((*f_)());
    }
  }

  std::optional<F> f_;
  std::optional<result<value>> outcome_;
#if BAST_EXCEPTIONS
  std::exception_ptr failure_;
#endif
};

}  // namespace internal

/// Calls `fn()` once, on a thread of the pool, in the order of the calls (IO-10), and returns its
/// value, or the value of its result<T>; rethrows its exception. Any fiber or coroutine with an
/// executor, and any OS thread. Allocates.
///
/// A cancel before `fn` begins removes it from the queue. After that the call waits for `fn` and
/// returns its value, or leaves it behind (blocking_options::abandon_on_cancel). So does a release
/// of the coroutine, and the abandonment of its stack, which wait on the spot.
///
/// Errors: cancelled; `limit`, naming queue_max, or if no thread can be started; closed (the pool
/// was shut down before `fn` began); invalid (no pool); those of perform; no_memory; forked; those
/// of `fn`.
template <class F>
[[nodiscard]] auto blocking(F&& fn, const blocking_options& options = {})
    -> result<typename internal::job_of<std::decay_t<F>>::value> {
  auto* const job =
      internal::make_movable<internal::job_of<std::decay_t<F>>>(std::in_place, std::forward<F>(fn));
  if (job == nullptr) return fail(errc::no_memory, "blocking", "no memory for the call");
  internal::blocking_caller caller(*job, options);
  if (auto called = caller.call(); !called) return std::unexpected(called.error());
  return job->take();
}

}  // namespace bast::inline BAST_ABI
