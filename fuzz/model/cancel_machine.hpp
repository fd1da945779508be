// SPDX-License-Identifier: Apache-2.0
//
// Runs the operations of `cancel_order` on real sources, tokens and callbacks, and records the
// callbacks' arguments.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bast/cancel.hpp"
#include "model/cancel_model.hpp"
#include "model/fault_schedule.hpp"

namespace bast::model {

class cancel_machine {
 public:
  explicit cancel_machine(fault_schedule& faults) : faults_(faults) {}
  cancel_machine(const cancel_machine&) = delete;
  cancel_machine& operator=(const cancel_machine&) = delete;
  ~cancel_machine() { end(); }

  /// Performs an operation; returns the results of its allocations.
  std::deque<bool> perform(const op& o);
  /// The first difference; empty if there is none.
  std::string compare(const cancel_model& expected);
  /// The visible state, with numbers that restart in each machine: see lives.hpp.
  std::string seen() const;
  /// Destroys everything, in an order that programs do not choose.
  void end();

 private:
  struct entry {  // a cancel_event with the real id of the origin
    int place;
    cancel_reason why;
  };
  struct function {
    cancel_machine* machine;
    int place;
    cancel_token token;  // that it is registered with
    cancel_plan plan;
    void operator()(const cancel_reason& why) noexcept;
  };
  using callback = cancel_callback<function>;

  void make_source(std::size_t place, const cancel_source* parent, bool shielded);
  void enlist(std::size_t place, cancel_token token, const cancel_plan& plan);
  void delist(std::size_t place);
  void join(std::size_t place, const cancel_pair& of);
  void do_deed(const cancel_plan& plan, const cancel_token& token);
  cancel_token token_of(std::size_t place, bool joined) const;
  template <class T>
  bool accept(const result<T>& made);
  std::string compare_reason(const std::optional<cancel_reason>& seen,
                             const cancel_model::node& expected) const;
  std::string compare_source(std::size_t place, const cancel_model& expected) const;

  fault_schedule& faults_;
  std::vector<entry> entries_;
  std::deque<bool> allocations_;
  std::vector<std::uint64_t> created_;  // real ids
  std::unordered_map<std::uint64_t, int> numbers_;
  std::string complaint_;
  bool won_ = false;
  long clock_ = 0;
  std::array<std::optional<cancel_source>, cancel_places> sources_;
  std::array<cancel_token, cancel_places> joined_;
  std::array<std::unique_ptr<callback>, cancel_places> callbacks_;
};

}  // namespace bast::model
