// SPDX-License-Identifier: Apache-2.0
//
// Runs the scripts of a `scope` program on one worker, beside a model of laws S and C, and checks
// after each step:
//
//   M1  Nothing of a scope runs after its run_scope has returned; that returns when its fibers and
//       daemons have ended and its defers have run (S-1).
//   M2  A spawn, a defer or a scope is accepted or refused as the model says; what is refused is
//       neither run nor moved from (S-2, C-16).
//   M3  The value of a scope is that of the model: status, failures in their order, reason,
//       absorbed, report. A join takes the same outcome, once (S-3, S-4, C-3, C-15, C-17).
//   M4  A failure is its scope's, its joiner's or on_unhandled's, exactly once (S-5).
//   M5  The latest defer runs first, each once, when no fiber is left, and is told the status (S-6,
//       S-7).
//   M6  Code is cancelled exactly if the model says so: each checkpoint and each wait agrees, and
//       a cancel returns true for the first only (C-2, C-4, C-10, C-13).
//   M7  Daemons are cancelled when the body and all other fibers have ended, not before (S-4).
//   M8  When nothing makes progress, each wait is one that nothing has ended: no wake is lost.
//   M9  Afterwards all callables are destroyed, all fibers have ended, and no stack is in use.
//
// At the end of a program all is cancelled, and a gate opens for those who wait shielded.
//
// Where calls of the kernel fail, a fiber may not start, which the model does not see: then only
// what holds without it is checked.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "bast/scope.hpp"
#include "model/scope_language.hpp"
#include "model/scope_model.hpp"

namespace bast::model {

class scope_machine {
 public:
  /// `is_rough`: calls of the kernel fail.
  scope_machine(const program& p, bool is_rough);
  scope_machine(const scope_machine&) = delete;
  scope_machine& operator=(const scope_machine&) = delete;
  ~scope_machine() = default;

  /// The first complaint, or nothing.
  std::string run();
  /// What happened, in its order: the same in each life.
  const std::string& seen() const { return seen_; }

 private:
  using number = scope_model::number;
  static constexpr number none = scope_model::none;

  /// A block that a fiber is in, its whole script, or a defer.
  struct block {
    number governs = none;  // a node; none: a shield
    number scope = none;
    bool is_refused = false;
  };
  /// What a fiber waits for, from its call to its return.
  enum class wait_for : std::uint8_t { nothing, gate, cancel, end_of_fiber, idle, fault, members };
  struct running {
    number who;
    std::size_t at = 0;  // of its script
    std::vector<block> blocks = {};
    wait_for waits = wait_for::nothing;
    number governs = none;  // the wait
    number subject = none;
  };
  /// One for each script.
  struct part {
    std::vector<op> script;
    fiber<int> handle;
    std::optional<cancel_source> own;
    number own_node = none;
    number scope = none;
    number governs = none;
    running* now = nullptr;
    ending outcome;
    bool is_spawned = false;
    bool is_daemon = false;
    bool is_plain = false;
    bool is_taken = false;
    int runs = 0;
    int ends = 0;
    int unhandled = 0;
  };
  /// Of each scope of the model: what the library has for it.
  struct real_scope {
    scope* handle;
    cancel_token daemons;  // once one has started
  };
  struct registered {
    deferred handle;
    number scope;
    number id;
  };
  struct held;
  struct spawned;
  struct spawned_plain;
  struct deferring;

  // scope_machine.cpp: the program as a whole
  void supervise();
  void settle();
  void check_settled();
  void cancel_until_settled();
  void cancel_all();
  void open_gate();
  void check_end();
  static void take_unhandled(void* self, failure&& untaken) noexcept;
  ending run_part(number which);
  void step(running& r);
  void see_daemons();

  // scope_blocks.cpp: what code is in
  ending play(running& r);
  ending play_within(running& r, const block& within);
  void skip_block(running& r);
  void nest(running& r);
  void open_scope(running& r, unsigned value);
  scope_options options_of(unsigned value, scope_report* report) const;
  void check_closed(number which, const std::expected<int, scope_failure>& got, const ending& body);
  void limit(running& r, unsigned value);
  void shield_block(running& r);
  void bind(running& r);
  result<void> run_defer(number which, number id, bool plays, const scope_end& how);
  ending scripted(const running& r, end_value how);

  // scope_words.cpp: what code does
  void perform_op(running& r, const op& o);
  void spawn_part(running& r, unsigned value);
  template <class Callable>
  void spawn_as(running& r, number which, number into, unsigned value);
  void join_part(running& r, number which);
  void take_outcome(running& r, number which, fiber<int>&& mine);
  void wait(running& r, wait_value what, number through);
  void defer(running& r, number to, bool plays);
  void forget(number of, unsigned which);
  void await(running& r, number of);
  void watch(running& r, number of, unsigned value);
  void set_deadline(number of, deadline_value when);
  /// Waits for one of these, or in code that no end of the program cancels for the gate.
  template <class Op>
  result<void> perform_or_gate(running& r, Op op);
  template <class F>
  result<void> waiting(running& r, wait_for what, number subject, F perform_it);

  auto gate() {
    return retry_on(gate_, [this]() noexcept { return gate_is_open_; });
  }
  /// The scope at this distance; `none` if there is none.
  number scope_at(const running& r, unsigned distance);
  number governing(const running& r) const { return r.blocks.back().governs; }
  time_point time_of(deadline_value when) const;
  void note(number who, const char* what) { seen_ += std::to_string(who) + what; }
  void expect(bool holds, const char* otherwise) {
    if (!holds && complaint_.empty()) complaint_ = otherwise;
  }
  /// Of what the model knows only if all calls of the kernel succeed.
  void expect_exact(bool holds, const char* otherwise) { expect(holds || is_rough_, otherwise); }

  bool is_rough_;
  bool gate_first_;
  scope_model model_;
  std::array<part, scope_scripts> parts_;
  std::deque<real_scope> real_;  // as the model's
  std::vector<std::uint64_t> ids_;
  std::optional<coro_pool> coroutines_;
  std::vector<registered> defers_;
  wait_queue gate_;
  bool gate_is_open_ = false;
  std::string complaint_;
  std::string seen_;
  std::uint64_t progress_ = 0;
  std::int64_t endings_ = 0;
  int holders_ = 0;
  int live_ = 0;
  bool is_over_ = false;
};

/// A callable, or a part of one: counted, and it knows whether it was moved from.
struct scope_machine::held {
  explicit held(int& count) noexcept : count_(&count) { ++count; }
  held(held&& other) noexcept : count_(other.count_), is_whole(other.is_whole) {
    ++*count_;
    other.is_whole = false;
  }
  held& operator=(held&& other) noexcept {
    is_whole = std::exchange(other.is_whole, false);
    return *this;
  }
  ~held() { --*count_; }

 private:
  int* count_;

 public:
  bool is_whole = true;
};

/// What code that ends so returns or throws.
result<int> end_by(const ending& how);

/// How `call()` ends, which returns a result<int>.
template <class F>
ending ending_of_call(F call) {
#if BAST_EXCEPTIONS
  try {
#endif
    const result<int> got = call();
    return got ? ending{ending::kind::value, *got} : ending_of(got.error());
#if BAST_EXCEPTIONS
  } catch (const scripted_exception& thrown) {
    return {ending::kind::exception, thrown.number};
  }
#endif
}

}  // namespace bast::model
