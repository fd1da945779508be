// SPDX-License-Identifier: Apache-2.0
//
// cancel_token::any_of: a separate tree, with a callback on each of the tokens that it joins.
#include <algorithm>

#include "bast/cancel/callback.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// Lives until the last token of its tree is gone. Its registrations follow it in memory.
///
/// The callback of one input may run while another's runs on another thread, and each would
/// unregister the other. So they do not wait for each other. The destructor does, and never for
/// long, because the callbacks wait for no other thread.
///
/// Joined tokens may join joined tokens, in chains longer than a stack is deep, and by several
/// paths. So nothing here recurses along a chain: neither cancellation (cancel_within), nor
/// destruction (cancel_tree::end), nor the query for the deadline.
class joined_tokens {
 public:
  static result<cancel_token> create(std::span<const cancel_token> tokens,
                                     std::size_t live) noexcept {
    void* const place = os::allocate(sizeof(joined_tokens) + live * sizeof(input));
    if (place == nullptr) return fail(errc::no_memory, "cancel_token.any_of", "no memory");
    auto* const self = ::new (place) joined_tokens;
    for (std::size_t i = 0; i < live; ++i) ::new (self->inputs() + i) input(*self);
    self->count_ = live;
    cancel_token joined{node_handle(&self->tree_.root)};
    std::size_t at = 0;
    for (const cancel_token& token : tokens) {
      if (token.can_be_cancelled()) self->inputs()[at++].token = token;
    }
    for (std::size_t i = 0; i < live && !joined.is_cancelled(); ++i) {
      self->inputs()[i].registration.begin(self->inputs()[i].token);
    }
    // A token that fired on another thread meanwhile may have missed registrations that came later.
    if (joined.is_cancelled()) self->forget_inputs();
    return joined;
  }

  ~joined_tokens() = default;

  /// The object that a node belongs to; null for a source's node.
  static joined_tokens* of(const real_node& n) noexcept {
    return n.tree->end == end ? reinterpret_cast<joined_tokens*>(n.tree) : nullptr;
  }

  std::int64_t deadline() noexcept {
    // One walk at a time, so that each can record in the objects which it has visited and the next
    // one.
    static constinit os::lock walking;
    static constinit std::uint64_t walks = 0;
    walking.lock();
    const std::uint64_t walk = ++walks;
    std::int64_t earliest = no_deadline;
    walk_ = walk;
    next_ = nullptr;
    for (joined_tokens* to_do = this; to_do != nullptr;) {
      joined_tokens& at = *std::exchange(to_do, to_do->next_);
      for (std::size_t i = 0; i < at.count_; ++i) {
        const real_node& n = *at.inputs()[i].token.node_.get();
        joined_tokens* const joined = of(n);
        if (joined == nullptr) {
          earliest = std::min(earliest, cancel_tree_operations::deadline_of(n));
        } else if (joined->walk_ != walk) {
          joined->walk_ = walk;
          joined->next_ = std::exchange(to_do, joined);
        }
      }
    }
    walking.unlock();
    return earliest;
  }

 private:
  struct input {
    explicit input(joined_tokens& to) noexcept : registration(fired), owner(&to) {}
    cancel_registration registration;  // first: `fired` receives its record
    joined_tokens* owner;
    cancel_token token;
  };
  static_assert(std::is_standard_layout_v<input>);

  joined_tokens() noexcept {
    cancel_tree_operations::plant(tree_, 0);
    tree_.end = end;
  }

  input* inputs() noexcept { return reinterpret_cast<input*>(this + 1); }

  static void fired(real_record& record, const cancel_reason& why) noexcept {
    joined_tokens& self = *reinterpret_cast<input&>(record).owner;
    if (cancel_tree_operations::cancel_within(record, self.tree_.root, why)) self.forget_inputs();
  }

  void forget_inputs() noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      cancel_tree_operations::silence(inputs()[i].registration.record_,
                                      *inputs()[i].token.node_.get());
    }
  }

  using tree = cancel_tree<os::real_atomics>;
  static void end(tree& dead, tree*& ending) noexcept {
    static_assert(offsetof(joined_tokens, tree_) == 0);
    auto* const self = reinterpret_cast<joined_tokens*>(&dead);
    for (std::size_t i = 0; i < self->count_; ++i) {
      cancel_tree_operations::delist(self->inputs()[i].registration.record_, ending);
    }
    for (std::size_t i = 0; i < self->count_; ++i) {
      cancel_tree_operations::drop(self->inputs()[i].token.node_.release(), ending);
      std::destroy_at(self->inputs() + i);
    }
    os::destroy(self);
  }

  tree tree_;
  std::size_t count_ = 0;
  // The latest walk.
  std::uint64_t walk_ = 0;
  joined_tokens* next_ = nullptr;
};

}  // namespace internal

time_point cancel_token::deadline() const noexcept {
  if (!node_) return never;
  if (auto* const joined = internal::joined_tokens::of(*node_.get())) {
    return internal::time_of(joined->deadline());
  }
  return internal::time_of(internal::cancel_tree_operations::deadline_of(*node_.get()));
}

result<cancel_token> cancel_token::any_of(std::span<const cancel_token> tokens) noexcept {
  std::size_t live = 0;
  const cancel_token* only = nullptr;
  for (const cancel_token& token : tokens) {
    if (token.is_cancelled()) return token;
    if (!token.can_be_cancelled()) continue;
    ++live;
    only = &token;
  }
  if (live == 0) return cancel_token();
  if (live == 1) return *only;
  return internal::joined_tokens::create(tokens, live);
}

}  // namespace bast::inline BAST_ABI
