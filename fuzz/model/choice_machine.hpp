// SPDX-License-Identifier: Apache-2.0
//
// Runs the operations of `choice` on real objects and coroutines, and says what they may do. Which
// of the ready arms a choice takes is not determined; the rest is:
//
//   E1, E2  of each perform: model/choice_tree.hpp
//   E3  A perform takes a ready arm if there is one, and none that a biased choice does not prefer;
//       otherwise it waits, and a poll finds nothing (O-3, O-14). One whose token has fired tries
//       nothing (C-10).
//   E4  When no coroutine can continue, none waits for what is ready (Y-4), and exactly the arms of
//       those that wait are linked.
//   E5  Each token is in one place (O-11). One ends only with a stack that was released. Permits
//       that were given are there, or taken.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/choice_tree.hpp"
#include "model/fault_schedule.hpp"

namespace bast::model {

class choice_machine {
 public:
  choice_machine(const fault_schedule& faults, unsigned seed);
  choice_machine(const choice_machine&) = delete;
  choice_machine& operator=(const choice_machine&) = delete;
  ~choice_machine();

  /// Performs an operation. Returns the first difference; empty if there is none.
  std::string perform(const op& o);
  /// The visible state: see lives.hpp.
  std::string seen() const;

 private:
  struct place {
    std::vector<choice_arm> arms;
    choice_token slot;
    std::vector<choice_token> held;
    std::optional<cancel_source> source;
    std::unique_ptr<choice_run> run;  // while it performs
    std::optional<coro<>> coroutine;
    std::optional<result<int>> ended;
  };
  struct outlook {
    bool certain;
    bool cancelled;
    bool polls;
    std::vector<int> ready;
  };

  std::string start(std::size_t who, const std::vector<choice_arm>& arms);
  std::string poll_once(std::size_t who);
  std::string unwind(std::size_t who, bool abandons);
  std::string run_all();
  void prepare(std::size_t who, const std::vector<choice_arm>& arms);
  std::string judge(const place& p, const outlook& before) const;
  std::string finish(std::size_t who);
  std::string check_quiet() const;
  std::string check_tokens() const;
  outlook look(std::size_t who) const;
  bool is_ready(const choice_run::leaf& leaf, std::size_t who) const;
  std::size_t linked(choice_leaf kind, std::size_t object, std::size_t except) const;

  const fault_schedule& faults_;
  choice_objects objects_;
  std::vector<int> destroyed_;
  ready_queue loop_;
  std::optional<coro_pool> pool_;
  std::array<place, choice_places> places_;
  std::array<int, choice_permits> given_ = {};
  std::array<int, choice_permits> taken_ = {};
  std::size_t unwound_ = 0;
  bool quiet_ = true;  // no coroutine can continue
  std::string last_;
};

}  // namespace bast::model
