// SPDX-License-Identifier: Apache-2.0
#include "bast/process/child.hpp"

#include <optional>

#include "bast/process/run.hpp"

namespace bast::inline BAST_ABI {
namespace internal {

/// Stops a child when a token fires, on any thread.
struct stop_child {
  process_driver* driver;
  process_id id;
  os::fork_mark process;

  void operator()() const noexcept {
    if (!process.is_forked()) driver->cancel_from_anywhere(id);
  }
};

/// On the heap, because its owner may end before the process does. The later of the two destroys
/// it.
struct awaited_child {
  explicit awaited_child(process_driver& of) noexcept : driver(of) {}

  process_driver& driver;
  process_id id;
  pid_t pid = -1;
  os::fork_mark process = os::fork_mark::here();
  std::optional<cancel_callback<stop_child>> stop_own;
  cancel_token governing;   // during a wait; not on the stack, which may be abandoned
  waiter* waits = nullptr;  // the coroutine in `wait`
  waiter::armed_word armed = 0;
  child_process* owner = nullptr;  // null: it ended, or detached
  std::optional<process_result> ended;

  child_process own() noexcept { return child_process(*this); }

  /// Its owner, the coroutine that waits and the loop each call this when they are done with it. In
  /// a forked child no loop is (IO-15).
  void destroy_if_unused() noexcept {
    if (owner != nullptr || waits != nullptr) return;
    if (ended || process.is_forked()) os::destroy(this);
  }

  static void finished(void* context, process_id, process_result&& result) noexcept {
    auto* const self = static_cast<awaited_child*>(context);
    self->stop_own.reset();  // The driver may be gone when the token fires.
    self->ended.emplace(std::move(result));
    if (self->waits == nullptr) return self->destroy_if_unused();
    if (self->waits->commit(self->armed, arm_first)) self->waits->wake();
  }
};

namespace {

/// The coroutine's side of a wait. On an abandoned stack it ends as in its destructor.
class wait_for_end : private abandonable {
 public:
  wait_for_end(executor* home, awaited_child& state) noexcept
      : abandonable(abandoned), state_(state), waiter_(home) {
    mark();
    state.waits = &waiter_;
    state.armed = waiter_.arm();
  }
  ~wait_for_end() {
    unmark();
    leave();
  }
  wait_for_end(const wait_for_end&) = delete;
  wait_for_end& operator=(const wait_for_end&) = delete;

  void wait() {
    (void)waiter_.wait();
    is_over_ = true;
  }

 private:
  static void abandoned(abandonable& self) noexcept { static_cast<wait_for_end&>(self).leave(); }
  void leave() noexcept {
    (void)waiter_.withdraw();
    state_.waits = nullptr;
    state_.governing = {};
    if (!is_over_) state_.destroy_if_unused();
  }

  awaited_child& state_;
  waiter waiter_;
  bool is_over_ = false;  // and the state is the coroutine's
};

/// The executor that will continue the calling coroutine. Errors: not_in_fiber, with the detail
/// `outside`; those of process_driver::continues and waiter::check.
result<executor*> home_of_wait(process_driver& driver, static_string operation,
                               static_string outside) noexcept {
  if (!this_coro::exists()) return fail(errc::not_in_fiber, operation, outside);
  auto home = driver.continues();
  if (!home) return home;
  if (auto may = waiter::check(operation, *home); !may) return std::unexpected(may.error());
  return home;
}

}  // namespace

result<child_process> begin_child(process_driver& driver, const cancel_token& own,
                                  static_string operation, process_starter start,
                                  void* context) noexcept {
  auto* const state = os::make<awaited_child>(driver);
  if (state == nullptr) return fail(errc::no_memory, operation, "no memory for the wait");
  const auto id = start(context, driver, awaited_child::finished, state);
  if (!id) {
    os::destroy(state);
    return std::unexpected(id.error());
  }
  state->id = *id;
  if (const process_start* const started = driver.machine().find_start(*id)) {
    state->pid = started->pid;
  }
  child_process child = state->own();
  state->stop_own.emplace(own, stop_child{&driver, *id, state->process});
  return child;
}

result<process_result> run_and_wait(process_driver& driver, const cancel_token& own,
                                    process_starter start, void* context) {
  constexpr static_string operation = "command.run";
  // Checked before anything runs: a command that cannot be waited for stays usable (P-9).
  const auto home = home_of_wait(driver, operation, "no coroutine runs on this thread: use start");
  if (!home) return std::unexpected(home.error());
  if (auto may = own.check(operation); !may && !BAST_MUTANT(started_though_cancelled)) {
    return std::unexpected(may.error());
  }
  if (auto may = this_coro::cancellation().check(operation);
      !may && !BAST_MUTANT(started_though_cancelled)) {
    return std::unexpected(may.error());
  }
  auto child = begin_child(driver, own, operation, start, context);
  if (!child) return std::unexpected(child.error());
  return child->wait();
}

}  // namespace internal

namespace {

std::unexpected<error> refers_to_nothing(static_string operation) noexcept {
  return fail(errc::stale_handle, operation, "it was waited for, detached or moved from");
}

}  // namespace

pid_t child_process::pid() const noexcept { return state_ != nullptr ? state_->pid : -1; }

process_id child_process::id() const noexcept {
  return state_ != nullptr ? state_->id : process_id();
}

bool child_process::has_ended() const noexcept {
  return state_ != nullptr && state_->ended.has_value();
}

result<void> child_process::signal(int number) noexcept {
  if (state_ == nullptr) return refers_to_nothing("child_process.signal");
  if (has_ended()) return fail(errc::stale_handle, "child_process.signal", "it has ended", pid());
  return state_->driver.signal(state_->id, number);
}

result<void> child_process::stop() noexcept {
  if (state_ == nullptr) return refers_to_nothing("child_process.stop");
  if (has_ended()) return {};
  return state_->driver.cancel(state_->id);
}

result<process_result> child_process::wait() {
  constexpr static_string operation = "child_process.wait";
  if (state_ == nullptr) return refers_to_nothing(operation);
  internal::awaited_child& state = *state_;
  if (!state.ended) {
    const auto home = internal::home_of_wait(
        state.driver, operation, "no coroutine runs on this thread, and it has not ended");
    if (!home) return std::unexpected(home.error());
    if (state.waits != nullptr) {
      return fail(errc::busy, operation, "another coroutine waits for it");
    }
    state.governing = this_coro::cancellation();
    internal::wait_for_end waiting(*home, state);
    const cancel_callback stop(state.governing,
                               internal::stop_child{&state.driver, state.id, state.process});
    waiting.wait();
    BAST_CHECK(state.ended.has_value(), "a process that is waited for ended without its result");
  }
  result<process_result> out(std::move(*state.ended));
  // The owner may have ended meanwhile, or moved: `this` is not used.
  if (state.owner != nullptr) state.owner->forget();
  os::destroy(&state);
  return out;
}

void child_process::adopt(internal::awaited_child* state) noexcept {
  state_ = state;
  if (state == nullptr) return;
  state->owner = this;
  mark();
}

internal::awaited_child* child_process::forget() noexcept {
  unmark();
  if (state_ != nullptr) state_->owner = nullptr;
  return std::exchange(state_, nullptr);
}

void child_process::detach() noexcept {
  if (internal::awaited_child* const state = forget()) state->destroy_if_unused();
}

void child_process::leave() noexcept {
  internal::awaited_child* const state = forget();
  if (state == nullptr) return;
  if (!state->ended && !state->process.is_forked()) {
    process_machine& machine = state->driver.machine();  // Ends the process on a wrong thread.
    // P-14. Where the driver's thread has ended, no loop runs that would have to be notified.
    if (!state->driver.cancel(state->id)) (void)machine.cancel(state->id);
  }
  state->destroy_if_unused();
}

}  // namespace bast::inline BAST_ABI
