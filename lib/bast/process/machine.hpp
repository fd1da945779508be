// SPDX-License-Identifier: Apache-2.0
//
// `process_machine`: follows started children to their end. Pure: it makes no kernel call. It is
// told what happened, and says what it wants done; whoever runs an event loop of any kind does it.
// epoll_adapter and uring_adapter are two such loops.
//
//   machine.tick(now);
//   auto id = machine.start({.pid = pid, .pidfd = pidfd, .output_pipe = fd, .finished = done});
//   while (const operation* wanted = machine.next()) {
//     if (!queue_has_room()) { machine.refused(); break; }  // it is offered again
//     const operation op = *wanted;
//     machine.sent();
//     if (is_immediate(op.kind)) machine.complete(op.user_data, perform(op));
//     else submit(op);                                      // and complete() when it completes
//   }
//
// For each process: output is read as it comes, the pidfd is polled, the exit is observed, what is
// left of the group is killed if asked, the child is reaped, the streams get drain_grace to end,
// everything in flight is cancelled and waited for, the descriptors are closed, and `finished` is
// called. A timeout, a `cancel` or a limit sends SIGTERM and, after the grace, SIGKILL; a leader
// that has ended is not reaped before its group has, or was killed.
//
// Owned by one thread; only `request_cancel` may be called by others. Memory is allocated by `init`
// and for captured output; when that fails, the stream ends with ENOMEM and the process goes on.
//
// In a child that the host forks, the machine's children and descriptors are the parent's. There it
// is idle and wants nothing, whatever happens changes nothing, `start`, `cancel` and `take` answer
// `forked`, and its end frees memory only (IO-15).
//
// Source: semantics.md P-10 .. P-16, P-21, P-22.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "bast/base.hpp"
#include "bast/os.hpp"
#include "bast/process/machine_operation.hpp"
#include "bast/process/machine_options.hpp"
#include "bast/process/machine_slot.hpp"

namespace bast::inline BAST_ABI {

class process_machine {
 public:
  process_machine() = default;
  /// The machine must be idle (checked): the kernel may write into the buffers of what is in
  /// flight.
  ~process_machine();
  process_machine(const process_machine&) = delete;
  process_machine& operator=(const process_machine&) = delete;

  /// Once, before anything else. Errors: `invalid`, bad_state, no_memory.
  [[nodiscard]] result<void> init(const process_machine_options& options) noexcept;

  // ---- What happened.

  /// Whether one more can be followed. Errors: bad_state (no `init`); those of `start` but
  /// `invalid`.
  [[nodiscard]] result<void> has_room() const noexcept;
  /// Follows a child, and owns its descriptors from here on. On an error they stay the caller's.
  /// Allocates nothing. Errors: `invalid`, `limit` (processes_max), shutdown, forked.
  [[nodiscard]] result<process_id> start(const process_start& child) noexcept;
  /// An operation completed, `status` as io_uring would say it: a count, or -errno. Whatever is not
  /// about an operation in flight is counted and changes nothing (P-22).
  void complete(std::uint64_t user_data, std::int64_t status) noexcept;
  /// The time by CLOCK_MONOTONIC. Going back is ignored.
  void tick(std::int64_t now_ns) noexcept;
  /// Stops a process (P-14), which ends by `finished` as always. Without effect when it has exited
  /// or is being stopped already. Errors: stale_handle, forked; `invalid` for the reason `exited`.
  [[nodiscard]] result<void> cancel(process_id id,
                                    process_ending reason = process_ending::cancelled) noexcept;
  /// The same from any thread, of an id that `start` returned. True when the host must be woken, by
  /// writing 1 to wake_fd: nobody did since it last looked. A stale id is without effect.
  [[nodiscard]] bool request_cancel(process_id id) noexcept;
  /// Cancels every process and starts no more. The machine is idle soon.
  void shut_down() noexcept;
  /// Keeps polling wake_fd after `shut_down` while `held`, for a host that uses it for wake-ups of
  /// its own. The machine becomes idle only after the hold has ended.
  void hold_wake(bool held) noexcept;

  // ---- What is wanted.

  /// The next operation, or null. It stays as it is until the next call of any of these.
  const operation* next() noexcept;
  /// What `next` offered is on its way.
  void sent() noexcept;
  /// There is no room for it; it is offered again.
  void refused() noexcept;
  /// When `tick` should be called at the latest, or never_ns. May be earlier than necessary.
  std::int64_t next_deadline() const noexcept { return mark_.is_forked() ? never_ns : earliest_; }

  // ---- What is there.

  /// True for every user_data of this machine; false before `init`. Pure.
  bool is_ours(std::uint64_t user_data) const noexcept {
    return slots_ != nullptr && internal::decode(user_data).magic == options_.magic;
  }
  /// Takes captured bytes before the end: how many. Under backpressure this makes room, and gives
  /// an exited process's stream drain_grace once more. Errors: stale_handle, forked.
  [[nodiscard]] result<std::size_t> take(process_id id, output_stream which,
                                         std::span<std::byte> into) noexcept;
  bool is_live(process_id id) const noexcept { return find(id) != nullptr; }
  /// What `start` was given, with -1 for descriptors that are closed; null for a stale id.
  const process_start* find_start(process_id id) const noexcept {
    const slot* const found = find(id);
    return found != nullptr ? &found->life.start : nullptr;
  }
  /// No process, and nothing in flight; or the host forked, and this is the child.
  bool idle() const noexcept {
    return (stats_.live == 0 && stats_.in_flight == 0) || mark_.is_forked();
  }
  /// `finished` is being called.
  bool is_delivering() const noexcept { return delivering_; }
  const process_machine_stats& stats() const noexcept { return stats_; }
  /// Ends the process when an invariant of machine_slot.hpp does not hold.
  void check_invariants() const noexcept;
  /// A number that changes with everything but the counts of what was ignored: for tests of P-22.
  std::uint64_t digest() const noexcept;

 private:
  using slot = internal::process_slot;
  using role = internal::role;

  slot* find(process_id id) const noexcept;
  internal::operation_table* table_of(const internal::operation_name& name) noexcept;
  std::uint16_t number_of(const slot& s) const noexcept {
    return static_cast<std::uint16_t>(&s - slots_);
  }
  template <class F>
  void for_each_live(F f) noexcept {
    for (std::size_t i = 0; i < used_; ++i) {
      if (slots_[i].live) f(slots_[i]);
    }
  }

  // machine.cpp: what comes in, and the ends.
  void completed(slot& s, role what, std::int64_t status) noexcept;
  void deliver() noexcept;
  void release(slot& s) noexcept;

  // machine_queue.cpp: what goes out.
  void enlist(slot& s) noexcept;
  void unlist_first() noexcept;
  void take_turns() noexcept;
  void offer(std::uint16_t number, internal::operation_table& table, role what) noexcept;
  void describe(slot& s, role what) noexcept;

  // machine_wake.cpp: other threads.
  void look_for_requests() noexcept;
  void advance_wake() noexcept;
  void wake_completed(role what, std::int64_t status) noexcept;

  // machine_life.cpp: from running to gone.
  void advance(slot& s) noexcept;
  void steer_stop(slot& s) noexcept;
  void steer_leader(slot& s) noexcept;
  void steer_group(slot& s) noexcept;
  void steer_timer(slot& s) noexcept;
  static void steer_closes(slot& s) noexcept;
  void exit_completed(slot& s, std::int64_t status) noexcept;
  void timer_completed(slot& s, std::int64_t status) noexcept;
  void control_completed(slot& s, std::int64_t status) noexcept;
  void observed(slot& s, std::int64_t status) noexcept;
  void signalled(slot& s, std::int64_t status) noexcept;
  void members_seen(slot& s, std::int64_t status) noexcept;
  void reaped(slot& s, std::int64_t status) noexcept;
  void leader_is_gone(slot& s) noexcept;

  // machine_output.cpp: the streams.
  void steer_stream(slot& s, output_stream which) noexcept;
  void stream_completed(slot& s, output_stream which, std::int64_t status) noexcept;

  os::fork_mark mark_;  // since init
  process_machine_options options_;
  process_machine_stats stats_;
  slot* slots_ = nullptr;  // processes_max of them, constructed up to used_
  std::size_t used_ = 0;
  slot* free_ = nullptr;          // LIFO
  slot* listed_first_ = nullptr;  // FIFO of those with something wanted
  slot* listed_last_ = nullptr;
  slot* over_first_ = nullptr;  // FIFO of those whose end is to be delivered
  slot* over_last_ = nullptr;
  bool delivering_ = false;
  bool shut_down_ = false;

  std::int64_t now_ = 0;
  std::int64_t earliest_ = never_ns;  // not later than any deadline
  std::uint32_t generation_ = 0;      // of the latest operation

  // What `next` offered: the record, which is null once anything else has happened.
  internal::operation_record* offered_ = nullptr;
  internal::operation_table* offered_table_ = nullptr;
  operation current_;

  internal::operation_table wake_;  // roles output and cancel_output, on wake_fd
  bool wake_readable_ = false;
  bool wake_is_held_ = false;
  std::uint8_t wake_failures_ = 0;
  std::uint8_t wake_tries_ = 0;  // after those, the next not before wake_retry_at_
  std::int64_t wake_retry_at_ = 0;
  std::uint64_t wake_count_ = 0;  // what an eventfd is read into

  // What other threads ask: for each slot the generation of the process to cancel.
  std::atomic<std::uint32_t>* requests_ = nullptr;
  std::atomic<bool> requested_{false};
};

}  // namespace bast::inline BAST_ABI
