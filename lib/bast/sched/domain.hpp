// SPDX-License-Identifier: Apache-2.0
//
// `cancel_domain`: fibers, and parts of fibers, that are cancelled together, on whichever workers
// they are. A wait registers nothing: who cancels sends one message to each worker that has fibers
// of the domain, and that worker ends their waits between two fibers.
//
//        cancel, on any thread                       the worker of some of its fibers
//     marks the node and those below (C-4)
//     fired(): a message to each worker    ->     look(): ends the waits of those fibers
//
//   I1  A fiber is in one list: that of the innermost domain that it is in, on its worker. Only its
//       worker changes the list.
//   I2  A worker announces its list to the domain before it starts the first fiber in it. Who
//       cancels marks the node before it reads the announced lists (announced.hpp). So a fiber is
//       found, or finds the mark at its first checkpoint.
//   I3  A domain fires once, so each list is sent once. The domain's end does not wait for a worker
//       that has not looked yet: the message is then the worker's, and it frees the list.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "bast/cancel.hpp"
#include "bast/io.hpp"
#include "bast/sched/announced.hpp"

namespace bast::inline BAST_ABI::internal {

class fiber_scope;
class worker;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final
struct fiber_record;

/// What governs a fiber whose waits its worker ends.
struct domain_attachment : coro_attachment {
  fiber_scope* scope = nullptr;  // where spawn() goes; null: to that of `outer`
};

/// The fibers of a domain on one worker.
struct domain_fibers {
  explicit domain_fibers(worker* on) noexcept : where(on) {}
  worker* where;
  /// Below the domain's source: domains that are opened by these fibers are children of this one,
  /// so that those of several workers do not meet at one lock, nor as siblings. Empty at home while
  /// there is no other worker.
  std::optional<cancel_source> branch;
  fiber_record* newest = nullptr;
  domain_fibers* other = nullptr;  // of the same domain, on another worker
  domain_fibers* next = nullptr;   // in the worker's inbox
  basic_list_message<os::real_atomics> message;
};

class cancel_domain : public domain_attachment {
 public:
  /// Not open yet. `members`: as domain_attachment::scope.
  cancel_domain(fiber_scope* members, worker& home) noexcept;
  cancel_domain(const cancel_domain&) = delete;
  cancel_domain& operator=(const cancel_domain&) = delete;
  ~cancel_domain();

  /// On its home worker: below what governs the running fiber, which it may not outlive. Errors:
  /// no_memory.
  [[nodiscard]] result<void> open(const cancel_source_options& options) noexcept;
  /// Any thread: below another one, at home on the same worker; or if that is null, below none:
  /// cancelled by nothing but itself. Errors: no_memory.
  [[nodiscard]] result<void> open_below(const cancel_domain* above) noexcept;
  bool is_open() const noexcept { return source_.has_value(); }
  /// On the same worker, when no fiber is in it.
  void close() noexcept;

  /// The running fiber's own code goes on in it, up to leave(). On the home worker.
  void enter() noexcept;
  void leave() noexcept;

  /// The list on this worker, which has one after reserve().
  domain_fibers& fibers_on(const worker& w) noexcept;
  /// Where domains within are opened on this worker, which has a list.
  const cancel_source& branch_on(const worker& w) noexcept;
  /// False: no memory. On that worker.
  [[nodiscard]] bool reserve(worker& w) noexcept;

  const cancel_source& cancels() const noexcept {
    return *source_;  // NOLINT(bugprone-unchecked-optional-access): while it is open
  }
  /// When it cancels itself, with this code; on its home worker. One that has passed cancels within
  /// the call.
  void set_deadline(time_point at, cancel_code code = cancel_code::deadline) noexcept;
  bool is_at_home() const noexcept;
  /// True once it was cancelled, and not because what is around it was (C-15).
  bool has_cancelled_itself() const noexcept;

  /// Ends the waits of these, on their worker.
  static void end_waits(fiber_record* newest, worker& of) noexcept;
  /// Handles a message, on its worker.
  static void handle(domain_fibers& sent, worker& here) noexcept;

 private:
  struct registration : cancel_registration {
    explicit registration(cancel_domain& of) noexcept : cancel_registration(fired), domain(of) {}
    static void fired(real_record& record, const cancel_reason& why) noexcept;
    cancel_domain& domain;
  };
  /// Cancels it when a token fires that is no ancestor in the tree: that of a cancel_binding.
  struct binding_link : cancel_registration {
    explicit binding_link(cancel_domain& of) noexcept : cancel_registration(fired), domain(of) {}
    static void fired(real_record& record, const cancel_reason& why) noexcept;
    cancel_domain& domain;
  };
  struct deadline_timer : loop_timer {
    explicit deadline_timer(cancel_domain& of) noexcept : domain(of) { expired = expire; }
    static void expire(loop_timer& self) noexcept;
    cancel_domain& domain;
  };

  [[nodiscard]] result<void> begin(result<cancel_source> made) noexcept;
  static void send(domain_fibers& to) noexcept;
  domain_fibers* find(const worker& w) noexcept;
  void cancel_overdue() noexcept;

  worker& where_;  // its home
  std::optional<cancel_source> source_;
  basic_announced_lists<os::real_atomics, domain_fibers> others_;
  registration registration_;
  std::optional<binding_link> binding_link_;
  deadline_timer timer_;
  cancel_code overdue_ = cancel_code::deadline;
  // Its home writes what follows whenever a fiber comes or goes, and the others read what is above:
  // on another cache line, whatever the alignment.
  [[maybe_unused]] std::byte line_between_[64];
  domain_fibers home_;
};

/// A domain that is made when it is first needed, on any worker, and ends with this one, at home.
class late_domain {
 public:
  late_domain(fiber_scope& members, worker& home) noexcept : members_(members), home_(home) {}
  late_domain(const late_domain&) = delete;
  late_domain& operator=(const late_domain&) = delete;
  ~late_domain();

  /// For `operation`: below `above`, or if that is null, below none. Errors: no_memory.
  [[nodiscard]] result<void> reserve(const cancel_domain* above, static_string operation) noexcept;
  /// Null before reserve().
  cancel_domain* get() const noexcept {
    // Acquire: pairs with the release in reserve().
    return made_.load(std::memory_order_acquire);
  }

 private:
  fiber_scope& members_;
  worker& home_;
  os::lock lock_;
  std::atomic<cancel_domain*> made_{nullptr};  // written under the lock
};

}  // namespace bast::inline BAST_ABI::internal
