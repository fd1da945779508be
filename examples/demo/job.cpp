// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <random>
#include <string_view>
#include <utility>

namespace demo {
namespace {

using namespace std::chrono_literals;
using namespace bast::literals;
using bast::command;
using bast::process_result;

constexpr bast::bytes limit = 1_MiB;
constexpr auto patience = 200ms;

// ---- Commands.

command hash(const std::string& path) {
  auto c = command::argv({"sha256sum", path});
  c.out(bast::to::capture{});
  return c;
}

command tell_type(const std::string& path) {
  auto c = command::argv({"file", path});
  c.out(bast::to::capture{});
  return c;
}

command hang(const std::string&) { return command::argv({"sleep", "1000"}); }

command hang_a_while(const std::string&) {
  auto c = command::argv({"sleep", "1000"});
  c.timeout(patience);
  return c;
}

command flood_and_die(const std::string&) {
  auto c = command::argv({"yes"});
  c.out(bast::to::capture{.limit = limit, .policy = bast::on_limit::error_and_kill});
  return c;
}

command flood_in_vain(const std::string&) {
  auto c = command::shell("yes | head -c 8388608");
  c.out(bast::to::capture{.limit = limit, .policy = bast::on_limit::truncate_and_drain});
  return c;
}

command flood_and_block(const std::string&) {
  auto c = command::argv({"yes"});
  c.out(bast::to::capture{.limit = limit, .policy = bast::on_limit::backpressure})
      .timeout(patience);
  return c;
}

command no_program(const std::string&) { return command::argv({"/no/such/program"}); }

command no_directory(const std::string&) {
  auto c = command::argv({"true"});
  c.cwd("/no/such/directory");
  return c;
}

// ---- Checks.

/// "64 hexadecimal digits  path"
bool is_hash(const process_result& r, const std::string& path) {
  constexpr std::size_t digits = 64;
  const std::string_view line = r.output.bytes.text();
  return r.status.success() && line.substr(std::min(digits, line.size())) == "  " + path + "\n" &&
         std::ranges::all_of(line.substr(0, digits),
                             [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool is_type(const process_result& r, const std::string& path) {
  return r.status.success() && r.output.bytes.text().starts_with(path + ": ");
}

/// By SIGTERM, unless the machine was so busy that the grace ended first.
bool was_stopped(const process_result& r, const std::string&) {
  return r.status.how == bast::exit_status::kind::signalled;
}

bool is_full(const process_result& r, const std::string&) {
  return r.output.bytes.size() == limit.count;
}

bool dropped_the_rest(const process_result& r, const std::string& path) {
  return r.status.success() && is_full(r, path) && r.output.discarded == (7_MiB).count &&
         r.output.truncated == bast::truncation::limit;
}

/// Full, unless the machine was so busy that the time ended first.
bool lost_nothing(const process_result& r, const std::string&) {
  // The rest in the pipe arrives after the program has ended.
  constexpr std::size_t pipe_bytes = 64 << 10;
  return r.output.bytes.size() <= limit.count + pipe_bytes && r.output.discarded == 0;
}

constexpr std::array kinds{
    job_kind{"sha256sum FILE", 0, outcome::exited, hash, is_hash},
    job_kind{.title = "file FILE",
             .count = 0,
             .expected = outcome::exited,
             .make = tell_type,
             .is_right = is_type,
             .may_be_missing = true},
    job_kind{"sleep 1000, 200 ms at most", 16, outcome::timed_out, hang_a_while, was_stopped},
    job_kind{.title = "sleep 1000, until a token fires",
             .count = 16,
             .expected = outcome::cancelled,
             .make = hang,
             .is_right = was_stopped,
             .cancellable = true},
    job_kind{"yes, killed at 1 MiB", 8, outcome::limit, flood_and_die, is_full},
    job_kind{"yes | head -c 8M, 1 MiB kept", 8, outcome::exited, flood_in_vain, dropped_the_rest},
    job_kind{"yes, blocked at 1 MiB, 200 ms at most", 8, outcome::timed_out, flood_and_block,
             lost_nothing},
    job_kind{"a program that is not there", 8, outcome::not_started, no_program, nullptr},
    job_kind{"a directory that is not there", 8, outcome::not_started, no_directory, nullptr},
};

}  // namespace

std::span<const job_kind> job_kinds() { return kinds; }

std::vector<job> make_jobs(const std::vector<std::string>& files) {
  std::vector<job> all;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    if (kinds[kind].count == 0) {
      for (const std::string& path : files) all.push_back({.kind = kind, .path = path});
    } else {
      all.insert(all.end(), kinds[kind].count, {.kind = kind, .path = {}});
    }
  }
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same order each time
  std::ranges::shuffle(all, random);
  return all;
}

std::vector<std::string> some_files(const std::string& directory, std::size_t most) {
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  std::error_code error;
  fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied,
                                      error);
  while (!error && at != fs::recursive_directory_iterator() && found.size() < most) {
    std::error_code unknown;
    std::string path = at->path().string();
    // sha256sum quotes names with these characters, file shows them as \ooo.
    const bool plain = std::ranges::all_of(
        path, [](unsigned char c) { return std::isprint(c) != 0 && c != '\\'; });
    if (plain && at->symlink_status(unknown).type() == fs::file_type::regular) {
      found.push_back(std::move(path));
    }
    at.increment(error);
  }
  return found;
}

}  // namespace demo
