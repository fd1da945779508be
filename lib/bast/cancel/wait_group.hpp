// SPDX-License-Identifier: Apache-2.0
//
// `wait_group`: work that is waited for and cancelled as one, whoever does it: threads, coroutines,
// a loop's completions.
//
//   auto workers = bast::wait_group::create().value();
//   for (int i = 0; i < 4; ++i) {
//     std::thread([ticket = workers.begin()] { work(ticket.token()); }).detach();
//   }
//   workers.cancel();
//   workers.wait().value();    // every ticket is done
#pragma once

#include "bast/cancel/source.hpp"
#include "bast/coro.hpp"

namespace bast {

namespace internal {
struct wait_group_core;
}

/// A member's part of a wait_group. Done exactly once: when it is destroyed, by done(), or with the
/// stack that it lies on, when that is abandoned (F-12). Movable; belongs to one thread at a time.
class [[nodiscard]] ticket : private internal::abandonable {
 public:
  ticket(const ticket&) = delete;
  ticket& operator=(const ticket&) = delete;
  ticket(ticket&& other) noexcept : abandonable(abandoned) { take(other); }
  ticket& operator=(ticket&& other) noexcept {
    if (this != &other) {
      done();
      take(other);
    }
    return *this;
  }
  ~ticket() { done(); }

  /// The member has ended. The last one wakes whoever waits, and runs none of their code. Nothing
  /// happens the second time.
  void done() noexcept;
  /// Fires when the group is cancelled; never, once done.
  cancel_token token() const noexcept;

 private:
  friend class wait_group;
  ticket() noexcept : abandonable(abandoned) {}
  explicit ticket(internal::wait_group_core& core) noexcept : abandonable(abandoned), core_(&core) {
    mark();
  }
  void take(ticket& other) noexcept {
    core_ = std::exchange(other.core_, nullptr);
    other.unmark();
    if (core_ != nullptr) mark();
  }
  static void abandoned(internal::abandonable& self) noexcept { static_cast<ticket&>(self).done(); }
  internal::wait_group_core* core_ = nullptr;
};

/// Thread-safe but for moving and destruction. One that was moved from has no members and is never
/// cancelled, and its tickets are done from the start. Destroying one while a member is at work
/// ends the process: the member would go on with a group that is gone. Once it is seen idle,
/// or a wait has succeeded, it may be destroyed, whoever else still comes back from a wait (Y-14).
/// In a forked child it has no members, and its end frees memory only (IO-15).
///
/// Whoever owns one waits for it whatever happens, and so shields that wait:
///
///   const bast::cancel_binding shielded({});
///   workers.wait().value();
///
/// A coroutine that is released there would be unwound without its members: let it end instead.
class [[nodiscard]] wait_group {
 public:
  /// Below `parent` in the tree of cancellation, or alone. Allocates. Errors: no_memory, bad_state.
  [[nodiscard]] static result<wait_group> create() noexcept;
  [[nodiscard]] static result<wait_group> create(const cancel_source& parent) noexcept;

  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;
  wait_group(wait_group&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  wait_group& operator=(wait_group&& other) noexcept;
  ~wait_group();

  /// A member more; legal at any time, so that what was started is always waited for. Members of a
  /// cancelled group see that at their first look.
  ticket begin() const noexcept;
  /// Members that are not done.
  std::size_t active() const noexcept;
  bool is_idle() const noexcept { return active() == 0; }

  /// Asks all members to end; true for the one call that did (C-2). Waits for nobody.
  bool cancel(const cancel_reason& why = {}) const noexcept;
  cancel_token token() const noexcept;

  /// Until the group is idle; what members did before is then visible. Everybody who waits when
  /// the last member is done comes back, whatever begins afterwards (Y-11). Blocks an OS thread; a
  /// coroutine waits, and is continued by the loop of its thread (ready_queue). Ends early when the
  /// token fires that governs the coroutine or the thread; then the group is as if nobody had
  /// waited (C-10, C-11). Throws forced_unwind when the coroutine is released meanwhile. Allocates
  /// nothing. A thread that waits for members of a loop of its own never comes back. Errors:
  /// cancelled; not_in_fiber, in a coroutine that nobody would continue; bad_state, in a
  /// cancellation callback that runs in a coroutine; forked.
  [[nodiscard]] result<void> wait() const;

 private:
  explicit wait_group(internal::wait_group_core* core) noexcept : core_(core) {}
  [[nodiscard]] static result<wait_group> create_with(result<cancel_source> source) noexcept;
  internal::wait_group_core* core_;
};

}  // namespace bast
