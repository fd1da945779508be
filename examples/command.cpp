// SPDX-License-Identifier: Apache-2.0
//
// Programs that run while coroutines wait for them. The code of each coroutine reads as if `run`
// blocked; one thread supervises all processes, and none waits for the slowest.

#include <bast/coro.hpp>
#include <bast/process.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

// Input and output. Neither can block the other, whatever their sizes.
std::string sort_lines() {
  auto sort = bast::command::argv({"sort"});
  sort.in(bast::from::bytes{"pear\napple\nfig\n"}).env("LC_ALL", "C").out(bast::to::capture{});
  const auto ended = sort.run();
  if (!ended) return ended.error().message();
  return "sorted:\n" + std::string(ended->output.bytes.text());
}

// A program that fails was run: its exit code and error output are data.
std::string see_it_fail() {
  auto script = bast::command::shell("echo 'no such luck' >&2; exit 3");
  script.err(bast::to::capture{});
  const auto ended = script.run();
  if (!ended) return ended.error().message();
  return "exit code " + std::to_string(ended->status.code) +
         ", it wrote: " + std::string(ended->errors.bytes.text());
}

// SIGTERM after the timeout, SIGKILL after the grace; its output until then is kept.
std::string lose_patience() {
  auto script = bast::command::shell("echo one moment; sleep 1000");
  script.out(bast::to::capture{}).timeout(100ms).grace(1s);
  const auto ended = script.run();
  if (!ended) return ended.error().message();
  return std::string(name_of(ended->ended_by)) +
         ", after it wrote: " + std::string(ended->output.bytes.text());
}

// A program that cannot be started is an error with the stage and the errno.
std::string look_in_vain() {
  auto missing = bast::command::argv({"frobnicate", "--all"});
  if (missing.run()) return "there is a frobnicate here\n";
  bast::text why;
  missing.describe_failure(why);
  return std::string(why.view()) + "\n";
}

}  // namespace

int main() {
  auto created = bast::epoll_adapter::create();  // supervises this thread's processes
  if (!created) {
    std::fprintf(stderr, "%s\n", created.error().message().c_str());
    return 1;
  }
  bast::epoll_adapter& loop = **created;
  auto pool = bast::coro_pool::create().value();
  std::vector<bast::coro<void, void, std::string>> jobs;
  for (auto* const job : {sort_lines, see_it_fail, lose_patience, look_in_vain}) {
    jobs.push_back(pool.make(job).value());
    (void)jobs.back().resume();  // until it waits for its program
  }
  while (!loop.idle()) {
    if (!loop.turn(1h)) return 1;
  }
  for (auto& job : jobs) std::printf("%s", job.returned().value().c_str());
}
