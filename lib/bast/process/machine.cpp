// SPDX-License-Identifier: Apache-2.0
#include "bast/process/machine.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

std::unexpected<error> internal::failed_forked(static_string operation) noexcept {
  return fail(errc::forked, operation, "the processes belong to the parent process");
}

process_machine::~process_machine() {
  BAST_CHECK(idle(),
             "a process machine is destroyed while it supervises a process, or while the "
             "kernel may write into its buffers: shut it down and run its loop first");
  for (std::size_t i = 0; i < used_; ++i) std::destroy_at(&slots_[i]);
  os::deallocate(slots_);
  os::deallocate(requests_);
}

result<std::unique_ptr<process_machine>> process_machine::create(
    const process_machine_options& options) noexcept {
  constexpr static_string operation = "process_machine.create";
  const std::size_t count = options.processes_max;
  if (count == 0 || count >= wake_slot) {
    return fail(errc::invalid, operation, "processes_max must be 1 to 65534",
                static_cast<std::int64_t>(count));
  }
  std::unique_ptr<process_machine> made(new process_machine(options));
  if (made != nullptr) {
    made->slots_ = static_cast<slot*>(os::allocate(count * sizeof(slot)));
    made->requests_ =
        static_cast<std::atomic<std::uint32_t>*>(os::allocate(count * sizeof(*requests_)));
  }
  if (made == nullptr || made->slots_ == nullptr || made->requests_ == nullptr) {
    return fail(errc::no_memory, operation, "no memory for the processes",
                static_cast<std::int64_t>(count));
  }
  for (std::size_t i = 0; i < count; ++i) std::construct_at(&made->requests_[i], 0U);
  made->advance_wake();
  return made;
}

result<void> process_machine::has_room() const noexcept {
  constexpr static_string operation = "process_machine.start";
  if (mark_.is_forked()) return failed_forked(operation);
  if (shut_down_) return fail(errc::shutdown, operation, "the machine shuts down");
  if (free_ == nullptr && used_ == options_.processes_max) {
    return fail(errc::limit, operation, "there are processes_max processes already",
                static_cast<std::int64_t>(used_));
  }
  return {};
}

result<process_id> process_machine::start(const process_start& child) noexcept {
  constexpr static_string operation = "process_machine.start";
  offered_ = nullptr;
  const auto zero = std::chrono::nanoseconds::zero();
  if (child.pid <= 0 || child.pidfd < 0) {
    return fail(errc::invalid, operation, "a child has a pid and a pidfd", child.pid);
  }
  if (child.timeout < zero || child.grace < zero || child.drain_grace < zero) {
    return fail(errc::invalid, operation, "a duration is negative", child.pid);
  }
  if (child.stop_signal < 1 || child.stop_signal > SIGRTMAX) {
    return fail(errc::invalid, operation, "the stop signal does not exist", child.stop_signal);
  }
  for (const to::capture& capture : {child.output, child.errors}) {
    if (capture.policy == on_limit::backpressure && capture.limit.count == 0) {
      return fail(errc::invalid, operation, "backpressure with a limit of 0 never reads");
    }
  }
  if (auto room = has_room(); !room) return std::unexpected(room.error());
  slot* s = free_;
  if (s != nullptr) {
    free_ = s->next_free;
  } else {
    s = std::construct_at(&slots_[used_++]);
  }
  s->live = true;
  s->next_free = nullptr;
  process_life& life = s->life;
  life.start = child;
  life.timeout_at = internal::later(now_, child.timeout);
  life.streams[index_of(output_stream::output)].fd = child.output_pipe;
  life.streams[index_of(output_stream::output)].options = child.output;
  life.streams[index_of(output_stream::errors)].fd = child.errors_pipe;
  life.streams[index_of(output_stream::errors)].options = child.errors;
  life.input.fd = child.input_pipe;
  ++stats_.started;
  stats_.peak = std::max(stats_.peak, ++stats_.live);
  const process_id id{.slot = number_of(*s), .generation = s->generation};
  advance(*s);
  return id;
}

process_machine::slot* process_machine::find(process_id id) const noexcept {
  if (id.slot >= used_) return nullptr;
  slot& s = slots_[id.slot];
  return s.live && s.generation == id.generation && !s.life.over ? &s : nullptr;
}

// ---- Completions.

operation_table* process_machine::table_of(const operation_name& name) noexcept {
  if (name.slot == wake_slot) return &wake_;
  return name.slot < used_ ? &slots_[name.slot].operations : nullptr;
}

void process_machine::complete(std::uint64_t user_data, std::int64_t status) noexcept {
  if (mark_.is_forked()) return;
  const operation_name name = decode(user_data);
  if (name.magic != options_.magic) {
    ++stats_.ignored_foreign;
    return;
  }
  operation_table* const table = table_of(name);
  if (table == nullptr || name.what >= roles) {
    ++stats_.ignored_unknown;
    return;
  }
  const auto what = static_cast<role>(name.what);
  operation_record& record = (*table)[what];
  const bool same = record.user_data == user_data || BAST_MUTANT(stale_completion_taken);
  if (!record.in_flight() || !same) {  // P-22
    ++stats_.ignored_stale;
    return;
  }
  offered_ = nullptr;
  record.state = operation_state::idle;
  --stats_.in_flight;
  if (name.what >= static_cast<std::size_t>(role::cancel_output) &&
      name.what < static_cast<std::size_t>(role::control)) {
    // Whatever a cancel returns, its target completes separately (IO-3). Only if the cancel failed
    // before it searched for the target is it requested again.
    operation_record& target = table->records[name.what - cancellable_roles];
    const bool answered = status >= 0 || status == -ENOENT || status == -EALREADY;
    if (answered && target.user_data == record.target) target.cancel_answered = true;
  }
  if (name.slot == wake_slot) {
    wake_completed(what, status);
  } else {
    slot& s = slots_[name.slot];
    completed(s, what, status);
    advance(s);
    const process_start& start = s.life.start;
    if (std::exchange(s.life.progressed, false) && start.progress != nullptr) {
      start.progress(start.context, {.slot = name.slot, .generation = s.generation});
    }
  }
  deliver();
}

void process_machine::completed(slot& s, role what, std::int64_t status) noexcept {
  switch (what) {
    case role::output: return stream_completed(s, output_stream::output, status);
    case role::errors: return stream_completed(s, output_stream::errors, status);
    case role::input: return input_completed(s, status);
    case role::exit: return exit_completed(s, status);
    case role::timer: return timer_completed(s, status);
    case role::control: return control_completed(s, status);
    default: return;  // The result of a cancel or a close has no effect.
  }
}

void process_machine::tick(time_point now) noexcept {
  offered_ = nullptr;
  if (mark_.is_forked()) return;
  if (requested_.load(std::memory_order_relaxed)) look_for_requests();
  now_ = std::max(now_, nanoseconds_of(now));
  if (now_ < earliest_) return deliver();
  earliest_ = never_ns;
  for_each_live([this](slot& s) { advance(s); });
  if (wake_retry_at_ != 0) advance_wake();
  deliver();
}

// ---- Stopping.

result<void> process_machine::cancel(process_id id, process_ending reason) noexcept {
  offered_ = nullptr;
  if (mark_.is_forked()) return failed_forked("process_machine.cancel");
  slot* const s = find(id);
  if (s == nullptr) {
    return fail(errc::stale_handle, "process_machine.cancel", "the process has ended", id.slot);
  }
  if (reason == process_ending::exited) {
    return fail(errc::invalid, "process_machine.cancel", "`exited` is no reason to stop a process");
  }
  if (s->life.asked == process_ending::exited) s->life.asked = reason;
  advance(*s);
  return {};
}

void process_machine::shut_down() noexcept {
  offered_ = nullptr;
  shut_down_ = true;
  for_each_live(
      [this](slot& s) { (void)cancel({.slot = number_of(s), .generation = s.generation}); });
  advance_wake();
}

// ---- The end.

void process_machine::deliver() noexcept {
  if (delivering_) return;
  delivering_ = true;
  while (over_first_ != nullptr) {
    slot& s = *over_first_;
    over_first_ = s.next_free;
    if (over_first_ == nullptr) over_last_ = nullptr;
    process_life& life = s.life;
    process_result out;
    out.pid = life.start.pid;
    out.ended_by = life.ended_by;
    out.status = life.status;
    out.output = std::move(life.streams[0].got);
    out.errors = std::move(life.streams[1].got);
    out.usage = life.exit.usage;
    out.signal_error = life.signal_error;
    // Whether the limit or the exit was seen first depends on microseconds. That the output
    // exceeded its limit does not.
    const bool exceeded = life.streams[0].exceeded() || life.streams[1].exceeded();
    if (exceeded && out.ended_by == process_ending::exited) out.ended_by = process_ending::limit;
    const process_id id{.slot = number_of(s), .generation = s.generation};
    const process_finished finished = life.start.finished;
    void* const context = life.start.context;
    release(s);
    if (finished != nullptr) finished(context, id, std::move(out));
  }
  delivering_ = false;
}

void process_machine::release(slot& s) noexcept {
  for (const operation_record& record : s.operations.records) {
    BAST_ASSERT(!record.in_flight());  // P-22
  }
  s.life = process_life();
  s.live = false;
  s.generation = next_generation(s.generation);
  s.next_free = free_;
  free_ = &s;
  --stats_.live;
  ++stats_.finished;
}

}  // namespace bast::inline BAST_ABI
