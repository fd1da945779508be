// SPDX-License-Identifier: Apache-2.0
//
// bast_replay: runs programs without libFuzzer, under any compiler and sanitizer, and converts them
// between bytes and text. See `bast_replay --help`.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bast/testing/baseline.hpp"
#include "model/lives.hpp"
#include "model/target.hpp"

namespace {

using namespace bast;
namespace files = std::filesystem;

constexpr const char* help = R"(usage: bast_replay [OPTION] TARGET PATH...
TARGET is pool, growth, cancel_order, process_driver, command_argv_env, timers, choice, sched,
scope, combined or canary.
PATH is a program, as bytes or as text (*.ops), or a directory.

  (no option)       run each program once; exit 1 if one complains
  --faults          run each once for each of its kernel calls, that call failing once, and
                    once more for each, with all later calls failing too
  --pairs           as --faults; programs of up to 48 calls also once for every pair of them
  --lives N         run each N times, and as often again to count its kernel calls; each life must
                    equal the one before
  --expect-failure  exit 0 if some program complains, and 1 if none does
  --print           print each program as text
  --bytes DIRECTORY write each program as bytes, for a fuzzer's corpus
)";

struct totals {
  std::size_t programs = 0;
  std::size_t complaints = 0;
  std::uint64_t runs = 0;
  std::uint64_t injected = 0;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bast_replay: %s\n", why.c_str());
  std::exit(2);
}

std::vector<files::path> all_files(const std::vector<std::string>& paths) {
  std::vector<files::path> found;
  for (const std::string& p : paths) {
    if (!files::exists(p)) die("there is no '" + p + "'");
    if (!files::is_directory(p)) {
      found.emplace_back(p);
      continue;
    }
    for (const auto& entry : files::recursive_directory_iterator(p)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

model::program load(const files::path& path, const model::target& t) {
  std::ifstream in(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in) die("cannot read '" + path.string() + "'");
  const auto* const raw = reinterpret_cast<const std::uint8_t*>(content.data());
  const auto p = path.extension() == ".ops" ? model::parse(content, t.words)
                                            : model::decode({raw, content.size()}, t.words);
  if (!p) die(path.string() + ": " + p.error());
  return *p;
}

class player {
  /// Programs with more calls are left out of the pairs: their number is quadratic.
  static constexpr std::uint64_t pairs_up_to = 48;

 public:
  explicit player(const model::target& t) : target_(t) {}

  /// Runs with or without a plan, and compares the resources of the process.
  model::run_result once(const files::path& path, const model::program& p,
                         const std::optional<os::fault_plan>& plan, const std::string& how) {
    const test::leak_baseline before;
    model::run_result out = target_.run(p, {.plan = plan});
    if (out.complaint.empty()) out.complaint = before.differences();
    ++sum.runs;
    sum.injected += out.injected;
    if (!out.complaint.empty()) {
      ++sum.complaints;
      std::printf("%s%s: %s\n%s", path.c_str(), how.c_str(), out.complaint.c_str(),
                  model::print(p, target_.words).c_str());
    }
    return out;
  }

  /// Each call fails once, and from then on. Returns the number of calls.
  std::uint64_t faults(const files::path& path, const model::program& p) {
    // Warm up: what is created once per process is not a leak.
    (void)target_.run(p, {.plan = os::fault_plan{}});
    const std::uint64_t calls = once(path, p, os::fault_plan{}, ", counting").calls;
    for (std::uint64_t nth = 1; nth <= calls; ++nth) {
      for (const int number : {ENOMEM, EINVAL}) {
        for (const bool persistent : {false, true}) {
          const os::fault_plan plan{.nth = nth, .persistent = persistent, .error_number = number};
          once(path, p, plan, describe(plan));
        }
      }
    }
    return calls;
  }

  /// Two calls fail: the second one often during the cleanup after the first.
  void pairs(const files::path& path, const model::program& p) {
    const std::uint64_t calls = faults(path, p);
    if (calls > pairs_up_to) return;
    for (std::uint64_t first = 1; first <= calls; ++first) {
      for (std::uint64_t second = first + 1; second <= calls; ++second) {
        const os::fault_plan plan{.nth = first, .also_nth = second};
        once(path, p, plan, describe(plan));
      }
    }
  }

  /// See lives.hpp.
  void lives(const files::path& path, const model::program& p, unsigned count) {
    const std::string complaint = model::live(target_, p, count);
    sum.runs += 2 * count;
    if (complaint.empty()) return;
    ++sum.complaints;
    std::printf("%s, %s\n%s", path.c_str(), complaint.c_str(),
                model::print(p, target_.words).c_str());
  }

  totals sum;

 private:
  static std::string describe(const os::fault_plan& plan) {
    return ", call " + std::to_string(plan.nth) + (plan.persistent ? " on" : "") +
           (plan.also_nth != 0 ? " and call " + std::to_string(plan.also_nth) : "") +
           " failing with errno " + std::to_string(plan.error_number);
  }
  const model::target& target_;
};

struct arguments {
  std::string option;
  std::string directory;
  unsigned lives = 0;
  const model::target* target = nullptr;
  std::vector<std::string> paths;
};

arguments read_arguments(int count, char** values) {
  arguments out;
  std::vector<std::string> rest;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    if (word == "--help") {
      std::fputs(help, stdout);
      std::exit(0);
    }
    if (!word.starts_with("--")) {
      rest.push_back(word);
      continue;
    }
    constexpr std::string_view known[] = {"--faults",         "--pairs", "--lives",
                                          "--expect-failure", "--print", "--bytes"};
    if (std::ranges::find(known, word) == std::end(known)) {
      die("unknown option '" + word + "'; see --help");
    }
    out.option = word;
    if (word == "--bytes" && ++i < count) out.directory = values[i];
    if (word == "--lives") {
      out.lives = ++i < count ? static_cast<unsigned>(std::strtoul(values[i], nullptr, 10)) : 0;
      if (out.lives < 2) die("--lives needs a number from 2 on");
    }
  }
  if (rest.size() < 2) die("needs a target and a path; see --help");
  out.target = model::find_target(rest[0]);
  if (out.target == nullptr) die("unknown target '" + rest[0] + "'; see --help");
  out.paths.assign(rest.begin() + 1, rest.end());
  return out;
}

void write_bytes(const files::path& directory, const files::path& from, const model::program& p) {
  files::create_directories(directory);
  const auto bytes = model::encode(p);
  std::ofstream out(directory / from.stem(), std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  if (!out) die("cannot write to '" + directory.string() + "'");
}

}  // namespace

int main(int count, char** values) {
  const arguments asked = read_arguments(count, values);
  const auto start = std::chrono::steady_clock::now();
  model::warm_up();
  player play(*asked.target);
  for (const files::path& path : all_files(asked.paths)) {
    const model::program p = load(path, *asked.target);
    ++play.sum.programs;
    if (asked.option == "--print") {
      std::fputs(model::print(p, asked.target->words).c_str(), stdout);
    } else if (asked.option == "--bytes") {
      write_bytes(asked.directory, path, p);
    } else if (asked.option == "--faults") {
      play.faults(path, p);
    } else if (asked.option == "--lives") {
      play.lives(path, p, asked.lives);
    } else if (asked.option == "--pairs") {
      play.pairs(path, p);
    } else {
      play.once(path, p, {}, "");
    }
  }
  if (asked.option == "--print" || asked.option == "--bytes") return 0;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%s: %zu programs, %llu runs, %llu faults injected, %zu complaints, %.1f s\n",
              asked.target->name, play.sum.programs, static_cast<unsigned long long>(play.sum.runs),
              static_cast<unsigned long long>(play.sum.injected), play.sum.complaints,
              took.count());
  if (play.sum.programs == 0) die("there is no program");
  const bool failed = play.sum.complaints != 0;
  return failed == (asked.option == "--expect-failure") ? 0 : 1;
}
