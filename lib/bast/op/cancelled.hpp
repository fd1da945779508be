// SPDX-License-Identifier: Apache-2.0
//
// `cancelled(token)`: an op that commits when a token fires, for one that does not govern the
// caller:
//
//   bast::perform(bast::choice(requests.receive(), bast::cancelled(drain)));
#pragma once

#include <utility>

#include "bast/op/ops.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

class token_leaf final : public basic_leaf<real_traits> {
 public:
  using performer = basic_performer<real_traits>;
  explicit token_leaf(cancel_token of) noexcept : token_(std::move(of)), registration_(*this) {}

  bool looks_ready() const noexcept override { return token_.is_cancelled(); }
  progress attempt(performer& who) override {
    if (!token_.is_cancelled()) return progress::none;
    return who.commit_self(*this) ? progress::committed : progress::lost;
  }
  // If it has fired meanwhile, the callback runs at once, and commits.
  progress enlist(performer& who) override {
    if (!who.number(*this)) return progress::failed;
    who.expect(*this);
    is_registered_ = true;
    registration_.begin(token_);
    return progress::none;
  }
  // Waits for the callback, if that runs on another thread (C-8).
  void delist() noexcept override {
    if (std::exchange(is_registered_, false)) registration_.end();
  }

 private:
  struct registration : cancel_registration {
    explicit registration(token_leaf& mine) noexcept : cancel_registration(fired), of(mine) {}
    static void fired(real_record& record, const cancel_reason&) noexcept {
      performer::complete(registration_of<registration>(record).of);
    }
    token_leaf& of;
  };
  cancel_token token_;
  registration registration_;
  bool is_registered_ = false;
};

}  // namespace internal

class cancelled_op {
 public:
  using value_type = void;
  explicit cancelled_op(cancel_token of) noexcept : of_(std::move(of)) {}

  template <class>
  class plan : public internal::leaf_plan<internal::token_leaf> {
   public:
    explicit plan(cancelled_op op) : leaf_plan(std::move(op.of_)) {}
    [[nodiscard]] result<void> take(const internal::leaf* /*chosen*/) { return {}; }
  };

 private:
  cancel_token of_;
};

/// Commits when the token has fired, and never consumes that. Of the default token never.
inline cancelled_op cancelled(cancel_token token) noexcept {
  return cancelled_op(std::move(token));
}

}  // namespace bast::inline BAST_ABI
