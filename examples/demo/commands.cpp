// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <iterator>
#include <utility>

#include "unwrap.hpp"

namespace demo {
namespace {

std::size_t open_fds() {
  namespace fs = std::filesystem;
  // Except the one that lists them.
  return static_cast<std::size_t>(
             std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator())) -
         1;
}

bool has_child() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// The coroutines and their shared state. All on one thread.
class runners {
 public:
  runners(command_loop& loop, std::vector<job> jobs, tally& all)
      : loop_(loop), jobs_(std::move(jobs)), tally_(all) {
    tally_.ended.resize(job_kinds().size());
    for (const job& j : jobs_) {
      if (job_kinds()[j.kind].cancellable) ++uncancelled_;
    }
  }

  void run() {
    for (std::size_t i = 0; i < std::min(commands_at_once, jobs_.size()); ++i) {
      coroutines_.push_back(unwrap(pool_.make("run commands", [this] { work(); })));
      ++working_;
      (void)coroutines_.back().resume();
    }
    std::future<void> canceller;  // The destructor waits for the thread.
    while (working_ != 0) {
      tally_.fds_peak = std::max(tally_.fds_peak, open_fds());
      if (uncancelled_ == 0 && !canceller.valid()) {
        // From another thread, as when a request is withdrawn.
        canceller = std::async(std::launch::async, [this] { source_.cancel(); });
      }
      loop_.turn();
    }
    for (auto& c : coroutines_) unwrap(c.returned());
  }

 private:
  void work() {
    struct leave {
      std::size_t& working;
      ~leave() { --working; }
    } const guard{working_};
    while (next_ != jobs_.size()) run(jobs_[next_++]);
  }

  void run(const job& j) {
    const job_kind& kind = job_kinds()[j.kind];
    auto command = kind.make(j.path);
    if (kind.cancellable) {
      command.cancelled_by(source_.token());
      --uncancelled_;  // The last of them starts the canceller.
    }
    const auto ended = command.run(loop_.driver());  // Only this coroutine waits.
    if (!ended) return not_started(j, command, ended.error());
    const auto how = static_cast<outcome>(ended->ended_by);
    ++tally_.ended[j.kind][static_cast<std::size_t>(how)];
    tally_.captured += ended->output.bytes.size();
    tally_.discarded += ended->output.discarded;
    if (how != kind.expected || !kind.is_right(*ended, j.path)) {
      complain(j, std::string(name_of(ended->ended_by)) + ", status " +
                      std::to_string(ended->status.code));
    }
  }

  void not_started(const job& j, const bast::command& command, const bast::error& why) {
    const job_kind& kind = job_kinds()[j.kind];
    const bool missing = kind.may_be_missing && why.error_number() == ENOENT;
    if (missing) {
      ++tally_.missing;
      return;
    }
    ++tally_.ended[j.kind][static_cast<std::size_t>(outcome::not_started)];
    if (kind.expected == outcome::not_started) return;
    bast::text words;
    command.describe_failure(words);
    complain(j, words.view().empty() ? why.message() : std::string(words.view()));
  }

  void complain(const job& j, const std::string& what) {
    tally_.problems.push_back(std::string(job_kinds()[j.kind].title) + " " + j.path + ": " + what);
  }

  command_loop& loop_;
  std::vector<job> jobs_;
  tally& tally_;
  std::size_t next_ = 0;
  std::size_t working_ = 0;      // coroutines that have not ended
  std::size_t uncancelled_ = 0;  // cancellable jobs not started yet
  bast::cancel_source source_ = unwrap(bast::cancel_source::create());
  bast::coro_pool pool_ = unwrap(bast::coro_pool::create());
  std::vector<bast::coro<>> coroutines_;  // last: destructors use the rest
};

}  // namespace

tally run_commands(const std::vector<std::string>& files) {
  tally all;
  const bool had_a_child = has_child();
  const auto start = std::chrono::steady_clock::now();
  all.fds_before = open_fds();
  {
    const auto loop = make_command_loop(commands_at_once);
    all.loop = loop->name();
    runners(*loop, make_jobs(files), all).run();
    all.peak_processes = loop->driver().machine().stats().peak;
  }
  all.fds_after = open_fds();
  all.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  all.left_a_child = has_child() && !had_a_child;
  if (all.fds_after != all.fds_before) all.problems.push_back("descriptors are left open");
  if (all.left_a_child) all.problems.push_back("a child is left");
  return all;
}

}  // namespace demo
