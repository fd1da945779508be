// SPDX-License-Identifier: Apache-2.0
//
// `command`: what to run, and how; nothing happens until it is started.
//
//   auto compress = bast::command::argv({"zstd", "-19", "--stdout"});
//   compress.cwd("/srv/data").env("ZSTD_NBTHREADS", "4").limit(RLIMIT_CORE, 0, 0)
//       .in(from::bytes{text})
//       .out(to::capture{64_MiB})
//       .timeout(std::chrono::seconds(30));
//
// Setters copy what they are given. The first one that cannot (no memory, a NUL byte, an argument
// that no execve takes) is remembered, and `verify` and every start answer with it. Defaults are
// the safe ones: no shell, stdin empty, stdout and stderr inherited, a process group of its own,
// no descriptor that was not named, every signal at its default.
//
// Not thread-safe. Source: laws P-1 .. P-9.
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

/// Movable, not copyable; one that was moved from has nothing to run. Starts at most once:
/// afterwards setters and starts answer `bad_state` (P-3). A start that failed leaves it as it was
/// (P-9). Setters allocate; nothing here suspends.
class command {
 public:
  /// The program and its arguments, byte for byte; the first is also argv[0]. No shell reads them.
  /// A program without a slash is looked for in the PATH that the child will have; a relative one
  /// is relative to our working directory, whatever `cwd` says (P-1, P-2).
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
  /// What the program sees as argv[0]; the program that runs is still the first argument.
  command& argv0(std::string_view name) noexcept;
  /// Entered as the new user. Sets PWD as well, unless the environment was edited to have another
  /// one or to inherit nothing.
  command& cwd(std::string_view directory) noexcept;

  /// The last word about a name wins. The environment is read when the command starts, which must
  /// not happen while another thread calls setenv.
  command& env(std::string_view name, std::string_view value) noexcept;
  command& unset_env(std::string_view name) noexcept;
  /// Inherits nothing, and forgets what was set before.
  command& clear_env() noexcept;

  /// Where the standard streams lead: streams.hpp. By default stdin is empty, and stdout and stderr
  /// are those of this process. The last call for a stream wins.
  command& in(const input_source& source) noexcept;
  command& out(const output_target& target) noexcept;
  command& err(const output_target& target) noexcept;

  /// The child finds our descriptor `ours` under the number `theirs`, 3 or more.
  command& pass_fd(int ours, int theirs) noexcept;
  /// The child also gets every descriptor of ours that is not closed on exec.
  command& keep_foreign_fds() noexcept;

  /// The default: signals reach its children too, ours do not. A terminal that it inherits stops it
  /// when it reads: `same_group` is for those.
  command& own_group() noexcept;
  command& same_group() noexcept;
  command& new_session() noexcept;
  /// The same, and the terminal at the child's stdin becomes the controlling terminal of that
  /// session: for a pseudoterminal's end, say.
  command& controlling_terminal() noexcept;
  /// A group of its own, which becomes the foreground group of the terminal at its stdin: it reads
  /// that terminal, and ^C reaches it alone. The caller takes the terminal back by tcsetpgrp(3).
  command& foreground() noexcept;
  /// Stragglers of its own group are killed when it ends.
  command& kill_group_on_exit() noexcept;
  /// Sent to it when the *thread* that starts it ends (prctl(2), PR_SET_PDEATHSIG).
  command& parent_death_signal(int signal_number) noexcept;

  command& umask(mode_t mask) noexcept;
  command& limit(int resource, rlim_t soft, rlim_t hard) noexcept;
  /// Root that becomes another user loses its supplementary groups unless `groups` says otherwise.
  command& user(uid_t id) noexcept;
  command& group(gid_t id) noexcept;
  command& groups(std::span<const gid_t> ids) noexcept;

  // For whoever follows the process to its end. Negative durations are `invalid`.
  /// Stopped after this long: the stop signal, `grace` later SIGKILL. Default: never.
  command& timeout(std::chrono::nanoseconds duration) noexcept;
  command& grace(std::chrono::nanoseconds duration) noexcept;  // default 5 s
  command& stop_signal(int number) noexcept;                   // default SIGTERM
  /// How long to wait, after the exit, for the end of captured output. Default 250 ms.
  command& drain_grace(std::chrono::nanoseconds duration) noexcept;
  /// Stopped when this fires, as by a timeout. For `run`, which also obeys the token that governs
  /// the coroutine.
  command& cancelled_by(cancel_token token) noexcept;

  /// Runs it from a coroutine, which waits while `driver`'s loop goes on, until the process is gone
  /// (P-13, P-14). Whatever ended it, the result has all that was captured; see
  /// process_result::check. Nobody writes to or reads from our end of a pipe meanwhile, so streams
  /// must lead elsewhere. When the coroutine is released, the process is stopped and reaped by the
  /// loop. Blocks the thread while the program is started. Allocates. Errors: not_in_fiber;
  /// cancelled, when the token fired before; those of `start`.
  [[nodiscard]] result<process_result> run(process_driver& driver);
  /// The same with the driver of this thread. Errors: bad_state when there is none.
  [[nodiscard]] result<process_result> run();

  /// Starts it, and returns once the program executes: for its pid, signals and pipes meanwhile.
  /// Errors: cancelled, when its token fired before; those of `start`.
  [[nodiscard]] result<child_process> spawn(process_driver& driver) noexcept;

  /// Starts it for `driver` to follow, and returns once the program executes: for loops without
  /// coroutines. `finished` is called from the loop. Our ends of the streams that lead to pipes go
  /// to `pipes`, and are the caller's. Errors: those of `verify`; "command.start (stage)" with the
  /// errno, and `failure` tells more; `invalid`, `limit` (processes of the driver), shutdown.
  [[nodiscard]] result<process_id> start(process_driver& driver, process_finished finished,
                                         void* context, process_pipes* pipes = nullptr) noexcept;

  /// What a start would answer before it does anything: the first problem of a setter, or
  /// `bad_state` after a start.
  [[nodiscard]] result<void> verify() const noexcept;
  bool started() const noexcept { return started_; }

  /// Why the latest start failed; `stage` is `none` when it did not.
  const spawn_failure& failure() const noexcept { return failure_; }
  /// The same in words, with the program, the setter, and the path that it was given:
  /// "cannot start 'ls' (chdir): cwd '/no/such/directory': No such file or directory".
  void describe_failure(text& out) const noexcept;

 private:
  friend struct internal::command_access;

  command() noexcept;
  void refuse(errc kind, static_string detail) noexcept;
  /// False, and remembered, unless the command can still be changed.
  bool changeable() noexcept;
  /// False, and remembered, unless it is a signal, or 0 where that is allowed.
  bool acceptable_signal(int number, int lowest, static_string detail) noexcept;
  /// False, and remembered, unless `string` can be an argument of execve with `more` bytes.
  bool acceptable(std::string_view string, static_string nul_detail, std::size_t more = 0) noexcept;
  bool acceptable_name(std::string_view variable) noexcept;
  bool acceptable(std::chrono::nanoseconds duration) noexcept;
  void keep(bool added) noexcept;
  /// The path that was given to `setter`, or null.
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

/// What the rest of this layer may see of a command.
struct command_access {
  static const command_settings& settings(const command& c) noexcept { return c.settings_; }
  static void fail(command& c, spawn_failure failure) noexcept { c.failure_ = failure; }
  static void succeed(command& c) noexcept {
    c.failure_ = {};
    c.started_ = true;
  }
};

}  // namespace internal
}  // namespace bast::inline BAST_ABI
