// SPDX-License-Identifier: Apache-2.0
//
// `runtime_core`: the workers of one runtime, its end, and what the rest of the process may do with
// it.
//
//   I1  A fiber is counted as spawned before it can run, and as ended after its worker's last
//       access to its record. So when, read in this order, the sums of ended and of spawned are
//       equal, no fiber exists and none can spawn another.
//   I2  A thread that is no worker of this runtime is a guest: it counts itself in before it passes
//       something to a worker, and out after its last access. The workers end after the last guest
//       has left, and later ones are turned away (idle.hpp).
//   I3  Workers wake each other, the last time in stop(). So each of them keeps what that needs
//       until all have left their loops: another may be about to wake it.
#pragma once

#include <memory>
#include <vector>

#include "bast/sched/failure.hpp"
#include "bast/sched/options.hpp"
#include "bast/sched/worker.hpp"

namespace bast::inline BAST_ABI::internal {

/// The default of run_options::unhandled: one line on standard error.
void write_untaken(void* context, failure&& untaken) noexcept;

class runtime_core : public std::enable_shared_from_this<runtime_core> {
 public:
  /// Errors: `invalid`, naming the option; no_memory.
  [[nodiscard]] static result<std::shared_ptr<runtime_core>> create(
      const run_options& options) noexcept;
  explicit runtime_core(run_options options) noexcept : options_(std::move(options)) {}
  runtime_core(const runtime_core&) = delete;
  runtime_core& operator=(const runtime_core&) = delete;
  ~runtime_core();

  const run_options& options() const noexcept { return options_; }

  // --- the thread that runs it -------------------------------------------------------------------

  /// The calling thread becomes worker 0, and the threads of the others are started. Errors: those
  /// of worker::open, `limit` (threads). After an error it must be destroyed.
  [[nodiscard]] result<void> begin() noexcept;
  /// Runs until no fiber is left, and ends the workers.
  void finish() noexcept;
  /// After begin() has failed: guests find it closed, and the fibers that they have spawned fail.
  void fail_arrived(const error& why) noexcept;
  /// The workers have stopped: joins their threads.
  void end() noexcept;
  /// After begin(), without a main fiber: cancels what was spawned all the same, and ends.
  void end_unused() noexcept;
  worker& first() noexcept { return *workers_.front(); }
  /// A worker's thread that has left its loop: waits until all have (I3).
  void leave_together() noexcept;
  cancel_source& root() noexcept {
    return *root_;  // NOLINT(bugprone-unchecked-optional-access): since create()
  }

  // --- workers -----------------------------------------------------------------------------------

  bool is_stopping() const noexcept {
    // Acquire: pairs with the release in end_if_over().
    return stopping_.load(std::memory_order_acquire);
  }
  /// A worker that has nothing to do: cancels the daemons if only those are left, and stops all if
  /// nobody is.
  void end_if_over() noexcept;
  void main_ended(bool failed) noexcept;
  /// True if no fiber is left, daemons among them or not.
  bool none_is_left(bool daemons_count) const noexcept;
  std::size_t size() const noexcept { return workers_.size(); }
  worker& at(std::size_t index) noexcept { return *workers_[index]; }
  thread_pool& blocking() noexcept {
    return *blocking_;  // NOLINT(bugprone-unchecked-optional-access): since create()
  }
  worker_group* group(const char* name) noexcept;
  const std::vector<stack_class_options>& stack_classes() const noexcept { return stack_classes_; }
  /// As fiber_record::stack_class. Errors: `invalid` (no class has that name).
  [[nodiscard]] result<std::uint8_t> stack_class(const char* name) const noexcept;
  /// A failure that no joiner takes: one of the suppressed if main has failed.
  void report(failure&& untaken) noexcept;
  /// After finish(): the suppressed ones.
  failures take_failures() noexcept { return std::move(untaken_); }
  bool owns(const worker* asked) const noexcept {
    return asked != nullptr && &asked->core() == this;
  }

  // --- any thread --------------------------------------------------------------------------------

  // I2
  basic_guest_list<os::real_atomics>& guests() noexcept { return guests_; }
  /// A record for a guest. Null: `why`.
  fiber_record* take_guest_record(error& why) noexcept;
  void submit_of_guest(worker_group& group, fiber_record& f) noexcept;
  /// Passes an unstarted fiber to a worker of the group.
  void submit_to(worker_group& group, fiber_record& f) noexcept;
  worker_group& default_group() noexcept { return *groups_.front(); }
  bool is_forked() const noexcept { return process_.is_forked(); }

 private:
  /// run_options::stop cancels the root, from begin() to end().
  struct stop_registration : cancel_registration {
    explicit stop_registration(const cancel_source& of) noexcept
        : cancel_registration(fired), root(of) {}
    static void fired(real_record& record, const cancel_reason& why) noexcept {
      (void)registration_of<stop_registration>(record).root.cancel(why);
    }
    const cancel_source& root;
  };
  struct starting;
  result<void> make_workers();
  void run_thread(worker& mine) noexcept;
  void stop() noexcept;
  void join() noexcept;

  run_options options_;
  std::vector<stack_class_options> stack_classes_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::unique_ptr<worker_group>> groups_;
  std::vector<os::thread> threads_;  // of all workers but the first
  starting* starting_ = nullptr;     // within begin()
  std::optional<cancel_source> root_;
  std::optional<stop_registration> stop_registration_;
  failures untaken_;          // by report_lock_
  bool main_failed_ = false;  // by report_lock_
  os::lock report_lock_;
  os::fork_mark process_ = os::fork_mark::here();

  os::lock guest_lock_;
  record_slab* guest_slab_ = nullptr;
  std::optional<thread_pool> blocking_;
  tally guest_spawned_, guest_daemons_;  // written under guest_lock_
  std::atomic<std::uint32_t> next_worker_{0};

  std::atomic<bool> main_ended_{false};
  std::atomic<bool> stopping_{false};
  padded<std::atomic<bool>> is_ending_;
  std::atomic<std::size_t> in_loops_{0};  // I3: threads that may wake a worker
  basic_guest_list<os::real_atomics> guests_;
};

}  // namespace bast::inline BAST_ABI::internal
