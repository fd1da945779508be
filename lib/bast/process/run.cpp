// SPDX-License-Identifier: Apache-2.0
//
// From a command to a process that a driver supervises.
#include <utility>

#include "bast/os.hpp"
#include "bast/process/command.hpp"
#include "bast/process/run.hpp"
#include "bast/process/spawn.hpp"

namespace bast::inline BAST_ABI {

namespace {

using internal::command_settings;
using internal::pipe_owner;
using internal::stream_settings;
using stream_kind = stream_settings::kind;

bool leads_to(const command_settings& settings, int stream, stream_kind where) noexcept {
  return settings.streams[stream].to == where;
}

bool leads_to_a_pipe(const command_settings& settings) noexcept {
  return leads_to(settings, 0, stream_kind::pipe) || leads_to(settings, 1, stream_kind::pipe) ||
         leads_to(settings, 2, stream_kind::pipe);
}

// What the library reads ahead from a pipe of child_process: as much as the pipe itself holds.
constexpr to::capture read_ahead = {.limit = 64_KiB, .policy = on_limit::backpressure};

struct starting {
  command& self;
  pipe_owner owner;
};

result<process_id> start_command(void* context, process_driver& driver,
                                 const process_follower& follower) {
  const auto& asked = *static_cast<const starting*>(context);
  return internal::command_access::follow(asked.self, driver, follower, asked.owner, nullptr);
}

}  // namespace

command& command::cancelled_by(cancel_token token) noexcept {
  if (changeable()) settings_.token = std::move(token);
  return *this;
}

result<process_id> command::start(process_driver& driver, process_finished finished, void* context,
                                  process_pipes* pipes) noexcept {
  if (settings_.token.can_be_cancelled()) {
    return fail(errc::invalid, "command.start",
                "cancelled_by is for run and spawn: pass the id to process_driver::cancel");
  }
  const pipe_owner owner = pipes != nullptr ? pipe_owner::caller : pipe_owner::none;
  return follow(driver, {.finished = finished, .context = context}, owner, pipes);
}

result<process_id> command::follow(process_driver& driver, const process_follower& follower,
                                   pipe_owner owner, process_pipes* pipes) noexcept {
  if (owner == pipe_owner::none && leads_to_a_pipe(settings_)) {
    return fail(errc::invalid, "command.start",
                "a stream leads to a pipe whose other end would be lost: capture it, spawn, or "
                "pass `pipes`");
  }
  // Checked before anything runs: a command that cannot be supervised stays usable (P-9).
  if (auto room = driver.has_room(); !room) return std::unexpected(room.error());
  auto spawned = internal::spawn(*this);
  if (!spawned) return std::unexpected(spawned.error());
  os::started_process& process = spawned->process;
  process_child child{
      settings_.policy, follower, process.pid, std::move(process.pidfd), {}, {}, {}};
  child.own_group = process.leads_group;
  const bool serves = owner == pipe_owner::driver;
  // Of streams that lead elsewhere there is no end of ours.
  if (serves || leads_to(settings_, 1, stream_kind::capture)) {
    child.output_pipe = std::move(spawned->stdout_pipe);
  }
  if (serves || leads_to(settings_, 2, stream_kind::capture)) {
    child.errors_pipe = std::move(spawned->stderr_pipe);
  }
  if (leads_to(settings_, 1, stream_kind::pipe)) child.output = read_ahead;
  if (leads_to(settings_, 2, stream_kind::pipe)) child.errors = read_ahead;
  if (serves) child.input_pipe = std::move(spawned->stdin_pipe);
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

result<child_process> command::spawn(process_driver& driver) noexcept {
  constexpr static_string operation = "command.spawn";
  if (auto may = settings_.token.check(operation); !may && !BAST_MUTANT(started_though_cancelled)) {
    return std::unexpected(may.error());
  }
  starting asked{*this, pipe_owner::driver};
  return internal::begin_child(driver, settings_.token, operation, start_command, &asked);
}

result<process_result> command::run(process_driver& driver) {
  starting asked{*this, pipe_owner::none};
  return internal::run_and_wait(driver, settings_.token, start_command, &asked);
}

result<process_result> command::run() {
  process_driver* const driver = process_driver::of_this_thread();
  if (driver == nullptr) {
    return fail(errc::bad_state, "command.run",
                "this thread has no process driver: create an epoll_adapter or a uring_adapter");
  }
  return run(*driver);
}

}  // namespace bast::inline BAST_ABI
