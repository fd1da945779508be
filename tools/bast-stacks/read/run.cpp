// SPDX-License-Identifier: Apache-2.0
#include "read/run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "model/clean_text.hpp"
#include "read/accumulate.hpp"
#include "read/fail.hpp"
#include "read/open.hpp"
#include "read/process_memory.hpp"
#include "read/shared_registry.hpp"

namespace bast_stacks {
namespace {

using std::chrono::milliseconds;

constexpr const char* variable = "BAST_WATCH";
// Until a registry appears, to look before a short program ends.
constexpr milliseconds ask_every{2};
constexpr milliseconds look_every{200};
// Looks may take at most one part in this many of the time.
constexpr int look_share = 20;

/// Ignores the signals that the terminal also sends to the program: we must outlive it to report.
class patient {
 public:
  patient() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    for (std::size_t i = 0; i < std::size(signals); ++i)
      ::sigaction(signals[i], &ignore, &before_[i]);
  }
  ~patient() {
    for (std::size_t i = 0; i < std::size(signals); ++i)
      ::sigaction(signals[i], &before_[i], nullptr);
  }
  patient(const patient&) = delete;
  patient& operator=(const patient&) = delete;

  /// The signals whose default the program starts with, as we did: ignored ones stay ignored.
  sigset_t to_reset() const {
    sigset_t set;
    ::sigemptyset(&set);
    for (std::size_t i = 0; i < std::size(signals); ++i) {
      if (before_[i].sa_handler != SIG_IGN) ::sigaddset(&set, signals[i]);
    }
    return set;
  }

 private:
  static constexpr int signals[] = {SIGINT, SIGQUIT, SIGTERM};
  struct sigaction before_[std::size(signals)] = {};
};

/// The environment, with our words appended to BAST_WATCH.
std::vector<std::string> environment(int fd, const run_options& options) {
  std::string words = fmt::format("fd:{}", fd);
  if (options.deepest) words += ",deepest";
  const std::string name = fmt::format("{}=", variable);
  std::vector<std::string> all;
  for (char** each = ::environ; *each != nullptr; ++each) {
    const std::string_view entry(*each);
    if (entry.starts_with(name)) {
      if (entry.size() > name.size())
        words = fmt::format("{},{}", entry.substr(name.size()), words);
    } else {
      all.emplace_back(entry);
    }
  }
  all.push_back(name + words);
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> all;
  all.reserve(strings.size() + 1);
  // posix_spawn guarantees not to write to them.
  for (const std::string& each : strings) all.push_back(const_cast<char*>(each.c_str()));
  all.push_back(nullptr);
  return all;
}

std::expected<pid_t, problem> start(const std::vector<std::string>& argv, int registry,
                                    const run_options& options, const patient& waiting) {
  const auto variables = environment(registry, options);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  const sigset_t reset = waiting.to_reset();
  ::posix_spawnattr_setsigdefault(&attributes, &reset);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0].c_str(), nullptr, &attributes,
                                   pointers(argv).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(fmt::format("cannot start {}: {}", argv[0], std::strerror(error)));
  return pid;
}

/// Records what is gone at the program's end: its modules, and the live stacks.
class observer {
 public:
  explicit observer(const source& registry) : registry_(registry) {}

  /// Looks, if there is a registry. Returns the time until the next look.
  milliseconds look() {
    bast::watch::header head{};
    if (!registry_.read_record(0, head) || !is_its(head)) return ask_every;
    const auto begin = std::chrono::steady_clock::now();
    auto now = open_process(static_cast<pid_t>(head.pid), {.children = false});
    // It may be in the middle of an exec, or at its end.
    if (now) seen_ = seen_ ? accumulate(*seen_, std::move(*now)) : std::move(*now);
    if (!seen_) return ask_every;
    const auto spent =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    wait_ = std::min(wait_ * 2, look_every);
    return std::max(wait_, spent * look_share);
  }

  const std::optional<snapshot>& seen() const { return seen_; }

 private:
  /// Whether the process that the registry names has it: it need not be our child (a script may
  /// have started it), and its number may belong to another namespace.
  static bool is_its(const bast::watch::header& head) {
    bast::watch::header mapped{};
    process_memory process(static_cast<pid_t>(head.pid));
    return head.magic == bast::watch::magic && process.read(head.self, mapped) &&
           mapped.magic == head.magic && mapped.pid == head.pid &&
           mapped.started_ns == head.started_ns;
  }

  const source& registry_;
  milliseconds wait_ = ask_every;
  std::optional<snapshot> seen_;
};

/// Why nothing was seen of a program that ended so.
problem of_failed(problem why, int status) {
  if (status == 0) return why;
  why.status = status;
  why.what += fmt::format("; it ended with status {}", status);
  return why;
}

/// Waits for the end and looks meanwhile. Returns the wait status.
int watch(pid_t pid, observer& looks) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  int status = 0;
  milliseconds wait = ask_every;
  for (;;) {
    pollfd end{.fd = handle, .events = POLLIN, .revents = 0};
    if (::poll(&end, 1, static_cast<int>(wait.count())) != 0 && end.revents != 0) break;
    const pid_t done = handle < 0 ? ::waitpid(pid, &status, WNOHANG) : 0;
    if (done == pid) return status;
    wait = looks.look();
  }
  ::close(handle);
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

}  // namespace

std::expected<run_result, problem> run_program(const std::vector<std::string>& argv,
                                               const run_options& options) {
  if (argv.empty())
    return std::unexpected(problem{.status = 2, .what = "no program", .remedy = {}});
  // Without close-on-exec: the program inherits it under the same number.
  descriptor file(::memfd_create(bast::watch::shared_name, 0));
  if (!file) return fail(fmt::format("cannot make a registry: {}", std::strerror(errno)));
  const int fd = file.get();
  const auto registry = std::make_shared<file_source>(std::move(file));
  const patient waiting;
  const auto pid = start(argv, fd, options, waiting);
  if (!pid) return std::unexpected(pid.error());
  observer looks(*registry);
  const int status = watch(*pid, looks);

  run_result result;
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  auto seen = open_shared_registry(registry, argv[0]);
  if (!seen) return std::unexpected(of_failed(std::move(seen.error()), result.status));
  if (const auto& looked = looks.seen()) {
    result.seen = accumulate(*looked, std::move(*seen));
  } else {
    result.seen = std::move(*seen);
    result.seen.program = clean_text(argv[0]);
    result.seen.not_seen.emplace_back(
        "How many stacks were live at a time: the program ended before it could be looked at.");
  }
  if (result.seen.modules.empty()) {
    result.seen.not_seen.emplace_back(
        "Which files the program was made of, so frames have no names: it ended before it could "
        "be looked at.");
  }
  result.others = open_further_registries(registry);
  const auto none_is_live = [](snapshot& of) {
    for (site& each : of.sites) each.live = 0;  // `held` has their number.
  };
  none_is_live(result.seen);
  std::ranges::for_each(result.others, none_is_live);
  return result;
}

}  // namespace bast_stacks
