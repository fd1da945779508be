// SPDX-License-Identifier: Apache-2.0
#include "process_case.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace bast::stress {

namespace {

using std::chrono::milliseconds;

exit_status exit_code(int code) { return {.how = exit_status::kind::exited, .code = code}; }
exit_status by_signal(int number) { return {.how = exit_status::kind::signalled, .code = number}; }

std::string in_words(const exit_status& s) {
  const char* const how = s.how == exit_status::kind::exited      ? "exited "
                          : s.how == exit_status::kind::signalled ? "signal "
                                                                  : "lost ";
  return how + std::to_string(s.code);
}

std::uint64_t up_to(std::mt19937_64& random, std::uint64_t most) { return random() % (most + 1); }
milliseconds soon(std::mt19937_64& random) {
  return milliseconds(1 + static_cast<int>(up_to(random, 40)));
}

/// The first difference between `text` and the output of bast_test_child, or its size.
std::size_t first_difference(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && text[at] == static_cast<char>('a' + at % 26)) ++at;
  return at;
}

/// Ends the rest of a process group whose leader was reaped: a grandchild. The scenarios inherit it
/// (PR_SET_CHILD_SUBREAPER), so it keeps the number of the group until it is reaped here.
void end_group(pid_t group) {
  if (group <= 1) return;
  while (::waitpid(-group, nullptr, WNOHANG) == 0) {
    ::kill(-group, SIGKILL);
    ::waitpid(-group, nullptr, 0);
  }
}

}  // namespace

process_case::process_case(std::mt19937_64& random, faults w) : faults_(w) {
  using kind = void (process_case::*)(std::mt19937_64&);
  constexpr kind kinds[] = {
      &process_case::exits,        &process_case::is_signalled, &process_case::floods,
      &process_case::copies_input, &process_case::exceeds,      &process_case::is_truncated,
      &process_case::is_held_back, &process_case::times_out,    &process_case::is_cancelled,
      &process_case::is_refused,   &process_case::exits,        &process_case::leaves_a_grandchild};
  (this->*kinds[random() % std::size(kinds)])(random);
}

void process_case::steps(std::vector<std::string> words) {
  work_.emplace(command::argv({BAST_TEST_CHILD}));
  for (const std::string& word : words) work_->arg(word);
  work_->timeout(std::chrono::seconds(60));  // The most by which a process outlives its scenario.
  // A loop that is delayed for the default time takes its unread bytes for a grandchild's.
  work_->drain_grace(std::chrono::seconds(20));
  work_->out(to::capture{}).err(to::capture{});
}

void process_case::exits(std::mt19937_64& random) {
  name_ = "exit code";
  const int code = static_cast<int>(random() % 256);
  output_.size = up_to(random, 20'000);
  errors_.size = up_to(random, 5'000);
  steps({"out", std::to_string(output_.size), "err", std::to_string(errors_.size), "exit",
         std::to_string(code)});
  statuses_ = {exit_code(code)};
}

void process_case::is_signalled(std::mt19937_64& random) {
  name_ = "signal";
  constexpr int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGPIPE};
  const int number = signals[random() % std::size(signals)];
  output_.size = up_to(random, 1'000);
  steps({"out", std::to_string(output_.size), "signal", std::to_string(number)});
  statuses_ = {by_signal(number)};
}

void process_case::floods(std::mt19937_64& random) {
  name_ = "flood";
  output_.size = up_to(random, 2 << 20);
  errors_.size = up_to(random, 1 << 20);
  steps({"out", std::to_string(output_.size), "err", std::to_string(errors_.size)});
  statuses_ = {exit_code(0)};
}

void process_case::copies_input(std::mt19937_64& random) {
  name_ = "input";
  for (auto left = up_to(random, 100'000); left > 0; --left) {
    output_.instead += static_cast<char>(random());
  }
  steps({"cat"});
  work_->in(from::bytes{output_.instead});
  statuses_ = {exit_code(0)};
}

void process_case::exceeds(std::mt19937_64& random) {
  name_ = "limit, error_and_kill";
  output_.limit = up_to(random, 100'000);
  output_.size = output_.limit + 1 + up_to(random, 200'000);
  steps({"out", std::to_string(output_.size), "hang"});
  work_->out(to::capture{.limit = bytes{output_.limit}, .policy = on_limit::error_and_kill});
  // It hangs for nothing when its output cannot be read.
  if (faults_ == faults::injected) work_->timeout(std::chrono::seconds(4));
  statuses_ = {by_signal(SIGTERM)};
  ended_by_ = process_ending::limit;
}

void process_case::is_truncated(std::mt19937_64& random) {
  name_ = "limit, truncate_and_drain";
  output_.limit = up_to(random, 100'000);
  output_.size = output_.limit + up_to(random, 200'000);
  steps({"out", std::to_string(output_.size), "exit", "7"});
  work_->out(to::capture{.limit = bytes{output_.limit}, .policy = on_limit::truncate_and_drain});
  statuses_ = {exit_code(7)};
}

/// Captured bytes are not taken, so a child that writes more than fits waits permanently.
void process_case::is_held_back(std::mt19937_64& random) {
  name_ = "limit, backpressure";
  constexpr std::uint64_t pipe_bytes = 1 << 20;  // at most, by default
  output_.limit = 1 + up_to(random, 100'000);
  const bool fits = random() % 2 == 0;
  output_.size = fits ? up_to(random, output_.limit - 1) : output_.limit + 2 * pipe_bytes;
  steps({"out", std::to_string(output_.size), "exit", "5"});
  work_->out(to::capture{.limit = bytes{output_.limit}, .policy = on_limit::backpressure});
  statuses_ = {exit_code(5)};
  if (fits) return;
  output_.limit += 64 << 10;  // The rest of the pipe comes when the child is gone.
  output_.whole = false;
  work_->timeout(soon(random)).drain_grace(soon(random));
  statuses_ = {by_signal(SIGTERM)};
  ended_by_ = process_ending::timed_out;
}

void process_case::times_out(std::mt19937_64& random) {
  name_ = "timeout";
  output_.size = up_to(random, 10'000);
  output_.whole = false;
  std::vector<std::string> words = {"out", std::to_string(output_.size), "hang"};
  statuses_ = {by_signal(SIGTERM)};
  if (random() % 2 == 0) {
    // Early enough to be ignored or not, by chance.
    words.insert(words.begin(), {"ignore", std::to_string(SIGTERM)});
    statuses_.push_back(by_signal(SIGKILL));
  }
  steps(words);
  if (statuses_.size() > 1) work_->grace(soon(random));
  work_->timeout(soon(random));
  ended_by_ = process_ending::timed_out;
}

void process_case::is_cancelled(std::mt19937_64& random) {
  name_ = "cancel";
  output_.size = up_to(random, 10'000);
  output_.whole = false;
  steps({"out", std::to_string(output_.size), "hang"});
  statuses_ = {by_signal(SIGTERM)};
  ended_by_ = process_ending::cancelled;
}

void process_case::is_refused(std::mt19937_64& random) {
  name_ = "refused start";
  start_stage_ = spawn_stage::exec;
  switch (random() % 3) {
    case 0:
      start_errno_ = ENOENT;
      work_.emplace(command::argv({"/no/such/program"}));
      return;
    case 1:
      start_errno_ = EACCES;
      work_.emplace(command::argv({"/dev/null"}));
      return;
    default:
      start_errno_ = ENOENT;
      start_stage_ = spawn_stage::chdir;
      work_.emplace(command::argv({BAST_TEST_CHILD}));
      work_->cwd("/no/such/directory");
  }
}

void process_case::leaves_a_grandchild(std::mt19937_64& random) {
  name_ = "grandchild";
  has_grandchild_ = true;
  output_.size = up_to(random, 2'000);
  output_.whole = false;
  errors_.captured = false;  // It prints its pid there, which is not known before.
  steps({"grandchild", "out", std::to_string(output_.size), "exit", "9"});
  work_->drain_grace(soon(random));
  statuses_ = {exit_code(9)};
  grandchild_holds_ = random() % 2 == 0;
  if (!grandchild_holds_) work_->kill_group_on_exit();
}

std::string process_case::wrong(const std::string& what) const {
  return "P: a child of kind '" + std::string(name_) + "': " + what;
}

std::string process_case::compare(const captured_output& got, const expected_stream& expected,
                                  bool whole) const {
  if (!expected.captured) return "";
  const std::string_view text = got.bytes.text();
  const std::uint64_t written = expected.instead.empty() ? expected.size : expected.instead.size();
  const std::uint64_t kept = std::min(written, expected.limit);
  const bool same = expected.instead.empty() ? first_difference(text) == text.size()
                                             : std::string_view(expected.instead).starts_with(text);
  if (!same) return wrong("a byte of its output is another one (P-16)");
  if (text.size() > kept) return wrong("there are more bytes than it wrote, or than its limit");
  if (got.error_number != 0) {
    if (faults_ == faults::injected) return "";  // A reported error may have cost bytes.
    return wrong("errno " + std::to_string(got.error_number));
  }
  if (!whole || !expected.whole) return "";
  if (text.size() != kept) {
    return wrong("it has " + std::to_string(text.size()) + " bytes of " + std::to_string(kept) +
                 (got.truncated == truncation::grandchild ? ", cut by the drain grace" : "") +
                 " (P-16)");
  }
  const bool cut = got.truncated == truncation::limit;
  if (cut != (written > expected.limit)) return wrong("truncation is reported wrongly (P-16)");
  return "";
}

bool process_case::ended_as_expected(const process_result& ended) const {
  const auto fits = [&](const exit_status& one) { return ended.status == one; };
  return ended.ended_by == ended_by_ && std::ranges::any_of(statuses_, fits);
}

/// A child whose output cannot be read any more dies of that, or hangs without exceeding its limit;
/// and SIGKILL replaces a SIGTERM that could not be sent.
bool process_case::ended_by_a_fault(const process_result& ended) const {
  if (faults_ != faults::injected) return false;
  const bool failed = ended.output.error_number != 0 || ended.errors.error_number != 0;
  const bool hung =
      ended_by_ == process_ending::limit && ended.ended_by == process_ending::timed_out;
  return (failed && (hung || ended.status == by_signal(SIGPIPE))) ||
         (ended.signal_error != 0 && ended.status == by_signal(SIGKILL));
}

std::string process_case::judge(const process_result& ended) const {
  if (has_grandchild_) end_group(ended.pid);
  if (wants_failure()) return wrong("it was started");
  const bool as_expected = ended_as_expected(ended);
  if (!as_expected && !ended_by_a_fault(ended)) {
    return wrong(in_words(ended.status) + ", ended by '" + name_of(ended.ended_by) + "', not " +
                 in_words(statuses_.front()) + " by '" + name_of(ended_by_) + "' (P-14, P-15)");
  }
  if (auto complaint = compare(ended.output, output_, as_expected); !complaint.empty())
    return complaint;
  if (auto complaint = compare(ended.errors, errors_, as_expected); !complaint.empty())
    return complaint;
  const bool told = ended.output.truncated == truncation::grandchild;
  if (grandchild_holds_ && !told && ended.output.error_number == 0) {
    return wrong("it holds the pipe, which is not reported (P-13)");
  }
  return "";
}

std::string process_case::judge(const error& failed) const {
  if (wants_cancel() && failed == errc::cancelled) return "";  // Before it was started.
  if (wants_failure() && failed.error_number() == start_errno_ &&
      work_->failure().stage == start_stage_) {
    return "";
  }
  return wrong("no start: " + std::string(failed.message()));
}

std::string children_left() {
  for (;;) {
    siginfo_t info{};
    // Waits: a killed process may still be dying.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == -1) return "";
    // A grandchild, killed with the group of a child whose start had failed, and inherited.
    const bool inherited = info.si_code == CLD_KILLED && info.si_status == SIGKILL &&
                           ::getpgid(info.si_pid) != info.si_pid;
    if (!inherited) return "zombie " + std::to_string(info.si_pid);
    ::waitpid(info.si_pid, nullptr, 0);
  }
}

}  // namespace bast::stress
