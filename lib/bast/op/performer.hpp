// SPDX-License-Identifier: Apache-2.0
//
// `performer`: one perform: tries the branches, links them, waits, unlinks them (O-3).
//
//   1  Not armed, and invisible: each branch that looks ready is tried, in an order drawn anew.
//      Most performs end here.
//   2  Armed: each branch is linked, or commits after all.
//   3  Waits until a peer, or a cancel, commits this waiter. An object without a value to pass
//      wakes it to try again (retry.hpp): from 1 on, with the guards' ops as they are.
//   4  Unlinks what is linked, and tells the branches that have lost.
//
// Before the first node is linked, a function call has touched the stack below this frame: peers
// and the kernel write here while this stack is suspended, and could not open it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "bast/op/branch.hpp"

namespace bast::inline BAST_ABI::internal {

/// More arms than this in one perform are `limit`: the numbers above have a meaning of their own.
inline constexpr std::size_t arms_max = 65'534;

template <class Traits>
class basic_performer {
 public:
  using branch = basic_branch<Traits>;
  using leaf = basic_leaf<Traits>;
  using node = wait_node_of<Traits>;
  using waiter = typename Traits::waiter;
  using party = basic_party<typename Traits::atomics, typename Traits::executor>;

  explicit basic_performer(waiter& who) noexcept : waiter_(who) {}
  basic_performer(const basic_performer&) = delete;
  basic_performer& operator=(const basic_performer&) = delete;
  ~basic_performer() = default;

  // --- for leaves --------------------------------------------------------------------------------

  /// Commits with the first node of `others` that can be committed, and is not ours (O-12). Under
  /// the lock of the object. The caller moves the value to or from the leaf that is returned,
  /// after the unlock, and then calls wake(). Without one: null, and `lost` if that is the reason.
  [[nodiscard]] leaf* commit_with(wait_list_of<Traits>& others, leaf& mine, bool& lost) {
    for (node* n = others.front(); n != nullptr; n = n->next) {
      if (n->who == &waiter_) continue;
      pairing got = pairing::gone;
      if (linked_) {
        got = commit_pair(party{waiter_, armed_, mine.node.arm}, party{*n->who, n->armed, n->arm});
      } else {
        got = commit_alone(*n->who, n->armed, n->arm);
      }
      if (got == pairing::gone) continue;
      lost = got == pairing::lost;
      if (lost) return nullptr;
      others.remove(*n);
      chosen_ = &mine;
      return static_cast<typename leaf::wait_node*>(n)->of;
    }
    return nullptr;
  }
  /// The last access to a leaf that was committed: its waiter goes on.
  static void wake(leaf& peer) noexcept { peer.node.who->wake(); }

  /// Commits this perform alone, where an object needs no peer. Under its lock. Fails if another
  /// branch has been committed.
  [[nodiscard]] bool commit_self(leaf& mine) noexcept {
    if (linked_) {
      if (!waiter_.claim(armed_)) return false;
      waiter_.settle(armed_, mine.node.arm);
    }
    chosen_ = &mine;
    return true;
  }

  /// Links a leaf. Under the lock of the object. `List`: a wait_list, or what appends like one.
  template <class List>
  void link(leaf& mine, List& in) noexcept {
    mine.node.who = &waiter_;
    mine.node.armed = armed_;
    in.append(mine.node);
    linked_ = true;
  }
  /// As link(), for a committer that needs no list of the leaf: a timer, a watch, a job.
  void expect(leaf& mine) noexcept {
    mine.node.who = &waiter_;
    mine.node.armed = armed_;
    linked_ = true;
  }
  /// What a leaf expected has happened: commits it, unless the perform has ended otherwise, and
  /// wakes its waiter.
  static void complete(leaf& expecting) noexcept {
    auto& who = *expecting.node.who;
    if (who.commit(expecting.node.armed, expecting.node.arm)) who.wake();
  }
  /// An OS thread performs, not a coroutine.
  bool is_thread() const noexcept { return waiter_.is_thread(); }
  /// Of an OS thread, which has no timers: it commits this leaf itself at that time (O-16). Of
  /// several the earliest; of equal ones the first (IO-5).
  void expire_at(leaf& mine, std::int64_t at_ns) noexcept {
    if (at_ns >= expires_ns_) return;
    expires_ns_ = at_ns;
    expiring_ = mine.node.arm;
  }
  /// Numbers a leaf before it is tried with an armed waiter. Fails with `limit`.
  [[nodiscard]] bool number(leaf& mine) {
    if (arms_ == arms_max) {
      fail_with({errc::limit, "perform", "more than 65,534 arms"});
      return false;
    }
    mine.node.arm = static_cast<std::uint16_t>(arms_++);
    return true;
  }
  void fail_with(const error& why) noexcept { failure_ = why; }

  // --- for perform -------------------------------------------------------------------------------
  // `List`: a branch_list, or the list of one leaf whose type is known.

  /// Phase 1, in the order of `tries`.
  progress attempt(std::span<branch* const> tries) {
    for (branch* const b : tries) {
      if (const progress got = b->attempt(*this); got != progress::none) return got;
    }
    return progress::none;
  }
  /// Phase 2. `lost` as `none`: wait() tells by whom. After `again`, restart().
  template <class List>
  progress enlist(const List& all) {
    armed_ = waiter_.arm();
    is_armed_ = true;
    for (auto* b = all.first(); b != nullptr; b = all.after(*b)) {
      const progress got = b->enlist(*this);
      if (got == progress::lost) return progress::none;
      if (got != progress::none) return got;
    }
    return progress::none;
  }
  /// Phase 3. False if it was cancelled. If nothing is chosen then, restart().
  template <class List>
  bool wait(const List& all) {
    const std::uint16_t arm = expires_ns_ == INT64_MAX
                                  ? waiter_.wait()
                                  : waiter_.wait_until(armed_, expiring_, expires_ns_);
    return end_wait(all, arm);
  }
  /// The end of phase 3, with the arm that ended it.
  template <class List>
  bool end_wait(const List& all, std::uint16_t arm) noexcept {
    is_armed_ = false;
    return choose(all, arm);
  }
  /// Phase 4, and on an exception out of the others. No peer accesses this perform afterwards. A
  /// commit that nobody has taken yet stays one.
  template <class List>
  void leave(const List& all) noexcept {
    if (is_armed_) {
      is_armed_ = false;
      if (chosen_ != nullptr) {
        waiter_.disarm_settled();  // Or nobody knew this waiter yet.
      } else {
        choose(all, waiter_.withdraw());
      }
    }
    for (auto* b = all.first(); b != nullptr; b = all.after(*b)) b->delist();
  }
  /// Before phase 1 is tried once more. True if a peer has committed an arm after all.
  template <class List>
  [[nodiscard]] bool restart(const List& all) noexcept {
    leave(all);
    arms_ = 0;  // Each leaf gets the same number again.
    linked_ = false;
    return chosen_ != nullptr;
  }
  /// After leave(), also on an abandoned stack.
  template <class List>
  void pass_on(const List& all) noexcept {
    for (auto* b = all.first(); b != nullptr; b = all.after(*b)) b->pass_on();
  }
  /// After pass_on().
  template <class List>
  void end(const List& all) noexcept {
    for (auto* b = all.first(); b != nullptr; b = all.after(*b)) b->end(chosen_);
  }
  /// From a cancellation callback that is registered between enlist() and leave(): then this
  /// waiter claims nothing any more.
  void cancel() noexcept {
    if (waiter_.commit(armed_, arm_cancelled)) waiter_.wake();
  }
  leaf* chosen() const noexcept { return chosen_; }
  bool has_failed() const noexcept { return failure_.has_value(); }
  /// After progress::failed.
  const error& failure() const noexcept {
    BAST_ASSERT(has_failed());
    return *failure_;  // NOLINT(bugprone-unchecked-optional-access): since fail_with()
  }

 private:
  template <class List>
  bool choose(const List& all, std::uint16_t arm) noexcept {
    if (arm == arm_cancelled) return false;
    if (arm == arm_retry) return true;
    for (auto* b = all.first(); b != nullptr && chosen_ == nullptr; b = all.after(*b)) {
      chosen_ = b->leaf_of(arm);
    }
    return true;
  }

  waiter& waiter_;
  std::uint64_t armed_ = 0;
  std::size_t arms_ = 0;
  std::int64_t expires_ns_ = INT64_MAX;  // of an OS thread: no deadline
  std::uint16_t expiring_ = arm_cancelled;
  bool is_armed_ = false;
  bool linked_ = false;
  leaf* chosen_ = nullptr;
  std::optional<error> failure_;
};

}  // namespace bast::inline BAST_ABI::internal
