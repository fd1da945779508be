// SPDX-License-Identifier: Apache-2.0
//
// bast_stress: the library under load. See `bast_stress --help`.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <bast/config.hpp>

#include "arguments.hpp"
#include "scenario.hpp"

namespace bast::stress {

namespace {

constexpr const char* tsan_and_fork =
    BAST_WITH_TSAN ? "TSan follows neither threads nor fibers across fork" : nullptr;

constexpr scenario all[] = {
    {.name = "pools", .perform = pools, .impossible = nullptr},
    {.name = "growth", .perform = growth, .impossible = nullptr},
    {.name = "signals", .perform = signals, .impossible = nullptr},
    {.name = "fork", .perform = fork, .impossible = tsan_and_fork},
    {.name = "threads", .perform = threads, .impossible = nullptr},
    {.name = "cancels", .perform = cancels, .impossible = nullptr},
    {.name = "processes", .perform = processes, .impossible = nullptr},
    {.name = "process_faults", .perform = process_faults, .impossible = nullptr},
    {.name = "fibers", .perform = fibers, .impossible = nullptr},
    {.name = "runtimes", .perform = runtimes, .impossible = nullptr},
};

}  // namespace

std::span<const scenario> scenarios() { return all; }

unsigned thread_count() { return std::max(2U, std::thread::hardware_concurrency()) + 1; }

void run::fail(const std::string& what) {
  const std::scoped_lock lock(one_at_a_time_);
  if (failed_.exchange(true)) return;
  std::printf("%s FAILED: %s\nreproduce with: bast_stress --seed %llu --seconds %g %s\n",
              options_.scenario, what.c_str(), static_cast<unsigned long long>(options_.seed),
              options_.seconds, options_.scenario);
  std::fflush(stdout);
}

}  // namespace bast::stress

namespace {

using namespace bast::stress;

constexpr const char* help = R"(usage: bast_stress [--seconds N] [--seed S] [SCENARIO...]
Runs each scenario, or all of them, for N seconds (5) with the programs of seed S (47703).

  pools    threads that each run random pool programs
  growth   threads that each run random programs of growing stacks
  signals  the same, while another thread sends them signals
  fork     children that grow their copies of suspended coroutines, while other threads grow theirs
  threads  threads that start and end, and hand a pool over from one to the next
  cancels  a thread that cancels while another registers, unregisters and joins
  processes       threads whose coroutines run children of every kind, 64 at a time
  process_faults  one thread that supervises 64 children at a time while kernel calls fail
  fibers          trees of fibers on several workers, and threads beside them, that meet and cancel
  runtimes        runtimes that live for microseconds, while threads submit fibers to them

Exit status: 0 all went well, 1 something was wrong, 2 bad usage, 77 nothing could run here.
)";
constexpr int exit_skipped = 77;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bast_stress: %s; see --help\n", why.c_str());
  std::exit(2);
}

struct arguments {
  double seconds = 5;
  std::uint64_t seed = 0xba57;
  std::string plant;
  std::vector<const scenario*> chosen;
};

const scenario* find(std::string_view name) {
  for (const scenario& s : scenarios()) {
    if (name == s.name) return &s;
  }
  die("there is no scenario '" + std::string(name) + "'");
}

arguments read_arguments(int count, char** values) {
  arguments out;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    const auto value = [&]() -> const char* {
      if (++i == count) die(word + " needs a value");
      return values[i];
    };
    const auto read = [&](auto& into) {
      const char* const text = value();
      const auto parsed = number<std::remove_reference_t<decltype(into)>>(text);
      if (!parsed) die(word + " needs a number that is not negative, not '" + text + "'");
      into = *parsed;
    };
    if (word == "--help") {
      std::fputs(help, stdout);
      std::exit(0);
    } else if (word == "--seconds") {
      read(out.seconds);
    } else if (word == "--seed") {
      read(out.seed);
    } else if (word == "--plant") {
      // For the tests of this program: a bug that it must find.
      out.plant = value();
    } else if (word.starts_with("-")) {
      die("unknown option '" + word + "'");
    } else {
      out.chosen.push_back(find(word));
    }
  }
  if (out.chosen.empty()) {
    for (const scenario& s : scenarios()) out.chosen.push_back(&s);
  }
  return out;
}

}  // namespace

int main(int count, char** values) {
  const arguments asked = read_arguments(count, values);
  bool any_ran = false;
  for (const scenario* const s : asked.chosen) {
    if (s->impossible != nullptr) {
      std::printf("%s skipped: %s\n", s->name, s->impossible);
      continue;
    }
    any_ran = true;
    std::printf("%s: bast_stress --seed %llu --seconds %g %s\n", s->name,
                static_cast<unsigned long long>(asked.seed), asked.seconds, s->name);
    std::fflush(stdout);
    run r(
        {.scenario = s->name, .seconds = asked.seconds, .seed = asked.seed, .plant = asked.plant});
    const std::string done = s->perform(r);
    if (r.failed()) return 1;
    std::printf("%s: %s\n", s->name, done.c_str());
  }
  return any_ran ? 0 : exit_skipped;
}
