// SPDX-License-Identifier: Apache-2.0
//
// Everything that is true of a process machine, at any moment.
#include "bast/process/machine.hpp"

namespace bast {

using namespace internal;

namespace {

/// FNV-1a, by words instead of bytes.
class hasher {
 public:
  template <class T>
  void add(T value) noexcept {
    hash_ = (hash_ ^ static_cast<std::uint64_t>(value)) * 0x100000001b3;
  }
  std::uint64_t hash() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

void add(hasher& h, const operation_table& table) noexcept {
  for (const operation_record& record : table.records) {
    h.add(record.user_data);
    h.add(record.target);
    h.add(record.state);
    h.add(record.kind);
    h.add(record.unwanted);
    h.add(record.cancel_answered);
    h.add(record.cancels);
  }
}

void add(hasher& h, const captured_stream& stream) noexcept {
  h.add(stream.fd);
  h.add(stream.readable);
  h.add(stream.ended);
  h.add(stream.reading);
  h.add(stream.tries);
  h.add(stream.retry_at);
  h.add(stream.got.truncated);
  h.add(stream.got.error_number);
  h.add(stream.got.discarded);
  h.add(stream.got.bytes.capacity());
  for (const std::byte byte : stream.got.bytes.span()) h.add(byte);
}

void add(hasher& h, const process_life& life) noexcept {
  h.add(life.leader);
  h.add(life.stop);
  h.add(life.ended_by);
  h.add(life.asked);
  h.add(life.status.how);
  h.add(life.status.code);
  h.add(life.signal_wanted);
  h.add(life.signal_in_flight);
  h.add(life.signal_error);
  h.add(life.group_killed);
  h.add(life.over);
  h.add(life.drains_again);
  h.add(life.tries);
  h.add(life.signal_tries);
  h.add(life.timer_failures);
  h.add(life.start.pidfd);
  h.add(life.closing);
  for (const std::int64_t at :
       {life.timeout_at, life.grace_at, life.drain_at, life.retry_at, life.armed_at}) {
    h.add(at);
  }
  for (const captured_stream& stream : life.streams) add(h, stream);
}

std::size_t check_table(const operation_table& table, std::uint16_t number,
                        std::uint8_t magic) noexcept {
  std::size_t in_flight = 0;
  for (std::size_t i = 0; i < roles; ++i) {
    const operation_record& record = table.records[i];
    if (!record.in_flight()) continue;
    ++in_flight;
    const operation_name name = decode(record.user_data);
    BAST_CHECK(name.magic == magic && name.what == i && name.slot == number, "I1");
    BAST_CHECK(name.generation != 0, "I1: an operation has a generation");
  }
  return in_flight;
}

void check_life(const process_slot& s) noexcept {
  const process_life& life = s.life;
  const bool gone = life.leader == leader_state::gone;
  BAST_CHECK(life.start.pidfd >= 0 || gone, "I2: the pidfd is kept until the child is reaped");
  const bool signals = s.operations[role::control].in_flight() &&
                       s.operations[role::control].kind == operation_kind::signal;
  BAST_CHECK(!signals || !gone, "I4: a reaped child is signalled");
  BAST_CHECK(!s.operations[role::exit].in_flight() || life.start.pidfd >= 0, "I2");
  for (const output_stream which : {output_stream::output, output_stream::errors}) {
    const captured_stream& stream = life.streams[index_of(which)];
    const role what = which == output_stream::output ? role::output : role::errors;
    const operation_record& io = s.operations[what];
    BAST_CHECK(!io.in_flight() || stream.fd >= 0, "I2: a stream is closed with a read in flight");
    BAST_CHECK(stream.got.bytes.size() <= stream.options.limit.count, "I5: more than the limit");
    const std::size_t beyond = stream.got.bytes.capacity() > stream.options.limit.count
                                   ? stream.got.bytes.capacity() - stream.options.limit.count
                                   : 0;
    BAST_CHECK(beyond <= overflow_bytes, "I5: more memory than the limit and 64 KiB");
    if (!io.in_flight() || io.kind != operation_kind::read) continue;
    const std::size_t free = stream.got.bytes.capacity() - stream.got.bytes.size();
    BAST_CHECK(stream.reading <= free, "I3: the room of a read in flight has shrunk");
  }
}

}  // namespace

void process_machine::check_invariants() const noexcept {
  std::size_t live = 0;
  std::size_t in_flight = check_table(wake_, wake_slot, options_.magic);
  for (std::size_t i = 0; i < used_; ++i) {
    const slot& s = slots_[i];
    const std::size_t mine = check_table(s.operations, number_of(s), options_.magic);
    in_flight += mine;
    BAST_CHECK(s.generation != 0, "a process has a generation");
    if (s.live) {
      ++live;
      check_life(s);
    } else {
      BAST_CHECK(mine == 0, "a free slot has operations in flight");  // P-22
    }
  }
  BAST_CHECK(in_flight == stats_.in_flight, "the count of operations in flight is wrong");
  BAST_CHECK(live == stats_.live, "the count of processes is wrong");
  BAST_CHECK(stats_.started - stats_.finished == live, "a process was lost");
  std::size_t free = 0;
  for (const slot* s = free_; s != nullptr; s = s->next_free) ++free;
  BAST_CHECK(free + live == used_, "a slot was lost");
}

std::uint64_t process_machine::digest() const noexcept {
  hasher h;
  for (std::size_t i = 0; i < used_; ++i) {
    const slot& s = slots_[i];
    h.add(s.live);
    h.add(s.listed);
    h.add(s.generation);
    add(h, s.operations);
    add(h, s.life);
  }
  add(h, wake_);
  h.add(wake_readable_);
  h.add(now_);
  h.add(earliest_);
  h.add(generation_);
  h.add(stats_.in_flight);
  h.add(stats_.live);
  h.add(stats_.started);
  h.add(stats_.finished);
  return h.hash();
}

}  // namespace bast
