// SPDX-License-Identifier: Apache-2.0
#include "bast/process/child.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

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

/// What a coroutine waits for; at most one for each.
enum class child_event : std::uint8_t { output, errors, input, end };
inline constexpr std::size_t child_events = 4;

struct child_waiter {
  waiter* who = nullptr;  // null: no coroutine
  waiter::armed_word armed = 0;
  cancel_token governing;  // not on the stack, which may be abandoned

  void notify() noexcept {
    if (who != nullptr && who->commit(armed, arm_first)) who->wake();
  }
};

/// On the heap, because its owner may end before the process does. The last one that uses it
/// destroys it: its owner, a coroutine that waits, or the loop.
struct awaited_child {
  explicit awaited_child(process_driver& of) noexcept : driver(of) {}

  process_driver& driver;
  process_id id;
  pid_t pid = -1;
  os::fork_mark process = os::fork_mark::here();
  std::array<bool, child_events> has = {};  // the streams that are ours
  std::optional<cancel_callback<stop_child>> stop_own;
  std::array<child_waiter, child_events> waiters;
  child_process* owner = nullptr;  // null: it ended, or detached
  std::optional<process_result> ended;
  bool taken = false;  // `wait` has returned the result

  child_process own() noexcept { return child_process(*this); }

  /// Each of its users calls this when it is done with it. In a forked child no loop is one
  /// (IO-15).
  void destroy_if_unused() noexcept {
    if (owner != nullptr) return;
    for (const child_waiter& each : waiters) {
      if (each.who != nullptr) return;
    }
    if (ended || process.is_forked()) os::destroy(this);
  }

  static void finished(void* context, process_id, process_result&& result) noexcept {
    auto* const self = static_cast<awaited_child*>(context);
    self->stop_own.reset();  // The driver may be gone when the token fires.
    self->ended.emplace(std::move(result));
    for (child_waiter& each : self->waiters) each.notify();
    self->destroy_if_unused();
  }
  static void progressed(void* context, process_id) noexcept {
    auto* const self = static_cast<awaited_child*>(context);
    for (child_waiter& each : std::span(self->waiters).first(child_events - 1)) each.notify();
  }
};

namespace {

/// Ends the wait of a coroutine whose token fires, on any thread.
struct end_wait {
  waiter* who;
  waiter::armed_word armed;

  void operator()() const noexcept {
    if (who->commit(armed, arm_cancelled)) who->wake();
  }
};

/// The coroutine's side of its waits for one event. On an abandoned stack it ends as in its
/// destructor.
class event_wait : private abandonable {
 public:
  event_wait(executor* home, awaited_child& state, child_event event) noexcept
      : abandonable(abandoned),
        state_(state),
        place_(state.waiters[static_cast<std::size_t>(event)]),
        waiter_(home) {
    mark();
    place_.who = &waiter_;
    place_.governing = this_coro::cancellation();
  }
  ~event_wait() {
    unmark();
    leave();
  }
  event_wait(const event_wait&) = delete;
  event_wait& operator=(const event_wait&) = delete;

  /// Until the end of the program, which a cancellation of the coroutine stops.
  void until_end() {
    place_.armed = waiter_.arm();
    const cancel_callback stop(place_.governing,
                               stop_child{&state_.driver, state_.id, state_.process});
    (void)waiter_.wait();
  }
  /// Until the event, or until the coroutine is cancelled.
  [[nodiscard]] result<void> until_event(static_string operation) {
    place_.armed = waiter_.arm();
    {
      const cancel_callback wake(place_.governing, end_wait{&waiter_, place_.armed});
      (void)waiter_.wait();
    }
    return place_.governing.check(operation);
  }

 private:
  static void abandoned(abandonable& self) noexcept { static_cast<event_wait&>(self).leave(); }
  void leave() noexcept {
    (void)waiter_.withdraw();
    place_.who = nullptr;
    place_.governing = {};
    state_.destroy_if_unused();
  }

  awaited_child& state_;
  child_waiter& place_;
  waiter waiter_;
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

/// A coroutine's waits for an event, which begin when it must suspend for the first time.
class lazy_wait {
 public:
  lazy_wait(awaited_child& state, child_event event, static_string operation) noexcept
      : state_(state), event_(event), operation_(operation) {}

  /// Fails if another coroutine waits for the event: it comes first, even if this one need not
  /// suspend. Errors: busy.
  [[nodiscard]] result<void> check() const noexcept {
    if (state_.waiters[static_cast<std::size_t>(event_)].who == nullptr) return {};
    return fail(errc::busy, operation_, "another coroutine waits for this stream");
  }
  /// Requires that check() succeeded. Errors: not_in_fiber; cancelled; those of home_of_wait.
  [[nodiscard]] result<void> until_event(static_string outside) {
    if (!wait_) {
      const auto home = home_of_wait(state_.driver, operation_, outside);
      if (!home) return std::unexpected(home.error());
      if (auto may = this_coro::cancellation().check(operation_); !may) return may;
      wait_.emplace(*home, state_, event_);
    }
    return wait_->until_event(operation_);
  }

 private:
  awaited_child& state_;
  child_event event_;
  static_string operation_;
  std::optional<event_wait> wait_;
};

}  // namespace

result<child_process> begin_child(process_driver& driver, const cancel_token& own,
                                  static_string operation, process_starter start,
                                  void* context) noexcept {
  auto* const state = os::make<awaited_child>(driver);
  if (state == nullptr) return fail(errc::no_memory, operation, "no memory for the wait");
  const auto id =
      start(context, driver, {awaited_child::finished, state, awaited_child::progressed});
  if (!id) {
    os::destroy(state);
    return std::unexpected(id.error());
  }
  state->id = *id;
  if (const process_start* const started = driver.machine().find_start(*id)) {
    state->pid = started->pid;
    state->has = {started->output_pipe >= 0, started->errors_pipe >= 0, started->input_pipe >= 0};
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

std::unexpected<error> refers_to_nothing(static_string operation,
                                         std::int64_t value = error::no_value) noexcept {
  return fail(errc::stale_handle, operation, "it was waited for, detached or moved from", value);
}

/// The error of a part of `operation`.
std::unexpected<error> of_part(static_string operation, const error& why,
                               std::int64_t value = error::no_value) noexcept {
  const auto detail = static_string::promise(why.detail());
  const int error_number = why.error_number();
  return std::unexpected(error_number != 0
                             ? error::from_errno(error_number, operation, detail, value)
                             : error(why.kind(), operation, detail, value));
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

result<std::size_t> child_process::read(output_stream which, std::span<std::byte> into) {
  constexpr static_string operation = "child_process.read";
  if (state_ == nullptr) return refers_to_nothing(operation);
  if (into.empty()) return fail(errc::invalid, operation, "there is no room for a byte");
  internal::awaited_child& state = *state_;
  const auto event = static_cast<internal::child_event>(which);
  if (!state.has[static_cast<std::size_t>(event)]) {
    return fail(errc::bad_state, operation, "the stream is neither captured nor a pipe");
  }
  internal::lazy_wait waiting(state, event, operation);
  if (auto free = waiting.check(); !free) return std::unexpected(free.error());
  for (;;) {
    if (state.taken) return refers_to_nothing(operation);
    if (state.ended) {
      captured_output& got =
          which == output_stream::output ? state.ended->output : state.ended->errors;
      return got.bytes.take(into);
    }
    const auto taken = state.driver.take(state.id, which, into);
    if (!taken) return of_part(operation, taken.error());
    if (*taken != 0) return taken;
    if (state.ended) continue;
    if (state.driver.machine().has_all(state.id, which)) return 0;
    const auto woken =
        waiting.until_event("no coroutine runs on this thread, and there is nothing to read");
    if (!woken) return std::unexpected(woken.error());
  }
}

result<void> child_process::write(std::span<const std::byte> bytes) {
  constexpr static_string operation = "child_process.write";
  std::int64_t written = 0;
  if (state_ == nullptr) return refers_to_nothing(operation, written);
  internal::awaited_child& state = *state_;
  internal::lazy_wait waiting(state, internal::child_event::input, operation);
  if (auto free = waiting.check(); !free) return of_part(operation, free.error(), written);
  while (!bytes.empty()) {
    if (state.ended) return fail(errc::stale_handle, operation, "it has ended", written);
    const auto some = state.driver.write(state.id, bytes);
    if (!some) return of_part(operation, some.error(), written);
    written += static_cast<std::int64_t>(*some);
    bytes = bytes.subspan(*some);
    if (*some != 0) continue;
    const auto woken =
        waiting.until_event("no coroutine runs on this thread, and the pipe is full");
    if (!woken) return of_part(operation, woken.error(), written);
  }
  return {};
}

void child_process::close_input() noexcept {
  if (state_ != nullptr && !state_->ended) (void)state_->driver.close_input(state_->id);
}

result<process_result> child_process::wait() {
  constexpr static_string operation = "child_process.wait";
  if (state_ == nullptr) return refers_to_nothing(operation);
  internal::awaited_child& state = *state_;
  std::optional<internal::event_wait> waiting;
  if (!state.ended) {
    const auto home = internal::home_of_wait(
        state.driver, operation, "no coroutine runs on this thread, and it has not ended");
    if (!home) return std::unexpected(home.error());
    if (state.waiters[static_cast<std::size_t>(internal::child_event::end)].who != nullptr) {
      return fail(errc::busy, operation, "another coroutine waits for it");
    }
    waiting.emplace(*home, state, internal::child_event::end);
    waiting->until_end();
    BAST_CHECK(state.ended.has_value(), "a process that is waited for ended without its result");
  }
  result<process_result> out(std::move(*state.ended));
  state.taken = true;
  // The owner may have ended meanwhile, or moved: `this` is not used.
  if (state.owner != nullptr) state.owner->forget();
  if (!waiting) state.destroy_if_unused();
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
  if (state_ == nullptr) return;
  // The driver may deliver the end meanwhile: until `forget` this is the owner.
  if (!state_->ended) (void)state_->driver.hang_up(state_->id);
  forget()->destroy_if_unused();
}

void child_process::leave() noexcept {
  if (state_ == nullptr) return unmark();
  // As in `detach`.
  if (!state_->ended && !state_->process.is_forked()) {
    process_machine& machine = state_->driver.machine();  // Ends the process on a wrong thread.
    // P-14. Where the driver's thread has ended, no loop runs that would have to be notified.
    if (!state_->driver.cancel(state_->id)) (void)machine.cancel(state_->id);
  }
  forget()->destroy_if_unused();
}

}  // namespace bast::inline BAST_ABI
