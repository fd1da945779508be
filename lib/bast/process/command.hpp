// SPDX-License-Identifier: Apache-2.0
//
// `command`: a description of a program to run; nothing happens until it is started.
//
//   auto compress = bast::command::argv({"zstd", "-19", "--stdout"});
//   compress.cwd("/srv/data").env("ZSTD_NBTHREADS", "4").limit(RLIMIT_CORE, 0, 0)
//       .in(from::bytes{text})
//       .out(to::capture{64_MiB})
//       .timeout(std::chrono::seconds(30));
//
// Setters copy their arguments. The first error of a setter (no memory, a NUL byte, an argument
// that execve does not accept) is stored; `verify` and every start fail with it. The defaults are
// the safe ones: no shell, stdin empty, stdout and stderr inherited, a separate process group, no
// inherited descriptor except those passed, default action for every signal.
//
// Not thread-safe. Laws: P-1 .. P-9 (docs/laws.md).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bast/base.hpp"
#include "bast/process/child.hpp"
#include "bast/process/driver.hpp"
#include "bast/process/options.hpp"
#include "bast/process/settings.hpp"

namespace bast::inline BAST_ABI {

/// Movable, not copyable; a moved-from command has no program. Starts at most once: afterwards
/// setters and starts fail with `bad_state` (P-3). A failed start leaves it unchanged (P-9).
/// Setters allocate and never suspend.
class command {
 public:
  /// The program and its arguments, byte for byte; the first is also argv[0]. No shell interprets
  /// them. A program without a slash is looked up in the PATH that the child will have. A
  /// relative one is relative to our working directory, whatever `cwd` is (P-1, P-2).
  static command argv(std::initializer_list<std::string_view> arguments) noexcept;
  static command argv(std::span<const std::string_view> arguments) noexcept;
  static command argv(std::span<const std::string> arguments) noexcept;
  /// Exactly `/bin/sh -c script`.
  static command shell(std::string_view script) noexcept;

  command(const command&) = delete;
  command& operator=(const command&) = delete;
  ~command() = default;
  command(command&&) noexcept = default;
  command& operator=(command&&) noexcept = default;

  command& arg(std::string_view argument) noexcept;
  /// The program's argv[0]; the program to run is still the first argument.
  command& argv0(std::string_view name) noexcept;
  /// Entered with the new user id. Also sets PWD, unless the environment was edited to set PWD or
  /// to inherit nothing.
  command& cwd(std::string_view directory) noexcept;

  /// The last setting of a name wins. The environment is read when the command starts; no other
  /// thread may call setenv meanwhile.
  command& env(std::string_view name, std::string_view value) noexcept;
  command& unset_env(std::string_view name) noexcept;
  /// Inherits nothing, and discards earlier settings.
  command& clear_env() noexcept;

  /// Destinations of the standard streams: streams.hpp. By default stdin is empty, and stdout and
  /// stderr are those of this process. The last call for a stream wins.
  command& in(const input_source& source) noexcept;
  command& out(const output_target& target) noexcept;
  command& err(const output_target& target) noexcept;

  /// The child gets our descriptor `ours` as number `theirs`, 3 or more.
  command& pass_fd(int ours, int theirs) noexcept;
  /// The child also gets all our descriptors that are not closed on exec.
  command& keep_foreign_fds() noexcept;

  /// The default: signals sent to it also reach its children, signals sent to our group do not
  /// reach it. An inherited terminal stops it when it reads: use `same_group` there.
  command& own_group() noexcept;
  command& same_group() noexcept;
  command& new_session() noexcept;
  /// The same, and the terminal at the child's stdin becomes the controlling terminal of that
  /// session, for example a pseudoterminal.
  command& controlling_terminal() noexcept;
  /// A separate group, which becomes the foreground group of the terminal at its stdin: it can read
  /// the terminal, and ^C reaches only it. The caller takes the terminal back with tcsetpgrp(3).
  command& foreground() noexcept;
  /// Remaining members of its own group are killed when it ends.
  command& kill_group_on_exit() noexcept;
  /// Sent to it when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG).
  command& parent_death_signal(int signal_number) noexcept;

  command& umask(mode_t mask) noexcept;
  command& limit(int resource, rlim_t soft, rlim_t hard) noexcept;
  /// When root becomes another user, it loses its supplementary groups unless `groups` is set.
  command& user(uid_t id) noexcept;
  command& group(gid_t id) noexcept;
  command& groups(std::span<const gid_t> ids) noexcept;

  // For the supervisor of the process. Negative durations are `invalid`.
  /// Stopped after this time: the stop signal, and SIGKILL after `grace`. Default: never.
  command& timeout(std::chrono::nanoseconds duration) noexcept;
  command& grace(std::chrono::nanoseconds duration) noexcept;  // default 5 s
  command& stop_signal(int number) noexcept;                   // default SIGTERM
  /// How long to wait, after the exit, for the end of captured output. Default 250 ms.
  command& drain_grace(std::chrono::nanoseconds duration) noexcept;
  /// Stopped when this token fires, as by a timeout. For `run`, in addition to the token that
  /// governs the coroutine, and for `spawn`; `start` refuses it (process_driver::cancel).
  command& cancelled_by(cancel_token token) noexcept;

  /// Runs it from a coroutine, which waits while `driver`'s loop continues, until the process is
  /// gone (P-13, P-14). Whatever ended it, the result contains all captured output; see
  /// process_result::check. Nobody would read from pipes or write to them, so streams must lead
  /// elsewhere. If the coroutine is released, the process is stopped and the loop reaps it. Blocks
  /// the thread while the program is started. Allocates. Errors: not_in_fiber; cancelled, if the
  /// token has fired before; those of `start`.
  [[nodiscard]] result<process_result> run(process_driver& driver);
  /// The same with the driver of this thread. Errors: bad_state if there is none.
  [[nodiscard]] result<process_result> run();

  /// Starts it, and returns once the program executes: to read from it, write to it and signal it
  /// meanwhile. Keep what it returns: its end stops the program. Errors: cancelled, if the token of
  /// `cancelled_by` has fired; those of `start`.
  [[nodiscard]] result<child_process> spawn(process_driver& driver) noexcept;

  /// Starts it for `driver` to supervise, and returns once the program executes: for loops without
  /// coroutines. The loop calls `finished`. Our ends of the streams that lead to pipes are stored
  /// in `pipes`; the caller owns them. Errors: those of `verify`; "command.start (stage)" with the
  /// errno, details in `failure`; `invalid`, `limit` (processes of the driver), shutdown.
  [[nodiscard]] result<process_id> start(process_driver& driver, process_finished finished,
                                         void* context, process_pipes* pipes = nullptr) noexcept;

  /// The error that a start would fail with before it does anything: the first error of a setter,
  /// or `bad_state` after a start.
  [[nodiscard]] result<void> verify() const noexcept;
  bool started() const noexcept { return started_; }

  /// Why the latest start failed; `stage` is `none` if it succeeded.
  const spawn_failure& failure() const noexcept { return failure_; }
  /// The same as text, with the program, the setter and its path:
  /// "cannot start 'ls' (chdir): cwd '/no/such/directory': No such file or directory".
  void describe_failure(text& out) const noexcept;

 private:
  friend struct internal::command_access;

  command() noexcept;
  /// `start`, whatever `cancelled_by` was given.
  result<process_id> follow(process_driver& driver, const process_follower& follower,
                            internal::pipe_owner owner, process_pipes* pipes) noexcept;
  void refuse(errc kind, static_string detail) noexcept;
  /// Returns false and stores the error unless the command can still be changed.
  bool changeable() noexcept;
  /// Returns false and stores the error unless it is a signal, or 0 where allowed.
  bool acceptable_signal(int number, int lowest, static_string detail) noexcept;
  /// Returns false and stores the error unless `string` plus `more` bytes can be an execve
  /// argument.
  bool acceptable(std::string_view string, static_string nul_detail, std::size_t more = 0) noexcept;
  bool acceptable_name(std::string_view variable) noexcept;
  bool acceptable(std::chrono::nanoseconds duration) noexcept;
  void keep(bool added) noexcept;
  /// The path set by `setter`, or null.
  const char* path_of(std::string_view setter) const noexcept;
  void lead(int stream, internal::stream_settings::kind kind) noexcept;
  void lead_fd(int stream, int fd) noexcept;
  void lead_path(int stream, std::string_view path, bool append) noexcept;
  command& lead_output(int stream, const output_target& target) noexcept;

  internal::command_settings settings_;
  std::optional<error> problem_;
  spawn_failure failure_;
  bool started_ = false;
};

namespace internal {

/// The rest of this layer's access to a command.
struct command_access {
  static const command_settings& settings(const command& c) noexcept { return c.settings_; }
  static result<process_id> follow(command& c, process_driver& driver,
                                   const process_follower& follower, pipe_owner owner,
                                   process_pipes* pipes) noexcept {
    return c.follow(driver, follower, owner, pipes);
  }
  static void fail(command& c, spawn_failure failure) noexcept { c.failure_ = failure; }
  static void succeed(command& c) noexcept {
    c.failure_ = {};
    c.started_ = true;
  }
};

}  // namespace internal
}  // namespace bast::inline BAST_ABI
