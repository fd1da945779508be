// SPDX-License-Identifier: Apache-2.0
#include "bast/process/machine_check.hpp"

#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

namespace {

const char* broken_stream(const captured_stream& stream, const operation_record& io) noexcept {
  if (io.in_flight() && stream.fd < 0) return "I2: a stream is closed with a read in flight";
  const std::size_t limit = stream.options.limit.count;
  const byte_buffer& bytes = stream.got.bytes;
  if (bytes.size() > stream.kept_max()) return "I5: more than the limit";
  if (bytes.capacity() > limit && bytes.capacity() - limit > overflow_bytes) {
    return "I5: more memory than the limit and 64 KiB";
  }
  if (!io.in_flight() || io.kind != operation_kind::read) return nullptr;
  const std::size_t free = bytes.capacity() - bytes.size();
  return stream.reading > free ? "I3: the room of a read in flight has shrunk" : nullptr;
}

}  // namespace

std::size_t count_in_flight(const operation_table& table) noexcept {
  std::size_t count = 0;
  for (const operation_record& record : table.records) count += record.in_flight() ? 1U : 0U;
  return count;
}

const char* broken_invariant(const operation_table& table, std::uint16_t number,
                             std::uint8_t magic) noexcept {
  for (std::size_t i = 0; i < roles; ++i) {
    const operation_record& record = table.records[i];
    if (!record.in_flight()) continue;
    const operation_name name = decode(record.user_data);
    if (name.magic != magic || name.what != i || name.slot != number) {
      return "I1: an operation in flight has another's name";
    }
    if (name.generation == 0) return "I1: an operation has a generation";
  }
  return nullptr;
}

const char* broken_invariant(const process_slot& s) noexcept {
  const process_life& life = s.life;
  if (s.generation == 0) return "a process has a generation";
  if (!s.live) {
    return count_in_flight(s.operations) != 0 ? "a free slot has operations in flight"  // P-22
                                              : nullptr;
  }
  const bool gone = life.leader == leader_state::gone;
  if (life.start.pidfd < 0 && !gone) return "I2: the pidfd is kept until the child is reaped";
  const operation_record& control = s.operations[role::control];
  if (gone && control.in_flight() && control.kind == operation_kind::signal) {
    return "I4: a reaped child is signalled";
  }
  if (s.operations[role::exit].in_flight() && life.start.pidfd < 0) {
    return "I2: the pidfd is closed with a poll in flight";
  }
  if (s.operations[role::input].in_flight() && life.input.fd < 0) {
    return "I2: the input is closed with a poll in flight";
  }
  const char* const output =
      broken_stream(life.streams[index_of(output_stream::output)], s.operations[role::output]);
  if (output != nullptr) return output;
  return broken_stream(life.streams[index_of(output_stream::errors)], s.operations[role::errors]);
}

const char* broken_invariant(const slot_counts& counted,
                             const process_machine_stats& stats) noexcept {
  if (counted.in_flight != stats.in_flight) return "the count of operations in flight is wrong";
  if (counted.live != stats.live) return "the count of processes is wrong";
  if (stats.started - stats.finished != counted.live) return "a process was lost";
  return counted.free + counted.live != counted.used ? "a slot was lost" : nullptr;
}

void hasher::add(const operation_table& table) noexcept {
  for (const operation_record& record : table.records) {
    add_all(record.user_data, record.target, record.state, record.kind, record.unwanted,
            record.cancel_answered, record.cancels);
  }
}

void hasher::add(const captured_stream& stream) noexcept {
  const captured_output& got = stream.got;
  add_all(stream.fd, stream.readable, stream.ended, stream.is_last, stream.after, stream.reading,
          stream.tries, stream.retry_at, got.truncated, got.error_number, got.discarded,
          got.bytes.capacity());
  for (const std::byte byte : got.bytes.span()) add_all(byte);
}

void hasher::add(const process_slot& s) noexcept {
  const process_life& life = s.life;
  add_all(s.live, s.listed, s.generation);
  add_all(life.leader, life.stop, life.ended_by, life.asked, life.over, life.group_killed,
          life.group_gone, life.group_tries);
  add_all(life.status.how, life.status.core_dumped, life.status.code);
  add_all(life.signal_wanted, life.signal_in_flight, life.signal_error, life.signal_tries);
  add_all(life.timeout_at, life.grace_at, life.drain_at, life.drains_again, life.tries,
          life.retry_at, life.armed_at, life.timer_failures, life.start.pidfd, life.closing);
  for (const captured_stream& stream : life.streams) add(stream);
  add_all(life.input.fd, life.input.wanted, life.input.ended, life.input.tries,
          life.input.retry_at);
  add(s.operations);
}

}  // namespace internal

using namespace internal;

void process_machine::check_invariants() const noexcept {
  slot_counts counted{.used = used_, .in_flight = count_in_flight(wake_)};
  const char* broken = broken_invariant(wake_, wake_slot, options_.magic);
  for (std::size_t i = 0; i < used_; ++i) {
    const slot& s = slots_[i];
    counted.in_flight += count_in_flight(s.operations);
    counted.live += s.live ? 1U : 0U;
    if (broken == nullptr) {
      broken = broken_invariant(s.operations, number_of(s), options_.magic);
    }
    if (broken == nullptr) broken = broken_invariant(s);
  }
  for (const slot* s = free_; s != nullptr; s = s->next_free) ++counted.free;
  if (broken == nullptr) broken = broken_invariant(counted, stats_);
  BAST_CHECK(broken == nullptr, broken);
}

std::uint64_t process_machine::digest() const noexcept {
  hasher h;
  for (std::size_t i = 0; i < used_; ++i) h.add(slots_[i]);
  h.add(wake_);
  h.add_all(wake_readable_, wake_is_held_, wake_retry_at_, now_, earliest_, generation_,
            stats_.in_flight, stats_.live, stats_.started, stats_.finished);
  return h.hash();
}

}  // namespace bast::inline BAST_ABI
