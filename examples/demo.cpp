// SPDX-License-Identifier: Apache-2.0
//
// The demo: many coroutines, each with its own growable stack, walk a directory and search its
// files with std::regex, which is recursive, so some stacks grow far and most stay small. At the
// end it prints the finds, how deep the stacks of each spawn site went, and what they cost. Then
// coroutines run hundreds of programs, some of which hang, flood, or do not exist.
//
//   bast_demo [--pattern REGEX] [--limit SIZE] [--fixed] [DIRECTORY]
//
// demo/crew.hpp draws the flow of data; demo/pattern.hpp describes how a recursive matcher stays
// inside its stack; demo/commands.hpp draws the second part.

#include <unistd.h>

#include <bast/coro.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "demo/commands.hpp"
#include "demo/crew.hpp"
#include "demo/pattern.hpp"
#include "demo/report.hpp"

namespace {

using namespace bast::literals;

/// The number of files that programs are run on: enough to keep the loop busy for a second.
constexpr std::size_t command_files = 150;

constexpr const char* usage =
    "usage: bast_demo [--pattern REGEX] [--limit SIZE] [--fixed] [DIRECTORY]\n"
    "\n"
    "Searches every file below DIRECTORY (/usr/include) with std::regex, each file by coroutines\n"
    "with growable stacks, and reports what was found and how deep the stacks went. Then runs\n"
    "programs on some of the files, hundreds of them, and reports how each kind ended.\n"
    "\n"
    "  --pattern REGEX  search each line for this ECMAScript regular expression; without it, "
    "block\n"
    "                   comments, macros, includes, open notes and missing include guards\n"
    "  --limit SIZE     how far each stack may grow, 1M to 64M; 8M without it\n"
    "  --fixed          for comparison: stacks of the full limit that give nothing back\n"
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
    all.push_back({.site = "match --pattern",
                   .title = "--pattern",
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

/// Returns true if everything could be read.
bool search(const arguments& given) {
  check_directory(given.directory);
  const std::vector<demo::pattern> patterns = patterns_of(given);

  bast::coro_pool_options options;
  options.stack.limit = given.limit;
  if (given.fixed) {
    options.stack.growth = bast::stack_growth::demand;
    options.stack.retain = given.limit;
  } else {
    // A stack that is zeroed after each use is measured after each use, exactly.
    options.stack.scrub = bast::stack_scrub::zero_used;
  }
  auto pool = bast::coro_pool::create(options);
  if (!pool) throw std::runtime_error(pool.error().message());

  if (::isatty(STDERR_FILENO) == 1) {
    std::fprintf(stderr, "searching %s ...\n", given.directory.c_str());
  }
  demo::crew crew(*pool, patterns);
  const auto start = std::chrono::steady_clock::now();
  const demo::summary found = crew.run(given.directory);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;

  const demo::run_facts facts{
      .directory = given.directory, .stack = options.stack, .seconds = took.count()};
  demo::print_findings(crew, found, patterns, facts);
  demo::print_sites(*pool, facts);
  demo::print_memory(crew, *pool, facts);
  return crew.numbers().problems.empty();
}

/// Returns true if every program ended as expected.
bool run_programs(const arguments& given) {
  const demo::tally all = demo::run_commands(demo::some_files(given.directory, command_files));
  demo::print_tally(all);
  return all.problems.empty();
}

}  // namespace

int main(int count, char** words) {
  try {
    const arguments given = parse({words + 1, words + count});
    if (given.help) {
      std::fputs(usage, stdout);
      return 0;
    }
    const bool searched = search(given);
    const bool ran = run_programs(given);
    return searched && ran ? 0 : 1;
  } catch (const usage_error& e) {
    std::fprintf(stderr, "bast_demo: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bast_demo: %s\n", e.what());
    return 1;
  }
}
