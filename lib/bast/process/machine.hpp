// SPDX-License-Identifier: Apache-2.0
//
// `process_machine`: supervises started children to their end. Pure: it makes no kernel call. It
// requests operations and receives their completions from any kind of event loop; epoll_adapter and
// uring_adapter contain two.
//
//   machine.tick(now);
//   auto id = machine.start(child);                  // its pid, its pidfd, our ends of its pipes
//   while (const machine_operation* wanted = machine.next()) {
//     if (!queue_has_room()) { machine.refused(); break; }  // it is offered again
//     const machine_operation op = *wanted;
//     machine.sent();
//     if (is_immediate(op.kind)) machine.complete(op.user_data, perform(op));
//     else submit(op);                                      // and complete() when it completes
//   }
//
// For each process: it reads output as it arrives, polls the pidfd, observes the exit, kills the
// rest of the group if requested, reaps the child, gives the streams drain_grace to end, cancels
// all operations in flight and waits for them, closes the descriptors, and calls `finished`. A
// timeout, a `cancel` or a limit sends SIGTERM and, after the grace, SIGKILL. A leader that has
// ended is not reaped before its group has ended or was killed.
//
// Owned by one thread; other threads may call only `request_cancel`. Only `create` and captured
// output allocate. If memory for output runs out, the stream ends with ENOMEM and the process
// continues.
//
// In a forked child of the host, the machine's children and descriptors belong to the parent. There
// it is idle and requests nothing, completions have no effect, `start`, `cancel` and `take` fail
// with `forked`, and the destructor only frees memory (IO-15).
//
// Laws: P-10 .. P-16, P-21 .. P-23 (docs/laws.md).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "bast/base.hpp"
#include "bast/os.hpp"
#include "bast/process/machine_operation.hpp"
#include "bast/process/machine_options.hpp"
#include "bast/process/machine_slot.hpp"

namespace bast::inline BAST_ABI {

class process_machine {
 public:
  /// Creates a machine on the heap: operations in flight know its address. Allocates. Errors:
  /// `invalid`, naming the option; no_memory.
  [[nodiscard]] static result<std::unique_ptr<process_machine>> create(
      const process_machine_options& options = {}) noexcept;
  static void* operator new(std::size_t size) noexcept { return os::allocate(size); }
  static void operator delete(void* machine) noexcept { os::deallocate(machine); }

  /// Requires that the machine is idle (checked): otherwise the kernel may write into its buffers.
  ~process_machine();
  process_machine(const process_machine&) = delete;
  process_machine& operator=(const process_machine&) = delete;

  // ---- Input.

  /// Fails if there is no room for another process. Errors: those of `start` except `invalid`.
  [[nodiscard]] result<void> has_room() const noexcept;
  /// Supervises a child, and owns its descriptors from here on. On an error the caller keeps them.
  /// Allocates nothing. Errors: `invalid`, `limit` (processes_max), shutdown, forked.
  [[nodiscard]] result<process_id> start(const process_start& child) noexcept;
  /// Completes an operation; `status` is as in io_uring: a count, or -errno. A completion of no
  /// operation in flight is counted and has no effect (P-22).
  void complete(std::uint64_t user_data, std::int64_t status) noexcept;
  /// Reports the time of CLOCK_MONOTONIC. An earlier time than before is ignored.
  void tick(time_point now) noexcept;
  /// Stops a process (P-14); `finished` reports its end as usual. No effect if it has exited or is
  /// being stopped. Errors: stale_handle, forked; `invalid` for the reason `exited`.
  [[nodiscard]] result<void> cancel(process_id id,
                                    process_ending reason = process_ending::cancelled) noexcept;
  /// The same from any thread, for an id that `start` returned. Returns true if the host must be
  /// woken by writing 1 to wake_fd: no request was pending. A stale id has no effect.
  [[nodiscard]] bool request_cancel(process_id id) noexcept;
  /// Cancels every process and refuses new ones. The machine becomes idle after their end.
  void shut_down() noexcept;
  /// Keeps polling wake_fd after `shut_down` while `held`, for a host that uses it for wake-ups of
  /// its own. The machine becomes idle only after the hold has ended.
  void hold_wake(bool held) noexcept;

  // ---- Operations.

  /// The next operation, or null. Unchanged until the next call of one of these three.
  const machine_operation* next() noexcept;
  /// The host has submitted the operation that `next` returned.
  void sent() noexcept;
  /// The host has no room for it; `next` returns it again later.
  void refused() noexcept;
  /// The latest time for the next `tick`, or `never`. May be earlier than necessary.
  time_point next_deadline() const noexcept {
    return mark_.is_forked() ? never : internal::time_of(earliest_);
  }

  // ---- State.

  /// Returns true for every user_data of this machine. Pure.
  bool is_ours(std::uint64_t user_data) const noexcept {
    return internal::decode(user_data).magic == options_.magic;
  }
  /// Takes captured bytes before the end; returns their number. Under backpressure this makes room,
  /// and if the stream was full, gives that of an exited process another drain_grace, for at most
  /// the 1 MiB that a pipe may hold. Errors: stale_handle, forked.
  [[nodiscard]] result<std::size_t> take(process_id id, output_stream which,
                                         std::span<std::byte> into) noexcept;
  /// Returns true once no byte of a captured stream will come after those that `take` has; also for
  /// a stale id.
  bool has_all(process_id id, output_stream which) const noexcept;
  /// The descriptor of the input pipe, for writes. Errors: those of `want_input`.
  [[nodiscard]] result<int> input(process_id id) const noexcept;
  /// Calls `progress` when the input pipe can be written to, or its reader is gone. Errors:
  /// stale_handle; `closed` (no input pipe, or `close_input`); forked.
  [[nodiscard]] result<void> want_input(process_id id) noexcept;
  /// Closes the input pipe: the child reads the end of its input. Errors: stale_handle, forked.
  [[nodiscard]] result<void> close_input(process_id id) noexcept;
  /// Nobody will write or take any more: closes the input and the streams under backpressure, where
  /// the child's next write fails. Errors: stale_handle, forked.
  [[nodiscard]] result<void> hang_up(process_id id) noexcept;
  bool is_live(process_id id) const noexcept { return find(id) != nullptr; }
  /// The argument of `start`, with -1 for closed descriptors; null for a stale id.
  const process_start* find_start(process_id id) const noexcept {
    const slot* const found = find(id);
    return found != nullptr ? &found->life.start : nullptr;
  }
  /// Returns true if there is no process and no operation in flight, or in a forked child.
  bool idle() const noexcept {
    return (stats_.live == 0 && stats_.in_flight == 0) || mark_.is_forked();
  }
  /// Returns true while `finished` is being called.
  bool is_delivering() const noexcept { return delivering_; }
  const process_machine_stats& stats() const noexcept { return stats_; }
  /// Ends the process if an invariant of machine_slot.hpp does not hold.
  void check_invariants() const noexcept;
  /// A hash of the whole state except the counts of ignored completions: for tests of P-22.
  std::uint64_t digest() const noexcept;

 private:
  explicit process_machine(const process_machine_options& options) noexcept : options_(options) {}

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

  // machine.cpp: input and the ends.
  void completed(slot& s, role what, std::int64_t status) noexcept;
  void deliver() noexcept;
  void release(slot& s) noexcept;

  // machine_queue.cpp: operations.
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

  // machine_input.cpp: the pipe to its standard input.
  void steer_input(slot& s) noexcept;
  void input_completed(slot& s, std::int64_t status) noexcept;
  result<void> close_pipes(process_id id, static_string operation, bool outputs) noexcept;

  os::fork_mark mark_ = os::fork_mark::here();
  process_machine_options options_;
  process_machine_stats stats_;
  slot* slots_ = nullptr;  // processes_max of them, constructed up to used_
  std::size_t used_ = 0;
  slot* free_ = nullptr;          // LIFO
  slot* listed_first_ = nullptr;  // FIFO of slots that request operations
  slot* listed_last_ = nullptr;
  slot* over_first_ = nullptr;  // FIFO of slots whose end is to be delivered
  slot* over_last_ = nullptr;
  bool delivering_ = false;
  bool shut_down_ = false;

  std::int64_t now_ = 0;
  std::int64_t earliest_ = internal::never_ns;  // not later than any deadline
  std::uint32_t generation_ = 0;                // of the latest operation

  // The record that `next` returned; null after any other event.
  internal::operation_record* offered_ = nullptr;
  internal::operation_table* offered_table_ = nullptr;
  machine_operation current_;

  internal::operation_table wake_;  // roles output and cancel_output, on wake_fd
  bool wake_readable_ = false;
  bool wake_is_held_ = false;
  std::uint8_t wake_failures_ = 0;
  std::uint8_t wake_tries_ = 0;  // after these, no retry before wake_retry_at_
  std::int64_t wake_retry_at_ = 0;
  std::uint64_t wake_count_ = 0;  // the buffer for reading an eventfd

  // The requests of other threads: for each slot the generation of the process to cancel.
  std::atomic<std::uint32_t>* requests_ = nullptr;
  std::atomic<bool> requested_{false};
};

}  // namespace bast::inline BAST_ABI
