// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
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

command sleep_for_long() { return command::argv({"sleep", "1000"}); }

command yes(bast::on_limit policy) {
  auto c = command::argv({"yes"});
  c.stdout_capture({.limit = limit, .policy = policy});
  return c;
}

/// "64 hexadecimal digits  path"
bool is_hash_of(std::string_view line, std::string_view path) {
  constexpr std::size_t digits = 64;
  return line.size() == digits + 2 + path.size() + 1 && line.ends_with('\n') &&
         std::ranges::all_of(line.substr(0, digits),
                             [](unsigned char c) { return std::isxdigit(c) != 0; }) &&
         line.substr(digits + 2, path.size()) == path;
}

bool was_terminated(const process_result& r) {
  return r.status.how == bast::exit_status::kind::signalled && r.status.code == SIGTERM;
}

bool is_full(const process_result& r) { return r.output.bytes.size() == limit.count; }

constexpr std::array kinds{
    job_kind{.title = "sha256sum FILE",
             .count = 0,
             .expected = outcome::exited,
             .make =
                 [](const std::string& path) {
                   auto c = command::argv({"sha256sum", path});
                   c.stdout_capture();
                   return c;
                 },
             .is_right =
                 [](const process_result& r, const std::string& path) {
                   return r.status.success() && is_hash_of(r.output.bytes.text(), path);
                 }},
    job_kind{.title = "file FILE",
             .count = 0,
             .expected = outcome::exited,
             .make =
                 [](const std::string& path) {
                   auto c = command::argv({"file", path});
                   c.stdout_capture();
                   return c;
                 },
             .is_right =
                 [](const process_result& r, const std::string& path) {
                   return r.status.success() && r.output.bytes.text().starts_with(path + ": ");
                 },
             .may_be_missing = true},
    job_kind{
        .title = "sleep 1000, 200 ms at most",
        .count = 16,
        .expected = outcome::timed_out,
        .make =
            [](const std::string&) {
              auto c = sleep_for_long();
              c.timeout(patience);
              return c;
            },
        .is_right = [](const process_result& r, const std::string&) { return was_terminated(r); }},
    job_kind{
        .title = "sleep 1000, until a token fires",
        .count = 16,
        .expected = outcome::cancelled,
        .make = [](const std::string&) { return sleep_for_long(); },
        .is_right = [](const process_result& r, const std::string&) { return was_terminated(r); },
        .cancellable = true},
    job_kind{.title = "yes, killed at 1 MiB",
             .count = 8,
             .expected = outcome::limit,
             .make = [](const std::string&) { return yes(bast::on_limit::error_and_kill); },
             .is_right = [](const process_result& r, const std::string&) { return is_full(r); }},
    job_kind{.title = "yes | head -c 8M, 1 MiB kept",
             .count = 8,
             .expected = outcome::exited,
             .make =
                 [](const std::string&) {
                   auto c = command::shell("yes | head -c 8388608");
                   c.stdout_capture({.limit = limit, .policy = bast::on_limit::truncate_and_drain});
                   return c;
                 },
             .is_right =
                 // Full, unless the machine is so busy that the time was over before.
             [](const process_result& r, const std::string&) {
               return r.status.success() && is_full(r) &&
                      r.output.truncated == bast::truncation::limit &&
                      r.output.discarded == (7_MiB).count;
             }},
    job_kind{.title = "yes, blocked at 1 MiB, 200 ms at most",
             .count = 8,
             .expected = outcome::timed_out,
             .make =
                 [](const std::string&) {
                   auto c = yes(bast::on_limit::backpressure);
                   c.timeout(patience);
                   return c;
                 },
             .is_right =
                 [](const process_result& r, const std::string&) {
                   return r.output.bytes.size() <= limit.count && r.output.discarded == 0;
                 }},
    job_kind{.title = "a program that is not there",
             .count = 8,
             .expected = outcome::not_started,
             .make = [](const std::string&) { return command::argv({"/no/such/program"}); },
             .is_right = nullptr},
    job_kind{.title = "a directory that is not there",
             .count = 8,
             .expected = outcome::not_started,
             .make =
                 [](const std::string&) {
                   auto c = command::argv({"true"});
                   c.cwd("/no/such/directory");
                   return c;
                 },
             .is_right = nullptr},
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
    // sha256sum quotes names that hold these, file shows them as \ooo.
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
