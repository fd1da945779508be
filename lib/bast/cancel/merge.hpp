// SPDX-License-Identifier: Apache-2.0
//
// `merge_stack`: sorts intrusive lists without memory of its own. Sorted lists are added one by
// one. A list that goes on where the last one ended is appended to it; what is left are runs, which
// are merged with others of about their size, as a binary counter carries: O(n log k) for n
// elements in k runs, and one run is what a tree usually gives.
#pragma once

#include "bast/base.hpp"

namespace bast::internal {

/// `Order` has `static auto& next(T&)`, the link to use, `static bool before(T&, T&)`, and
/// `static void linked(T& before, T& after)`, which is told of each link that was made.
template <class T, class Order>
class merge_stack {
 public:
  /// Adds a list that is sorted already and not empty.
  void add(T* list) noexcept {
    T* end = list;
    while (T* const next = Order::next(*end)) end = next;
    if (run_ != nullptr && Order::before(*run_end_, *list)) {
      Order::next(*run_end_) = list;
      Order::linked(*run_end_, *list);
    } else {
      if (run_ != nullptr) add_run(run_);
      run_ = list;
    }
    run_end_ = end;
  }

  /// Everything that was added, sorted; null when nothing was.
  T* take() noexcept {
    T* all = run_;
    for (int at = 0; at < used_; ++at) {
      if (bins_[at] != nullptr) all = merge(bins_[at], all);
    }
    used_ = 0;
    run_ = nullptr;
    return all;
  }

 private:
  void add_run(T* list) noexcept {
    int at = 0;
    for (; at < used_ && bins_[at] != nullptr; ++at) {
      list = merge(bins_[at], list);
      bins_[at] = nullptr;
    }
    if (at == used_) {
      BAST_CHECK(used_ < bins_max, "more lists than an address space can hold");
      ++used_;
    }
    bins_[at] = list;
  }

  static T* merge(T* a, T* b) noexcept {
    if (Order::before(*b, *a)) {
      T* const swapped = a;
      a = b;
      b = swapped;
    }
    T* const first = a;
    // `a` is merged; whichever of its successor and `b` comes first is linked to it.
    while (b != nullptr) {
      T* const after = Order::next(*a);
      if (after == nullptr || Order::before(*b, *after)) {
        Order::next(*a) = b;
        Order::linked(*a, *b);
        b = after;
      }
      a = Order::next(*a);
    }
    return first;
  }

  static constexpr int bins_max = 48;  // 2^48 lists
  T* run_ = nullptr;                   // the latest; its end is set with it
  T* run_end_ = nullptr;
  int used_ = 0;
  T* bins_[bins_max];  // the first `used_` are set; the n-th holds 2^n runs or none
};

}  // namespace bast::internal
