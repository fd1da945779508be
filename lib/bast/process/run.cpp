// SPDX-License-Identifier: Apache-2.0
//
// From a command to its result: the start, and the coroutine that waits for the end.
#include <optional>
#include <utility>

#include "bast/os.hpp"
#include "bast/process/command.hpp"
#include "bast/process/run.hpp"
#include "bast/process/spawn.hpp"

namespace bast::inline BAST_ABI {

namespace {

using internal::command_settings;
using internal::stream_settings;
using stream_kind = stream_settings::kind;

bool leads_to(const command_settings& settings, int stream, stream_kind where) noexcept {
  return settings.streams[stream].to == where;
}

bool leads_to_a_pipe(const command_settings& settings) noexcept {
  return leads_to(settings, 0, stream_kind::pipe) || leads_to(settings, 1, stream_kind::pipe) ||
         leads_to(settings, 2, stream_kind::pipe);
}

/// One process that a coroutine waits for. On the heap, because the coroutine may be released, with
/// or without unwinding, before the process ends. The last of the two destroys it.
struct awaited {
  // The command's own, and the one that governs the coroutine. Not on its stack, which may be
  // abandoned.
  cancel_token own;
  cancel_token governing;
  internal::waiter* waits = nullptr;  // null: the coroutine was released
  internal::waiter::armed_word armed = 0;
  std::optional<process_result> ended;

  static void finished(void* context, process_id, process_result&& result) noexcept {
    auto* const self = static_cast<awaited*>(context);
    if (self->waits == nullptr) return os::destroy(self);
    self->ended.emplace(std::move(result));
    if (self->waits->commit(self->armed, internal::arm_first)) self->waits->wake();
  }
};

/// The coroutine's side of it. On a stack that is abandoned it ends as in its destructor.
class wait_for_end : private internal::abandonable {
 public:
  wait_for_end(process_driver& driver, internal::executor* home, awaited& state) noexcept
      : abandonable(abandoned), driver_(driver), state_(state), waiter_(home) {
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

  void started(process_id id) noexcept {
    id_ = id;
    started_ = true;
  }
  /// Cancellation stops the process; the wait ends only when the process has ended (C-12).
  process_result wait() {
    const auto end = [this]() noexcept {
      if (!process_.is_forked()) driver_.cancel_from_anywhere(id_);
    };
    const cancel_callback stop_own(state_.own, end);
    const cancel_callback stop_governing(state_.governing, end);
    (void)waiter_.wait();
    BAST_CHECK(state_.ended.has_value(), "a process that is waited for ended without its result");
    return std::move(*state_.ended);
  }

 private:
  static void abandoned(internal::abandonable& self) noexcept {
    static_cast<wait_for_end&>(self).leave();
  }
  void leave() noexcept {
    (void)waiter_.withdraw();
    // In a forked child nobody ends it, and the driver may be gone (IO-15).
    if (state_.ended || !started_ || process_.is_forked()) {
      os::destroy(&state_);
      return;
    }
    // Released: the loop ends the process (P-14), and then the state.
    state_.waits = nullptr;
    (void)driver_.cancel(id_);
  }

  process_driver& driver_;
  awaited& state_;
  internal::waiter waiter_;
  os::fork_mark process_ = os::fork_mark::here();
  process_id id_;
  bool started_ = false;
};

result<process_id> start_command(void* self, process_driver& driver, process_finished finished,
                                 void* state) {
  return static_cast<command*>(self)->start(driver, finished, state);
}

}  // namespace

command& command::cancelled_by(cancel_token token) noexcept {
  if (changeable()) settings_.token = std::move(token);
  return *this;
}

result<process_id> command::start(process_driver& driver, process_finished finished, void* context,
                                  process_pipes* pipes) noexcept {
  if (pipes == nullptr && leads_to_a_pipe(settings_)) {
    return fail(errc::invalid, "command.start",
                "a stream leads to a pipe, and nobody takes our end: capture it, or pass `pipes`");
  }
  // Before anything runs: a command that cannot be followed is not used up (P-9).
  if (auto room = driver.has_room(); !room) return std::unexpected(room.error());
  auto spawned = internal::spawn(*this);
  if (!spawned) return std::unexpected(spawned.error());
  os::started_process& process = spawned->process;
  process_child child{settings_.policy, process.pid, std::move(process.pidfd), {}, {},
                      finished,         context};
  child.own_group = process.leads_group;
  if (leads_to(settings_, 1, stream_kind::capture)) {
    child.output_pipe = std::move(spawned->stdout_pipe);
  }
  if (leads_to(settings_, 2, stream_kind::capture)) {
    child.errors_pipe = std::move(spawned->stderr_pipe);
  }
  auto id = driver.start(std::move(child));
  if (!id) {
    process.pidfd = std::move(child.pidfd);  // NOLINT(bugprone-use-after-move): not on an error
    os::destroy_process(process);
    return id;
  }
  if (pipes != nullptr) {
    *pipes = {.stdin_pipe = std::move(spawned->stdin_pipe),
              .stdout_pipe = std::move(spawned->stdout_pipe),
              .stderr_pipe = std::move(spawned->stderr_pipe)};
  }
  return id;
}

result<process_result> internal::run_and_wait(process_driver& driver, const cancel_token& own,
                                              process_starter start, void* context) {
  constexpr const char* operation = "command.run";
  if (!this_coro::exists()) {
    return fail(errc::not_in_fiber, operation, "no coroutine runs on this thread: use start");
  }
  const auto home = driver.continues();
  if (!home) return std::unexpected(home.error());
  if (auto may = internal::waiter::check(operation, *home); !may) {
    return std::unexpected(may.error());
  }
  cancel_token governing = this_coro::cancellation();
  const cancel_token* const tokens[] = {&own, &governing};
  for (const cancel_token* const each : tokens) {
    if (auto goes_on = each->check(operation); !goes_on && !BAST_MUTANT(started_though_cancelled)) {
      return std::unexpected(goes_on.error());
    }
  }
  auto* const state = os::make<awaited>();
  if (state == nullptr) return fail(errc::no_memory, operation, "no memory to wait with");
  state->own = own;
  state->governing = std::move(governing);  // Nothing of it is left here: see `awaited`.
  wait_for_end waiting(driver, *home, *state);
  const auto id = start(context, driver, awaited::finished, state);
  if (!id) return std::unexpected(id.error());
  waiting.started(*id);
  return waiting.wait();
}

result<process_result> command::run(process_driver& driver) {
  return internal::run_and_wait(driver, settings_.token, start_command, this);
}

result<process_result> command::run() {
  process_driver* const driver = process_driver::of_this_thread();
  if (driver == nullptr) {
    return fail(errc::bad_state, "command.run",
                "this thread has no process driver: make an epoll_adapter or a uring_adapter");
  }
  return run(*driver);
}

}  // namespace bast::inline BAST_ABI
