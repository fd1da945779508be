// SPDX-License-Identifier: Apache-2.0
//
// `process_case`: one random process to run, and its required result: its status, what ended it,
// and every byte. Children are bast_test_child with some steps.
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
    none,      // every difference is an error
    injected,  // kernel calls fail: a stream may end early if it reports why
  };

  explicit process_case(std::mt19937_64& random, faults w = faults::none);

  command& work() { return *work_; }
  const char* name() const { return name_; }
  /// It hangs until it is cancelled.
  bool wants_cancel() const { return ended_by_ == process_ending::cancelled; }
  /// The start is refused, always.
  bool wants_failure() const { return start_errno_ != 0; }

  /// What was wrong with its end, or empty. Ends and reaps what the process left behind.
  std::string judge(const process_result& ended) const;
  /// The same for a start that failed, or a `run` that was cancelled before.
  std::string judge(const error& failed) const;
  /// The number of compared bytes.
  static std::uint64_t bytes_of(const process_result& ended) {
    return ended.output.bytes.size() + ended.errors.bytes.size();
  }

 private:
  struct expected_stream {
    std::uint64_t size = 0;  // the child's output, as "abc..z" repeated
    std::string instead;     // or this
    std::uint64_t limit = UINT64_MAX;
    bool whole = true;  // false: any prefix of it is valid
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

  /// Unless `whole`, the child's output may have been cut anywhere.
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

/// An unreaped child, in words; "" if there is none. For the end of a scenario.
std::string children_left();

}  // namespace bast::stress
