// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <sys/wait.h>

#include <atomic>
#include <bast/sched.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <span>
#include <utility>

#include "driver.hpp"
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

void complain(const job& j, const std::string& what, tally& all) {
  all.problems.push_back(std::string(job_kinds()[j.kind].title) + " " + j.path + ": " + what);
}

void judge(const job& j, const bast::process_result& ended, tally& all) {
  const job_kind& kind = job_kinds()[j.kind];
  const auto how = static_cast<outcome>(ended.ended_by);
  const std::lock_guard held(all.lock);
  ++all.ended[j.kind][static_cast<std::size_t>(how)];
  all.captured += ended.output.bytes.size();
  all.discarded += ended.output.discarded;
  if (how != kind.expected || !kind.is_right(ended, j.path)) {
    complain(j,
             std::string(name_of(ended.ended_by)) + ", status " + std::to_string(ended.status.code),
             all);
  }
}

void judge_not_started(const job& j, const bast::command& command, const bast::error& why,
                       tally& all) {
  const job_kind& kind = job_kinds()[j.kind];
  const std::lock_guard held(all.lock);
  if (kind.may_be_missing && why.error_number() == ENOENT) {
    ++all.missing;
    return;
  }
  ++all.ended[j.kind][static_cast<std::size_t>(outcome::not_started)];
  if (kind.expected == outcome::not_started) return;
  bast::text words;
  command.describe_failure(words);
  complain(j, words.view().empty() ? why.message() : std::string(words.view()), all);
}

void run(const job& j, tally& all) {
  const job_kind& kind = job_kinds()[j.kind];
  auto command = kind.make(j.path);
  if (kind.cancellable) {
    auto source = unwrap(bast::cancel_source::create());
    command.cancelled_by(source.token());
    // Pinned, it cannot run before this fiber waits: then the program has started.
    (void)unwrap(bast::spawn([source = std::move(source)] { source.cancel(); },
                             {.name = "withdraw", .pinned = true}));
  }
  all.descriptors.raise(open_fds());
  all.processes.add();
  const auto ended = command.run(driver_here());  // Only this fiber waits.
  all.processes.remove();
  if (ended) {
    judge(j, *ended, all);
  } else {
    judge_not_started(j, command, ended.error(), all);
  }
}

void run_all(std::span<const job> jobs, std::atomic<std::size_t>& next, tally& all) {
  std::vector<bast::fiber<void>> runners;
  for (std::size_t i = 0; i < commands_at_once; ++i) {
    auto work = [&] {
      for (std::size_t at = next++; at < jobs.size(); at = next++) run(jobs[at], all);
    };
    runners.push_back(unwrap(bast::spawn(work, {.name = "run commands"})));
  }
  for (auto& each : runners) unwrap(each.join());
}

}  // namespace

void run_commands(const std::vector<std::string>& files, std::size_t workers, tally& all) {
  all.ended.resize(job_kinds().size());
  const bool had_a_child = has_child();
  const auto start = std::chrono::steady_clock::now();
  all.fds_before = open_fds();
  const std::vector<job> jobs = make_jobs(files);
  // Outside the runtime, which returns when no fiber uses it any more.
  std::atomic<std::size_t> next = 0;
  unwrap(bast::run([&] { run_all(jobs, next, all); }, {.workers = workers}));
  all.fds_after = open_fds();
  all.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  all.left_a_child = has_child() && !had_a_child;
  if (all.fds_after != all.fds_before) all.problems.push_back("descriptors are left open");
  if (all.left_a_child) all.problems.push_back("a child is left");
}

}  // namespace demo
