// SPDX-License-Identifier: Apache-2.0
//
// How a cancel finds the lists of a domain on other workers, and who frees a list. Templates over
// the atomics, so that the interleaving checker runs this code.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstdint>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

/// Lists of several workers. `List` has a member `other`, an A::plain<List*>.
template <class A, class List>
class basic_announced_lists {
 public:
  /// A worker, before it uses its list: a cancel finds the list, or the worker finds the mark of
  /// that cancel in whatever it loads from here on.
  void announce(List& mine) noexcept {
    List* first = first_.load(std::memory_order_relaxed);
    // Release: pairs with the acquire in the others.
    do mine.other = first;
    while (!first_.compare_exchange_weak(first, &mine, std::memory_order_release,
                                         std::memory_order_relaxed));
    A::fence(std::memory_order_seq_cst);
  }
  /// Who cancels, after the mark: the latest list, or null; its `other` leads to the rest.
  List* first_after_mark() const noexcept {
    A::fence(std::memory_order_seq_cst);
    return first();
  }
  /// A worker that looks for its own.
  List* first() const noexcept {
    // Acquire: pairs with the release in announce().
    return first_.load(std::memory_order_acquire);
  }

 private:
  typename A::template atomic<List*> first_{nullptr};
};

/// The one message about a list, from its domain to its worker: which of them frees the list.
template <class A>
class basic_list_message {
 public:
  /// The domain, before it pushes the list to the inbox of the worker.
  void send() noexcept {
    // Relaxed: published by the push.
    state_.store(state::sent, std::memory_order_relaxed);
  }
  /// The worker has done what the message asks. True: the domain has ended, the worker frees it.
  [[nodiscard]] bool handle() noexcept {
    // Acquire and release: pairs with the exchange in disown().
    return state_.exchange(state::handled, std::memory_order_acq_rel) == state::disowned;
  }
  /// The domain ends, and sends no message any more. True: it frees the list; else the worker does.
  [[nodiscard]] bool disown() noexcept {
    // Acquire and release: pairs with the exchange in handle().
    return state_.exchange(state::disowned, std::memory_order_acq_rel) != state::sent;
  }
  /// The same on the worker itself, which handles its inbox then.
  bool is_on_its_way() const noexcept {
    // Relaxed: the domain sends none any more.
    return state_.load(std::memory_order_relaxed) == state::sent;
  }

 private:
  enum class state : std::uint8_t { none, sent, handled, disowned };
  typename A::template atomic<state> state_{state::none};
};

}  // namespace bast::inline BAST_ABI::internal
