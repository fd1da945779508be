// SPDX-License-Identifier: Apache-2.0
//
// Runs the scripts of a `sched` program on one worker, and checks what does not depend on who runs
// when:
//
//   Q1  A script that was spawned runs exactly once, also when it was cancelled before; or its
//       fiber ends with the reason why it could not be started.
//   Q2  A value that was sent arrives once, and one that was not sent does not arrive.
//   Q3  A join takes the outcome of its fiber, once. A join that fails otherwise takes nothing.
//   Q4  A failure is taken by a join or goes to on_unhandled, once.
//   Q5  A wait under a token that has fired before fails with `cancelled`; under one that has not
//       fired it does not.
//   Q6  Afterwards all callables are destroyed, and nothing runs.
//
// When no fiber makes progress any more, the runtime is cancelled, which ends all waits.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "bast/sched.hpp"
#include "bast/testing/rendezvous.hpp"
#include "model/sched_language.hpp"

namespace bast::model {

class sched_machine {
 public:
  /// `is_rough`: calls of the kernel fail, so that spawns and starts may.
  sched_machine(const program& p, bool is_rough);
  sched_machine(const sched_machine&) = delete;
  sched_machine& operator=(const sched_machine&) = delete;
  ~sched_machine() = default;

  /// The first complaint, or nothing.
  std::string run();
  /// What happened, in its order: the same in each life.
  const std::string& seen() const { return seen_; }

 private:
  using number = std::uint32_t;
  /// One for each script.
  struct part {
    std::vector<op> script;
    fiber<number> handle;
    std::optional<cancel_source> own;
    bool is_spawned = false;
    bool has_handle = false;  // by the model
    bool fails = false;
    int runs = 0;
    int ends = 0;
    int outcomes = 0;  // joined, dropped or reported
  };
  struct held;

  result<number> body(std::size_t who);
  void perform_op(std::size_t who, const op& o);
  void supervise();
  void spawn_part(std::size_t which);
  void join_part(std::size_t who, std::size_t which);
  void wait(std::size_t who, const op& o);
  void expect_wait(bool fired_before, const result<int>& how, std::size_t who);
  bool is_cancelled(std::size_t who) const;
  void note(std::size_t who, const char* what) {
    seen_ += std::to_string(who) + what;
    ++progress_;
  }
  void expect(bool holds, const char* otherwise) {
    if (!holds && complaint_.empty()) complaint_ = otherwise;
  }
  static void take_unhandled(void* self, failure&& untaken) noexcept;

  bool is_rough_;
  std::size_t stacks_max_;
  std::array<part, sched_scripts> parts_;
  std::array<test::rendezvous<number>, sched_channels> channels_;
  std::optional<coro_pool> coroutines_;
  std::vector<int> values_;  // of each that was made: 1 sent, 2 received, as bits
  std::string complaint_;
  std::string seen_;
  std::uint64_t progress_ = 0;
  int failures_ = 0;
  int taken_failures_ = 0;
  int unhandled_ = 0;
  int holders_ = 0;
  int not_started_ = 0;
  int live_ = 0;
  bool is_over_ = false;
};

}  // namespace bast::model
