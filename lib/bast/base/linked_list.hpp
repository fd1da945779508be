// SPDX-License-Identifier: Apache-2.0
//
// `linked_list`: an intrusive, doubly linked FIFO. A node can be removed from its middle.
//
//   struct job { job* next = nullptr; job* previous = nullptr; bool linked = false; ... };
//   bast::linked_list<job> waiting;
//   waiting.append(mine);
//   if (mine.linked) waiting.remove(mine);
#pragma once

#include <bast/config.hpp>
#include <cstddef>

namespace bast::inline BAST_ABI {

/// `Node` has the members `next` and `previous`, pointers to Node or a type that reads and assigns
/// like one (Atomics::plain), and the bool `linked`, true while the node is in a list. The list
/// does not own its nodes. Not thread-safe.
template <class Node>
class linked_list {
 public:
  void append(Node& node) noexcept {
    node.next = nullptr;
    node.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &node;
    last_ = &node;
    node.linked = true;
    ++size_;
  }
  /// Removes and returns the oldest node, or returns null.
  Node* pop() noexcept {
    Node* const first = first_;
    if (first != nullptr) remove(*first);
    return first;
  }
  /// Requires that `node` is in this list.
  void remove(Node& node) noexcept {
    Node* const next = node.next;
    (node.previous != nullptr ? node.previous->next : first_) = next;
    (next != nullptr ? next->previous : last_) = node.previous;
    node.linked = false;
    --size_;
  }
  /// The oldest node, or null; node.next is the one after it.
  Node* front() const noexcept { return first_; }
  std::size_t size() const noexcept { return size_; }

 private:
  decltype(Node::next) first_ = nullptr;
  decltype(Node::previous) last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace bast::inline BAST_ABI
