// SPDX-License-Identifier: Apache-2.0
//
// `process_case`: one process to run, chosen at random, and what must come of it: its status, who ended
// it, and every byte. Children are bast_test_child with some steps.
//
//   process_case e(random);
//   auto ended = e.work().run();
//   const std::string complaint = ended ? e.judge(*ended) : e.judge(ended.error());
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/process.hpp"

namespace bast::stress {

class process_case {
 public:
  enum class faults {
    none,      // whatever is not as expected is wrong
    injected,  // kernel calls fail: a stream may end early if it says why
  };

  explicit process_case(std::mt19937_64& random, faults w = faults::none);

  command& work() { return *work_; }
  const char* name() const { return name_; }
  /// It hangs until somebody cancels it.
  bool wants_cancel() const { return ended_by_ == process_ending::cancelled; }
  /// The start is refused, always.
  bool wants_failure() const { return start_errno_ != 0; }

  /// What was wrong with its end, or nothing. Ends and reaps what the process left behind.
  std::string judge(const process_result& ended) const;
  /// The same of a start that failed, or of a `run` that was cancelled before.
  std::string judge(const error& failed) const;
  /// The bytes that were compared.
  static std::uint64_t bytes_of(const process_result& ended) {
    return ended.output.bytes.size() + ended.errors.bytes.size();
  }

 private:
  struct expected_stream {
    std::uint64_t size = 0;  // what the child writes, as "abc..z" over and over
    std::string instead;     // or this
    std::uint64_t limit = UINT64_MAX;
    bool whole = true;  // false: any beginning of it is fine
    bool captured = true;
  };

  void steps(std::vector<std::string> words);
  void exits(std::mt19937_64& random);
  void is_signalled(std::mt19937_64& random);
  void floods(std::mt19937_64& random);
  void copies_input(std::mt19937_64& random);
  void exceeds(std::mt19937_64& random);
  void is_truncated(std::mt19937_64& random);
  void is_held_back(std::mt19937_64& random);
  void times_out(std::mt19937_64& random);
  void is_cancelled(std::mt19937_64& random);
  void is_refused(std::mt19937_64& random);
  void leaves_a_grandchild(std::mt19937_64& random);

  /// Unless `whole`, what the child wrote may have been cut short anywhere.
  std::string compare(const captured_output& got, const expected_stream& expected,
                      bool whole) const;
  bool ended_as_expected(const process_result& ended) const;
  bool ended_by_a_fault(const process_result& ended) const;
  std::string wrong(const std::string& what) const;

  faults faults_;
  const char* name_ = "";
  std::optional<command> work_;
  process_ending ended_by_ = process_ending::exited;
  std::vector<exit_status> statuses_;  // any of them
  expected_stream output_;
  expected_stream errors_;
  int start_errno_ = 0;
  spawn_stage start_stage_ = spawn_stage::none;
  bool has_grandchild_ = false;
  bool grandchild_holds_ = false;  // the pipes, until drain_grace is over
};

/// A child that nobody reaped, in words; "" if there is none. For the end of a scenario.
std::string children_left();

}  // namespace bast::stress
