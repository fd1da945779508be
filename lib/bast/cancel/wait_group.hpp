// SPDX-License-Identifier: Apache-2.0
//
// `wait_group`: a set of tasks that is awaited and cancelled as a whole: threads, coroutines,
// completions of an event loop.
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

namespace bast::inline BAST_ABI {

namespace internal {
struct wait_group_core;
}

/// One member of a wait_group. Done exactly once: by done(), by its destructor, or when the stack
/// that holds it is abandoned (F-12). Movable; belongs to one thread at a time.
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

  /// Ends the member. The last member wakes all waiters, without running their code. A second call
  /// has no effect.
  void done() noexcept;
  /// The token of the group; one that never fires after done().
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

/// Thread-safe except for moves and destruction. A moved-from group has no members and is never
/// cancelled; its tickets are done from the start. Destroying a group with an active member ends
/// the process. After is_idle() or wait() has succeeded, the group may be destroyed, even
/// while other callers are returning from wait() (Y-14). In a forked child it has no members, and
/// its destructor only frees memory (IO-15).
///
/// The owner must wait on every path, so it shields that wait from its own cancellation:
///
///   const bast::cancel_binding shielded({});
///   workers.wait().value();
///
/// Do not release a coroutine in this wait: its group would be unwound with active members.
class [[nodiscard]] wait_group {
 public:
  /// With a cancel source of its own, below `parent` if given. Allocates. Errors: no_memory,
  /// bad_state.
  [[nodiscard]] static result<wait_group> create() noexcept;
  [[nodiscard]] static result<wait_group> create(const cancel_source& parent) noexcept;

  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;
  wait_group(wait_group&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  wait_group& operator=(wait_group&& other) noexcept;
  ~wait_group();

  /// Adds a member, at any time, also after a cancel: its token has then fired.
  ticket begin() const noexcept;
  /// The number of members that are not done.
  std::size_t active() const noexcept;
  bool is_idle() const noexcept { return active() == 0; }

  /// Requests all members to end; returns true for the one call that did (C-2). Does not wait.
  bool cancel(const cancel_reason& why = {}) const noexcept;
  cancel_token token() const noexcept;

  /// Waits until the group is idle; the work of its members happens before the return. When the
  /// last member is done, all waiters return, even if new members begin at once (Y-11). Blocks an
  /// OS thread; suspends a coroutine until the loop of its thread resumes it (ready_queue). Ends
  /// early when the token that governs the coroutine or thread fires, without a trace in the group
  /// (C-10, C-11). Throws forced_unwind if the coroutine is released. Allocates nothing. Deadlocks
  /// if a thread waits for members that run on its own loop. Errors: cancelled; not_in_fiber (a
  /// coroutine without a ready_queue); bad_state (a cancellation callback inside a coroutine);
  /// forked.
  [[nodiscard]] result<void> wait() const;

 private:
  explicit wait_group(internal::wait_group_core* core) noexcept : core_(core) {}
  [[nodiscard]] static result<wait_group> create_with(result<cancel_source> source) noexcept;
  internal::wait_group_core* core_;
};

}  // namespace bast::inline BAST_ABI
