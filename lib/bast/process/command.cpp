// SPDX-License-Identifier: Apache-2.0
#include "bast/process/command.hpp"

#include <csignal>
#include <cstring>

#include "bast/process/spawn_streams.hpp"

namespace bast::inline BAST_ABI {
namespace {

using internal::child_group;

// MAX_ARG_STRLEN of <linux/binfmts.h>, including the NUL: 32 pages of at least 4 KiB.
constexpr std::size_t string_bytes_max = std::size_t{128} << 10;

// setresuid(2) and setresgid(2) leave an id unchanged that has this value.
constexpr unsigned unchanged_id = ~0U;

constexpr std::size_t passed_max = 1024;  // limits the child's search among them

}  // namespace

const char* name_of(spawn_stage stage) noexcept {
  switch (stage) {
    case spawn_stage::none: return "none";
    case spawn_stage::prepare: return "prepare";
    case spawn_stage::fork: return "fork";
    case spawn_stage::descriptors: return "descriptors";
    case spawn_stage::group: return "group";
    case spawn_stage::limits: return "limits";
    case spawn_stage::ids: return "ids";
    case spawn_stage::parent_death: return "parent_death";
    case spawn_stage::chdir: return "chdir";
    case spawn_stage::exec: return "exec";
    case spawn_stage::terminal: return "terminal";
  }
  return "unknown";
}

command::command() noexcept { settings_.streams[0].to = internal::stream_settings::kind::null; }

command command::argv(std::span<const std::string_view> arguments) noexcept {
  command made;
  for (const auto argument : arguments) made.arg(argument);
  return made;
}

command command::argv(std::span<const std::string> arguments) noexcept {
  command made;
  for (const std::string& each : arguments) made.arg(each);
  return made;
}

command command::argv(std::initializer_list<std::string_view> arguments) noexcept {
  return argv(std::span(arguments.begin(), arguments.size()));
}

command command::shell(std::string_view script) noexcept { return argv({"/bin/sh", "-c", script}); }

void command::refuse(errc problem, static_string detail) noexcept {
  if (!problem_) problem_ = error(problem, "command", detail);
}

bool command::changeable() noexcept {
  if (started_) refuse(errc::bad_state, "it was started already");
  return !started_;
}

bool command::acceptable(std::string_view string, static_string nul_detail,
                         std::size_t more) noexcept {
  if (!changeable()) return false;
  if (string.contains('\0') && !BAST_MUTANT(nul_accepted)) {
    refuse(errc::invalid, nul_detail);
    return false;
  }
  if (string.size() >= string_bytes_max - more) {
    refuse(errc::invalid, "a string is longer than execve takes: 128 KiB with its NUL");
    return false;
  }
  return true;
}

void command::keep(bool added) noexcept {
  if (!added) refuse(errc::no_memory, "no memory for the argument of a setter");
}

command& command::arg(std::string_view argument) noexcept {
  if (!acceptable(argument, "argv, arg: an argument contains a NUL byte")) return *this;
  if (settings_.arguments.empty() && argument.empty()) {
    refuse(errc::invalid, "argv, arg: the program has no name");
  } else {
    keep(settings_.arguments.add({argument}));
  }
  return *this;
}

command& command::argv0(std::string_view name) noexcept {
  if (!acceptable(name, "argv0: the name contains a NUL byte")) return *this;
  keep(settings_.argv0.assign({name}));
  return *this;
}

command& command::cwd(std::string_view directory) noexcept {
  if (!acceptable(directory, "cwd: the path contains a NUL byte")) return *this;
  keep(settings_.directory.assign({directory}));
  return *this;
}

bool command::acceptable_name(std::string_view variable) noexcept {
  const bool is_name = !variable.empty() && !variable.contains('=');
  if (!is_name) {
    refuse(errc::invalid, "env, unset_env: the name is empty or contains '='");
  }
  return is_name;
}

command& command::env(std::string_view name, std::string_view value) noexcept {
  // '=' and NUL take a byte each.
  if (!acceptable(name, "env, unset_env: the name contains a NUL byte") ||
      !acceptable(value, "env: the value contains a NUL byte", name.size() + 1)) {
    return *this;
  }
  if (acceptable_name(name)) keep(settings_.environment.add({name, "=", value}));
  return *this;
}

command& command::unset_env(std::string_view name) noexcept {
  if (!acceptable(name, "env, unset_env: the name contains a NUL byte")) return *this;
  if (acceptable_name(name)) keep(settings_.environment.add({name}));
  return *this;
}

command& command::clear_env() noexcept {
  if (!changeable()) return *this;
  settings_.environment.clear();
  settings_.inherit_environment = false;
  return *this;
}

command& command::pass_fd(int ours, int theirs) noexcept {
  if (!changeable()) return *this;
  if (ours < 0 || theirs <= 2) {
    refuse(errc::invalid, "pass_fd: ours must be a descriptor, theirs 3 or more");
    return *this;
  }
  for (const auto& move : settings_.passed.all()) {
    if (move.target == theirs) {
      refuse(errc::invalid, "pass_fd: two descriptors cannot have one number");
      return *this;
    }
  }
  if (settings_.passed.size() >= passed_max) {
    refuse(errc::limit, "pass_fd: at most 1024 descriptors are passed");
    return *this;
  }
  keep(settings_.passed.add({.source = ours, .target = theirs}));
  return *this;
}

command& command::keep_foreign_fds() noexcept {
  if (changeable()) settings_.keep_foreign_fds = true;
  return *this;
}

command& command::own_group() noexcept {
  if (changeable()) settings_.group = child_group::own;
  return *this;
}
command& command::same_group() noexcept {
  if (changeable()) settings_.group = child_group::same;
  return *this;
}
command& command::new_session() noexcept {
  if (changeable()) settings_.group = child_group::session;
  return *this;
}
command& command::controlling_terminal() noexcept {
  if (changeable()) settings_.group = child_group::session_with_terminal;
  return *this;
}
command& command::foreground() noexcept {
  if (changeable()) settings_.group = child_group::foreground;
  return *this;
}
command& command::kill_group_on_exit() noexcept {
  if (changeable()) settings_.policy.kill_group_on_exit = true;
  return *this;
}

bool command::acceptable_signal(int number, int lowest, static_string detail) noexcept {
  if (!changeable()) return false;
  const bool exists = number >= lowest && number <= SIGRTMAX;
  if (!exists) refuse(errc::invalid, detail);
  return exists;
}

command& command::parent_death_signal(int number) noexcept {
  if (acceptable_signal(number, 0, "parent_death_signal: there is no such signal")) {
    settings_.parent_death_signal = number;
  }
  return *this;
}
command& command::stop_signal(int number) noexcept {
  if (acceptable_signal(number, 1, "stop_signal: there is no such signal")) {
    settings_.policy.stop_signal = number;
  }
  return *this;
}

command& command::umask(mode_t mask) noexcept {
  if (changeable()) settings_.umask = mask;
  return *this;
}

command& command::limit(int resource, rlim_t soft, rlim_t hard) noexcept {
  if (!changeable()) return *this;
  keep(settings_.limits.add({.resource = resource, .value = {.rlim_cur = soft, .rlim_max = hard}}));
  return *this;
}

command& command::user(uid_t id) noexcept {
  if (!changeable()) return *this;
  if (id == unchanged_id) refuse(errc::invalid, "user: -1 is no id");
  settings_.user = id;
  return *this;
}
command& command::group(gid_t id) noexcept {
  if (!changeable()) return *this;
  if (id == unchanged_id) refuse(errc::invalid, "group: -1 is no id");
  settings_.primary_group = id;
  return *this;
}
command& command::groups(std::span<const gid_t> ids) noexcept {
  if (!changeable()) return *this;
  settings_.groups.clear();
  settings_.has_groups = true;
  keep(settings_.groups.add_all(ids));
  return *this;
}

bool command::acceptable(std::chrono::nanoseconds duration) noexcept {
  if (!changeable()) return false;
  if (duration.count() < 0)
    refuse(errc::invalid, "timeout, grace, drain_grace: the duration is negative");
  return duration.count() >= 0;
}

command& command::timeout(std::chrono::nanoseconds duration) noexcept {
  if (acceptable(duration)) settings_.policy.timeout = duration;
  return *this;
}
command& command::grace(std::chrono::nanoseconds duration) noexcept {
  if (acceptable(duration)) settings_.policy.grace = duration;
  return *this;
}
command& command::drain_grace(std::chrono::nanoseconds duration) noexcept {
  if (acceptable(duration)) settings_.policy.drain_grace = duration;
  return *this;
}

result<void> command::verify() const noexcept {
  if (started_) return fail(errc::bad_state, "command.start", "it was started already");
  if (problem_) return std::unexpected(*problem_);
  if (settings_.arguments.empty()) {
    return fail(errc::invalid, "command.start", "there is no program to run");
  }
  return {};
}

const char* command::path_of(std::string_view setter) const noexcept {
  if (setter == "cwd") return settings_.directory.first();
  for (int i = 0; i < 3; ++i) {
    const auto& stream = settings_.streams[i];
    if (setter == internal::setter_of_stream(i) &&
        stream.to == internal::stream_settings::kind::path) {
      return stream.path.first();
    }
  }
  return nullptr;
}

void command::describe_failure(text& out) const noexcept {
  if (failure_.stage == spawn_stage::none) return;
  const char* const program = settings_.arguments.first();
  out << "cannot start '" << (program == nullptr ? "" : program) << "' (" << name_of(failure_.stage)
      << ')';
  if (failure_.setter != nullptr) {
    out << ": " << failure_.setter;
    if (const char* const path = path_of(failure_.setter)) out << " '" << path << '\'';
  }
  if (failure_.error_number != 0) {
    out << ": " << ::strerrordesc_np(failure_.error_number);
  } else if (const auto valid = verify(); !valid) {
    out << ": " << valid.error().detail();
  }
}

}  // namespace bast::inline BAST_ABI
