// SPDX-License-Identifier: Apache-2.0
//
// cancel_token::any_of: a tree of its own, with a callback on each of the tokens that it joins.
#include "bast/cancel/callback.hpp"

namespace bast {

namespace internal {

/// Lives until the last token of its tree is gone. Its registrations follow it in memory.
///
/// A callback of one input may run while another's runs elsewhere, and both would end the others'
/// registrations: so they do not wait for each other there. The end of the object does, and cannot
/// wait for long, because they wait for nobody.
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
    // One that fired on another thread meanwhile may have found the later ones not yet registered.
    if (joined.is_cancelled()) self->forget_inputs();
    return joined;
  }

  ~joined_tokens() = default;

 private:
  struct input {
    explicit input(joined_tokens& to) noexcept : registration(fired), owner(&to) {}
    cancel_registration registration;  // first: `fired` is given its record
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
    // The last token may go in a callback of this tree; or it has gone, and the end of this object
    // waits for this function.
    const node_handle held(cancel_tree_operations::keep_if_held(&self.tree_.root));
    if (!held) return;
    if (cancel_tree_operations::cancel(self.tree_.root, why)) self.forget_inputs();
  }

  void forget_inputs() noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      cancel_tree_operations::silence(inputs()[i].registration.record_,
                                      *inputs()[i].token.node_.get());
    }
  }

  static void end(cancel_tree<os::real_atomics>& tree) noexcept {
    static_assert(offsetof(joined_tokens, tree_) == 0);
    auto* const self = reinterpret_cast<joined_tokens*>(&tree);
    for (std::size_t i = 0; i < self->count_; ++i) self->inputs()[i].registration.end();
    for (std::size_t i = 0; i < self->count_; ++i) std::destroy_at(self->inputs() + i);
    os::destroy(self);
  }

  cancel_tree<os::real_atomics> tree_;
  std::size_t count_ = 0;
};

}  // namespace internal

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

}  // namespace bast
