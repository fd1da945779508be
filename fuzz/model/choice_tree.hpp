// SPDX-License-Identifier: Apache-2.0
//
// A tree of ops that is known only at run time, and the account of one perform of it: what was
// tried, told and committed.
//
//   E1  At most one leaf commits (O-2), and its number is the result.
//   E2  Each wrapping that was tried is told once: that it has lost, or that it has committed (O-7,
//       O-8, O-9).
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/once_event.hpp"
#include "bast/testing/rendezvous.hpp"
#include "model/choice_language.hpp"

namespace bast::model {

/// An op of any form, with the number of a leaf as its value. Its parts live in an arena, so that
/// an abandoned stack keeps nothing alive.
class any_op {
  using traits = bast::internal::real_traits;
  using leaf = bast::internal::basic_leaf<traits>;

 public:
  struct plan_base {
    plan_base() = default;
    plan_base(const plan_base&) = delete;
    plan_base& operator=(const plan_base&) = delete;
    virtual ~plan_base() = default;
    virtual void gather(bast::internal::basic_branch_list<traits>& list) = 0;
    virtual bool has(const leaf* chosen) const = 0;
    virtual result<int> take(const leaf* chosen) = 0;
  };
  struct arena {
    std::deque<std::unique_ptr<plan_base>> plans;
    std::deque<std::shared_ptr<const void>> ops;
  };
  using value_type = int;

  template <performable Op>
  any_op(arena& in, Op op) : in_(&in) {
    const auto kept = std::make_shared<const Op>(std::move(op));
    in.ops.push_back(kept);
    op_ = kept.get();
    make_ = [](arena& where, const void* from) -> plan_base& {
      return *where.plans.emplace_back(
          std::make_unique<plan_of<Op>>(*static_cast<const Op*>(from)));
    };
  }

  template <class>
  class plan {
   public:
    explicit plan(any_op op) : it_(&op.make_(*op.in_, op.op_)) {}
    void gather(bast::internal::basic_branch_list<traits>& list) { it_->gather(list); }
    bool has(const leaf* chosen) const { return it_->has(chosen); }
    [[nodiscard]] result<int> take(const leaf* chosen) { return it_->take(chosen); }

   private:
    plan_base* it_;
  };

 private:
  template <class Op>
  struct plan_of final : plan_base {
    explicit plan_of(const Op& op) : of(op) {}
    void gather(bast::internal::basic_branch_list<traits>& list) override { of.gather(list); }
    bool has(const leaf* chosen) const override { return of.has(chosen); }
    result<int> take(const leaf* chosen) override { return of.take(chosen); }
    typename Op::template plan<traits> of;
  };

  arena* in_;
  const void* op_;
  plan_base& (*make_)(arena&, const void*);
};

/// Moved, never copied: so a channel cannot double it.
class choice_token {
 public:
  explicit choice_token(int number = -1, std::vector<int>* destroyed = nullptr)
      : number_(number), destroyed_(destroyed) {}
  choice_token(choice_token&& other) noexcept
      : number_(std::exchange(other.number_, -1)), destroyed_(other.destroyed_) {}
  choice_token& operator=(choice_token&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(destroyed_, other.destroyed_);
    return *this;
  }
  ~choice_token() {
    if (number_ >= 0 && destroyed_ != nullptr) destroyed_->push_back(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
  std::vector<int>* destroyed_;
};

struct choice_objects {
  struct permits {
    wait_queue queue;
    int left = 0;
  };
  std::array<test::rendezvous<choice_token>, choice_channels> channels;
  std::array<std::optional<test::once_event>, choice_events> events;
  std::array<permits, choice_permits> of_permits;
};

/// One perform: its op, and what has happened to the parts.
class choice_run {
 public:
  /// `slot`: what its sends send; `received`: where its receives put what they get.
  choice_run(choice_objects& objects, const std::vector<choice_arm>& arms, choice_token& slot,
             std::vector<choice_token>& received);

  any_op op() const { return *op_; }

  struct leaf {
    choice_leaf kind = choice_leaf::never;
    std::size_t object = 0;
    int commits = 0;
    bool fell_back = false;
    std::vector<int> after;  // the leaves that a biased choice prefers
  };
  const std::vector<leaf>& leaves() const { return leaves_; }
  bool may_fail() const { return may_fail_; }
  bool any_tried() const;
  /// Ends the plans, as the stack of a perform does that is unwound.
  void end_plans() { arena_.plans.clear(); }

  /// E1, E2, of a perform that has ended. Empty if all is right.
  std::string check(std::optional<int> winner) const;
  /// The same of one that was released when it may have been committed.
  std::string check_released() const;
  /// Of one whose stack was abandoned: no code of the user has run.
  std::string check_abandoned() const;

 private:
  struct wrapping {
    choice_wrapping what = choice_wrapping::none;
    std::vector<int> leaves;
    int tried = 0;
    int lost = 0;
    int done = 0;
    std::optional<nack> told;
  };
  any_op leaf_op(int number);
  any_op wrapped(any_op op, choice_wrapping what, const std::vector<int>& leaves);
  template <class Op>
  any_op keep(Op op) {
    return {arena_, std::move(op)};
  }

  choice_objects& objects_;
  choice_token& slot_;
  std::vector<choice_token>& received_;
  std::vector<leaf> leaves_;
  std::deque<wrapping> wrappings_;
  bool may_fail_ = false;
  any_op::arena arena_;  // ends first: plans of an abandoned stack refer to the others
  std::optional<any_op> op_;
};

}  // namespace bast::model
