// SPDX-License-Identifier: Apache-2.0
#include "bast/process/spawn.hpp"

#include <unistd.h>

#include <optional>

#include "bast/process/image.hpp"
#include "bast/process/spawn_streams.hpp"
#include "bast/stack.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

using namespace bast::literals;

// The stack that this thread needs while faults are blocked: two frames of ours, clone, and the
// dynamic linker, which saves every vector register when it binds a name for the first time.
constexpr bytes blocked_stack = 8_KiB;
// The child's stack: a buffer of 2 KiB, and the same dynamic linker.
constexpr std::size_t child_stack_bytes = std::size_t{32} << 10;

struct stage_words {
  static_string operation;
  const char* setter;     // if there is one
  static_string refused;  // the meaning of a child's report about this stage
};

stage_words words_of(spawn_stage stage) noexcept {
  switch (stage) {
    case spawn_stage::none: break;
    case spawn_stage::prepare: return {"command.start (prepare)", nullptr, ""};
    case spawn_stage::fork: return {"command.start (fork)", nullptr, ""};
    case spawn_stage::descriptors:
      return {"command.start (descriptors)", nullptr,
              "a descriptor could not be given to the child"};
    case spawn_stage::group: return {"command.start (group)", nullptr, "setpgid or setsid refused"};
    case spawn_stage::limits: return {"command.start (limits)", "limit", "prlimit refused a limit"};
    case spawn_stage::ids:
      return {"command.start (ids)", "user, group or groups",
              "setgroups, setresgid or setresuid refused"};
    case spawn_stage::parent_death:
      return {"command.start (parent_death)", "parent_death_signal", "prctl refused the signal"};
    case spawn_stage::chdir:
      return {"command.start (chdir)", "cwd", "the working directory cannot be entered"};
    case spawn_stage::terminal:
      return {"command.start (terminal)", "controlling_terminal or foreground",
              "stdin is not such a terminal"};
    case spawn_stage::exec:
      return {"command.start (exec)", nullptr, "the program cannot be executed"};
  }
  return {"command.start", nullptr, ""};
}

/// The guarded stack of a child while it borrows our memory.
class child_stack {
 public:
  child_stack() noexcept = default;
  child_stack(const child_stack&) = delete;
  child_stack& operator=(const child_stack&) = delete;
  ~child_stack() {
    if (base_ != nullptr) os::release(base_, total());
  }

  result<void> map() noexcept {
    const auto mapped = os::map(total());
    if (!mapped) return std::unexpected(mapped.error());
    base_ = *mapped;
    return os::protect(base_, os::page_bytes(), os::access::none);
  }
  std::byte* top() const noexcept { return base_ + total(); }

 private:
  static std::size_t total() noexcept {
    return os::page_bytes() + round_up(child_stack_bytes, os::page_bytes());
  }
  std::byte* base_ = nullptr;
};

/// One start of one command. Frees what it still holds when destroyed.
class start {
 public:
  explicit start(command& c) noexcept : command_(c), settings_(command_access::settings(c)) {}

  result<spawned> run() noexcept {
    if (const auto valid = command_.verify(); !valid) {
      if (!command_.started()) command_access::fail(command_, {.stage = spawn_stage::prepare});
      return std::unexpected(valid.error());
    }
    if (const auto ready = prepare(); !ready) return std::unexpected(ready.error());
    auto child = launch();
    if (!child) return failed(spawn_stage::fork, child.error());
    child->leads_group = settings_.group != child_group::same;
    if (const auto executed = await_exec(); !executed) {
      // The program may run and have children: perhaps only the report failed.
      if (!BAST_MUTANT(zombie_left)) os::destroy_process(*child);
      if (BAST_MUTANT(pidfd_leaked)) (void)child->pidfd.release();
      return std::unexpected(executed.error());
    }
    command_access::succeed(command_);
    return spawned{.process = std::move(*child),
                   .stdin_pipe = streams_.take(0),
                   .stdout_pipe = streams_.take(1),
                   .stderr_pipe = streams_.take(2)};
  }

 private:
  /// Stores the stage and adds it to the error.
  std::unexpected<error> failed(spawn_stage stage, const error& cause,
                                const char* setter = nullptr) noexcept {
    const int error_number = cause.error_number();
    if (setter == nullptr) setter = words_of(stage).setter;
    command_access::fail(command_,
                         {.stage = stage, .error_number = error_number, .setter = setter});
    const static_string operation = words_of(stage).operation;
    if (error_number == 0)
      return fail(cause.kind(), operation, static_string::promise(cause.detail()),
                  cause.value().value_or(error::no_value));
    return std::unexpected(error::from_errno(error_number, operation,
                                             static_string::promise(cause.detail()),
                                             cause.value().value_or(error::no_value), errc::limit));
  }

  result<void> prepare() noexcept {
    if (const auto built = image_.build(settings_); !built) {
      return failed(image_.has_strings() ? spawn_stage::exec : spawn_stage::prepare, built.error());
    }
    if (const auto mapped = stack_.map(); !mapped) {
      return failed(spawn_stage::prepare, mapped.error());
    }
    const char* setter = nullptr;
    if (const auto lent = check_borrowed(settings_, setter); !lent) {
      return failed(spawn_stage::descriptors, lent.error(), setter);
    }
    // From here on nothing that we open becomes a standard descriptor.
    auto taken = os::standard_descriptors_lease::take();
    if (!taken) return failed(spawn_stage::descriptors, taken.error());
    lease_.emplace(std::move(*taken));
    if (const auto built = streams_.build(settings_); !built) {
      return failed(spawn_stage::descriptors, built.error(), streams_.failed_setter());
    }
    auto report = os::make_pipe();
    if (!report) return failed(spawn_stage::descriptors, report.error());
    report_ = std::move(*report);
    make_plan();
    return {};
  }

  void make_plan() noexcept {
    const auto moves = streams_.moves();
    plan_ = {.program = image_.program(),
             .arguments = image_.arguments(),
             .environment = image_.environment(),
             .directory = settings_.directory.first(),
             .moves = moves.data(),
             .move_count = moves.size(),
             .keep_foreign_fds = settings_.keep_foreign_fds,
             .group = settings_.group,
             .parent_death_signal = settings_.parent_death_signal,
             .parent = ::getpid(),
             .has_umask = settings_.umask.has_value(),
             .umask = settings_.umask.value_or(0),
             .limits = settings_.limits.data(),
             .limit_count = settings_.limits.size(),
             .has_user = settings_.user.has_value(),
             .has_primary_group = settings_.primary_group.has_value(),
             .has_groups = settings_.has_groups,
             .user = settings_.user.value_or(0),
             .primary_group = settings_.primary_group.value_or(0),
             .groups = settings_.groups.data(),
             .group_count = settings_.groups.size(),
             .report = report_.write_end.get()};
  }

  result<os::started_process> start_with(os::process_memory memory) noexcept {
    // A fault while SIGSEGV is blocked would end the process.
    if (const auto open = ensure_stack(blocked_stack); !open) return std::unexpected(open.error());
    const os::signals_blocked blocked;
    return os::start_process(memory, child_main, &plan_, stack_.top());
  }

  result<os::started_process> launch() noexcept {
    auto child = start_with(os::process_memory::shared);
    if (!child) {
      const int error_number = child.error().error_number();
      const bool may_work_otherwise =
          error_number == EINVAL || error_number == ENOSYS || error_number == EPERM;
      return may_work_otherwise ? launch_copy() : std::move(child);
    }
    // An emulator may create a child without a pidfd.
    return child->pidfd ? std::move(child) : with_pidfd(std::move(*child));
  }

  /// Holds the child at a gate until we have its pidfd: if there is none, nothing has happened.
  result<os::started_process> launch_copy() noexcept {
    auto gate = os::make_pipe();
    if (!gate) return std::unexpected(gate.error());
    plan_.gate[0] = gate->read_end.get();
    plan_.gate[1] = gate->write_end.get();
    auto child = start_with(os::process_memory::copied);
    if (!child) return child;
    child = with_pidfd(std::move(*child));
    if (!child) return child;
    // Our copy of the read end is still open, so this raises no SIGPIPE.
    const std::byte go{1};
    if (const auto opened = os::write_some(gate->write_end.get(), {&go, 1}); !opened) {
      os::destroy_process(*child);
      return std::unexpected(opened.error());
    }
    return child;
  }

  static result<os::started_process> with_pidfd(os::started_process child) noexcept {
    auto pidfd = os::open_pidfd(child.pid);
    if (!pidfd) {
      os::destroy_process(child);
      return std::unexpected(pidfd.error());
    }
    child.pidfd = std::move(*pidfd);
    return child;
  }

  /// Waits until the child executes its program (the pipe ends without data) or reports an error.
  result<void> await_exec() noexcept {
    report_.write_end.reset();
    // With shared memory the child is past this point already. Then an open pipe without data means
    // that another thread forked at that moment and its child holds a copy of the end.
    if (plan_.shared) {
      if (const auto done = os::set_nonblocking(report_.read_end.get()); !done) {
        return failed(spawn_stage::fork, done.error());
      }
    }
    child_report report;
    const auto size =
        os::read_some(report_.read_end.get(), std::as_writable_bytes(std::span(&report, 1)));
    if (!size) {
      if (plan_.shared && size.error().error_number() == EAGAIN) return {};
      return failed(spawn_stage::fork, size.error());
    }
    if (*size == 0) return {};
    BAST_CHECK(*size == sizeof report, "a report of a few bytes arrives whole");
    const auto stage = static_cast<spawn_stage>(report.stage);
    return failed(stage, error::from_errno(report.error_number, "", words_of(stage).refused));
  }

  command& command_;
  const command_settings& settings_;
  image image_;
  child_stack stack_;
  child_plan plan_;
  std::optional<os::standard_descriptors_lease> lease_;  // outlives every descriptor below
  stream_plan streams_;
  os::pipe_ends report_;
};

}  // namespace

result<spawned> spawn(command& c) noexcept { return start(c).run(); }

}  // namespace bast::inline BAST_ABI::internal
