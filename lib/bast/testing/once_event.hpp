// SPDX-License-Identifier: Apache-2.0
//
// An event that happens once, with its op: what a nack is made of, without a perform that loses.
#pragma once

#include <cstddef>

#include "bast/op.hpp"

namespace bast::test {

class once_event {
  using core = bast::internal::basic_once_event<bast::internal::real_traits>;

 public:
  class happened_op {
   public:
    using value_type = void;
    explicit happened_op(once_event& of) : of_(&of) {}
    template <class Traits>
    class plan : public bast::internal::leaf_plan<core::leaf> {
     public:
      explicit plan(happened_op op) : plan::leaf_plan(op.of_->core_) {}
      [[nodiscard]] result<void> take(const bast::internal::basic_leaf<Traits>* /*chosen*/) {
        return {};
      }
    };

   private:
    once_event* of_;
  };

  void fire() noexcept { core_.fire(); }
  bool has_fired() const noexcept { return core_.has_fired(); }
  happened_op happened() { return happened_op(*this); }
  /// Performs that are linked here.
  std::size_t waiting() { return core_.waiting(); }

 private:
  core core_;
};

}  // namespace bast::test
