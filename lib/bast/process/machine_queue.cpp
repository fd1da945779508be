// SPDX-License-Identifier: Apache-2.0
//
// The operations that a process machine requests. No queue of operations could overflow or become
// stale: processes with requests are in a list, and an operation is filled in when it is handed
// out.
#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

void process_machine::enlist(slot& s) noexcept {
  if (s.listed) return;
  s.listed = true;
  s.next_listed = nullptr;
  (listed_last_ == nullptr ? listed_first_ : listed_last_->next_listed) = &s;
  listed_last_ = &s;
}

void process_machine::unlist_first() noexcept {
  slot& s = *listed_first_;
  listed_first_ = s.next_listed;
  if (listed_first_ == nullptr) listed_last_ = nullptr;
  s.listed = false;
}

const machine_operation* process_machine::next() noexcept {
  offered_ = nullptr;
  if (mark_.is_forked()) return nullptr;
  for (const role what : {role::output, role::cancel_output}) {
    if (wake_[what].state != operation_state::wanted) continue;
    offer(wake_slot, wake_, what);
    current_.fd = options_.wake_fd;
    current_.buffer = reinterpret_cast<std::byte*>(&wake_count_);
    current_.length = sizeof wake_count_;
    return &current_;
  }
  while (listed_first_ != nullptr) {
    slot& s = *listed_first_;
    for (std::size_t i = 0; i < roles; ++i) {
      if (s.operations.records[i].state != operation_state::wanted) continue;
      offer(number_of(s), s.operations, static_cast<role>(i));
      describe(s, static_cast<role>(i));
      return &current_;
    }
    unlist_first();
  }
  return nullptr;
}

void process_machine::offer(std::uint16_t number, operation_table& table, role what) noexcept {
  const operation_record& record = table[what];
  current_ = machine_operation();
  current_.kind = record.kind;
  current_.user_data = encode({.magic = options_.magic,
                               .what = static_cast<std::uint8_t>(what),
                               .slot = number,
                               .generation = next_generation(generation_)});
  if (record.kind == operation_kind::cancel) {
    const operation_record& target = *target_of(table, what);
    current_.target = target.user_data;
    current_.target_kind = target.kind;
  }
  offered_ = &table[what];
  offered_table_ = &table;
}

/// Fills in the operation of this role.
void process_machine::describe(slot& s, role what) noexcept {
  process_life& life = s.life;
  captured_stream& output = life.streams[index_of(output_stream::output)];
  captured_stream& errors = life.streams[index_of(output_stream::errors)];
  switch (what) {
    case role::output:
    case role::errors: {
      captured_stream& stream = what == role::output ? output : errors;
      current_.fd = stream.fd;
      if (current_.kind == operation_kind::poll) return;
      const std::span<std::byte> room = stream.room();
      current_.buffer = room.data();
      current_.length = stream.reading = static_cast<std::uint32_t>(room.size());
      return;
    }
    case role::cancel_output: current_.fd = output.fd; return;
    case role::cancel_errors: current_.fd = errors.fd; return;
    case role::input:
    case role::cancel_input: current_.fd = life.input.fd; return;
    case role::exit:
    case role::cancel_exit: current_.fd = life.start.pidfd; return;
    case role::timer:
      current_.due = time_of(life.armed_at);
      current_.deadline = &life.armed;
      return;
    case role::cancel_timer: return;
    case role::control:
      current_.fd = life.start.pidfd;
      current_.exit = &life.exit;
      if (current_.kind == operation_kind::observe) return;
      current_.group = life.start.own_group ? life.start.pid : 0;
      if (current_.kind != operation_kind::signal) return;
      current_.signal = life.signal_in_flight = life.signal_wanted;
      return;
    case role::close: current_.fd = life.closing; return;
  }
}

void process_machine::sent() noexcept {
  BAST_CHECK(offered_ != nullptr, "sent() comes right after next(), before anything else");
  operation_record& record = *offered_;
  offered_ = nullptr;
  BAST_ASSERT(record.state == operation_state::wanted);
  const auto what = static_cast<role>(&record - offered_table_->records.data());
  record.user_data = current_.user_data;
  record.target = current_.target;
  record.state = operation_state::in_flight;
  record.unwanted = false;
  record.cancel_answered = false;
  record.cancels = 0;
  generation_ = decode(current_.user_data).generation;
  ++stats_.in_flight;
  take_turns();
  if (record.kind == operation_kind::cancel) ++target_of(*offered_table_, what)->cancels;
  if (record.kind == operation_kind::close) {
    // I2: from here on the descriptor is gone.
    process_life& life = slots_[decode(current_.user_data).slot].life;
    for (captured_stream& stream : life.streams) {
      if (stream.fd == life.closing) stream.fd = -1;
    }
    if (life.input.fd == life.closing) life.input.fd = -1;
    if (life.start.pidfd == life.closing) life.start.pidfd = -1;
  }
}

/// Moves the served process to the end of the list, so that a child that writes endlessly does not
/// starve the others.
void process_machine::take_turns() noexcept {
  if (offered_table_ == &wake_) return;
  slot& s = *listed_first_;
  BAST_ASSERT(&s.operations == offered_table_);
  unlist_first();
  for (const operation_record& record : s.operations.records) {
    if (record.state == operation_state::wanted) return enlist(s);
  }
}

void process_machine::refused() noexcept {
  BAST_CHECK(offered_ != nullptr, "refused() comes right after next(), before anything else");
  offered_ = nullptr;
  ++stats_.refusals;
}

}  // namespace bast::inline BAST_ABI
