// SPDX-License-Identifier: Apache-2.0
//
// The demo: many fibers on two workers, each with its own growable stack, walk a directory and
// search its files with std::regex, which is recursive, so some stacks grow far and most stay
// small. At the end it prints the finds, how deep the stacks of each spawn site went, and what they
// cost. Then fibers run hundreds of programs, some of which hang, flood, or do not exist. At last
// it does all of it again on one worker, and prints both times.
//
//   bast_demo [--pattern REGEX] [--limit SIZE] [--fixed] [--workers N] [--progress] [DIRECTORY]
//
// demo/search.hpp draws the fibers; demo/pattern.hpp describes how a recursive matcher stays inside
// its stack; demo/commands.hpp draws the second part, and demo/driver.hpp what each worker needs
// for it.

#include <unistd.h>

#include <bast/sched.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "demo/commands.hpp"
#include "demo/pattern.hpp"
#include "demo/report.hpp"
#include "demo/search.hpp"
#include "demo/unwrap.hpp"

namespace {

using namespace bast::literals;
using namespace std::chrono_literals;

/// The number of files that programs are run on: enough to keep the loop busy for a second.
constexpr std::size_t command_files = 150;

constexpr const char* usage =
    "usage: bast_demo [--pattern REGEX] [--limit SIZE] [--fixed] [--workers N] [--progress]\n"
    "                 [DIRECTORY]\n"
    "\n"
    "Searches every file below DIRECTORY (/usr/include) with std::regex, each file by fibers with\n"
    "growable stacks, and reports what was found and how deep the stacks went. Then runs programs\n"
    "on some of the files, hundreds of them, and reports how each kind ended. Does both again on\n"
    "one worker, and reports the times.\n"
    "\n"
    "  --pattern REGEX  search each line for this ECMAScript regular expression; without it, "
    "block\n"
    "                   comments, macros, includes, open notes and missing include guards\n"
    "  --limit SIZE     how far each stack may grow, 1M to 64M; 8M without it\n"
    "  --fixed          for comparison: stacks of the full limit that give nothing back\n"
    "  --workers N      threads that run fibers, 1 to 64; 2 without it\n"
    "  --progress       a line of progress, also if standard error is no terminal\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0, 1 when something could not be read or a program ended in another way than\n"
    "it should, 2 when there was nothing to do.\n";

/// An error of usage, as text; ends the program with status 2.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct arguments {
  std::string directory = "/usr/include";
  std::optional<std::string> pattern;
  bast::bytes limit = 8_MiB;
  bool fixed = false;
  std::size_t workers = 2;
  bool progress = ::isatty(STDERR_FILENO) == 1;
  bool help = false;
};

bast::bytes parse_size(std::string_view s) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  const std::string_view unit(end, s.data() + s.size());
  const std::size_t factor = unit == "M" || unit == "MiB"   ? 1_MiB .count
                             : unit == "K" || unit == "KiB" ? 1_KiB .count
                             : unit.empty()                 ? 1
                                                            : 0;
  if (error != std::errc() || factor == 0 || n > (64_MiB).count / factor ||
      n * factor < (1_MiB).count) {
    throw usage_error("--limit: '" + std::string(s) + "' is no size from 1M to 64M");
  }
  return {n * factor};
}

std::size_t parse_workers(std::string_view s) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (error != std::errc() || end != s.data() + s.size() || n < 1 || n > 64) {
    throw usage_error("--workers: '" + std::string(s) + "' is no number from 1 to 64");
  }
  return n;
}

arguments parse(const std::vector<std::string>& words) {
  arguments all;
  bool directory_given = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) throw usage_error(word + " needs a value");
      return words[++i];
    };
    if (word == "--help" || word == "-h") {
      all.help = true;
    } else if (word == "--pattern") {
      all.pattern = value();
    } else if (word == "--limit") {
      all.limit = parse_size(value());
    } else if (word == "--fixed") {
      all.fixed = true;
    } else if (word == "--workers") {
      all.workers = parse_workers(value());
    } else if (word == "--progress") {
      all.progress = true;
    } else if (word.starts_with('-') && word.size() > 1) {
      throw usage_error("unknown option '" + word + "'");
    } else if (directory_given) {
      throw usage_error("one directory at a time: '" + all.directory + "' and '" + word + "'");
    } else {
      all.directory = word;
      directory_given = true;
    }
  }
  return all;
}

void check_directory(const std::string& path) {
  std::error_code error;
  const bool is_directory = std::filesystem::is_directory(path, error);
  if (!error && !is_directory) throw usage_error("'" + path + "' is not a directory");
  if (!error) std::filesystem::directory_iterator(path, error);
  if (error) throw usage_error("cannot search '" + path + "': " + error.message());
}

std::vector<demo::pattern> patterns_of(const arguments& given) {
  std::vector<demo::pattern> all;
  if (given.pattern) {
    all.push_back({.title = "--pattern",
                   .where = demo::scope::line,
                   .source = given.pattern->c_str(),
                   .ranked = "most found"});
  } else {
    all = demo::usual_patterns();
  }
  for (demo::pattern& p : all) {
    if (const std::string problem = demo::prepare(p, given.limit); !problem.empty()) {
      throw usage_error(std::string(p.title) + " '" + p.source + "': " + problem);
    }
  }
  return all;
}

/// A daemon: looks at the memory, and shows how far the search is, until it is cancelled.
void watch(demo::meters& measured, bool shows) {
  for (unsigned round = 0; bast::perform(bast::sleep_for(20ms)); ++round) {
    measured.sample();
    if (shows && round % 5 == 0) {
      std::fprintf(stderr, "\r%s files, %s, %s fibers ",
                   demo::count(measured.files.total()).c_str(),
                   demo::size(measured.bytes_read.total()).c_str(),
                   demo::count(measured.fibers.total()).c_str());
    }
  }
  if (shows) std::fprintf(stderr, "\r%60s\r", "");
}

struct outcome {
  demo::run_facts facts;
  demo::meters measured;
  demo::findings found;
  demo::tally programs;
};

void search(const arguments& given, std::span<const demo::pattern> patterns, outcome& all) {
  demo::search search(patterns, all.measured);
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t used = std::clock();
  all.found = demo::unwrap(bast::run(
      [&] {
        (void)demo::unwrap(bast::spawn([&] { watch(all.measured, given.progress); },
                                       {.name = "watch", .daemon = true}));
        return search.walk(given.directory);
      },
      {.workers = all.facts.workers, .stack = all.facts.stack}));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  all.facts.seconds = took.count();
  all.facts.processor_seconds = static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
}

/// The demo on so many workers.
void run(const arguments& given, std::size_t workers, std::span<const demo::pattern> patterns,
         outcome& all) {
  all.facts.directory = given.directory;
  all.facts.workers = workers;
  all.facts.stack.limit = given.limit;
  if (given.fixed) {
    all.facts.stack.growth = bast::stack_growth::demand;
    all.facts.stack.retain = given.limit;
  } else {
    // A stack that is zeroed after each use is measured after each use, exactly.
    all.facts.stack.scrub = bast::stack_scrub::zero_used;
  }
  search(given, patterns, all);
  demo::run_commands(demo::some_files(given.directory, command_files), workers, all.programs);
}

void print_times(const outcome& one, const outcome& several) {
  std::printf("\n%-32s %11s %9zu workers %9s\n", "the same work", "1 worker", several.facts.workers,
              "ratio");
  const auto row = [](const char* what, double alone, double together) {
    std::printf("%-32s %9.2f s %15.2f s %9.2f\n", what, alone, together, alone / together);
  };
  row("search", one.facts.seconds, several.facts.seconds);
  row("  its processor time", one.facts.processor_seconds, several.facts.processor_seconds);
  row("commands", one.programs.seconds, several.programs.seconds);
  row("both", one.facts.seconds + one.programs.seconds,
      several.facts.seconds + several.programs.seconds);
}

/// Returns true if everything could be read, and every program ended as expected.
bool run(const arguments& given) {
  check_directory(given.directory);
  const std::vector<demo::pattern> patterns = patterns_of(given);
  outcome all;
  run(given, given.workers, patterns, all);
  demo::print_findings(all.found, patterns, all.measured, all.facts);
  demo::print_stacks(all.measured, all.facts);
  demo::print_tally(all.programs, all.facts);
  if (given.workers != 1) {
    std::fflush(stdout);
    outcome one;
    run(given, 1, patterns, one);
    print_times(one, all);
  }
  return all.found.problems.empty() && all.programs.problems.empty();
}

}  // namespace

int main(int count, char** words) {
  try {
    const arguments given = parse({words + 1, words + count});
    if (given.help) {
      std::fputs(usage, stdout);
      return 0;
    }
    return run(given) ? 0 : 1;
  } catch (const usage_error& e) {
    std::fprintf(stderr, "bast_demo: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bast_demo: %s\n", e.what());
    return 1;
  }
}
