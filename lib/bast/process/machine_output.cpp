// SPDX-License-Identifier: Apache-2.0
//
// The captured streams of a process: poll, read, and the limit.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

namespace {

constexpr std::size_t first_bytes = 4096;               // a page: most children write less
constexpr std::size_t pipe_bytes_max = 1 << 20;         // the default of fs.pipe-max-size
constexpr std::size_t read_bytes_max = pipe_bytes_max;  // at once

}  // namespace

namespace internal {

std::span<std::byte> captured_stream::room() noexcept {
  std::size_t count = std::min(got.bytes.room().size(), read_bytes_max);
  // Under backpressure it reads no more than it can keep.
  if (keeps_all()) count = std::min(count, kept_max() - got.bytes.size());
  return got.bytes.room().first(count);
}

bool captured_stream::make_room() noexcept {
  byte_buffer& bytes = got.bytes;
  if (bytes.room().empty()) bytes.compact();
  if (!bytes.room().empty()) return true;
  const std::size_t limit = kept_max();
  const std::size_t beyond = keeps_all() ? 0 : overflow_bytes;
  const std::size_t most = limit > unlimited_bytes.count - beyond ? limit : limit + beyond;  // I5
  const std::size_t doubled = std::max(first_bytes, 2 * bytes.capacity());
  return bytes.reserve(std::min(doubled, most));
}

void captured_stream::received(std::size_t count) noexcept {
  got.bytes.commit(count);
  if (is_last) after += count;
  if (keeps_all() || got.bytes.size() <= options.limit.count) return;
  got.discarded += got.bytes.size() - options.limit.count;
  const std::size_t lost = BAST_MUTANT(byte_lost_at_the_limit) ? 1 : 0;
  got.bytes.truncate(options.limit.count - lost);
  got.truncated = truncation::limit;
}

void captured_stream::give_up(truncation why, int error_number) noexcept {
  ended = true;
  if (got.truncated == truncation::none) got.truncated = why;
  got.error_number = error_number;
}

}  // namespace internal

void process_machine::steer_stream(slot& s, output_stream which) noexcept {
  captured_stream& stream = s.life.streams[index_of(which)];
  const role what = which == output_stream::output ? role::output : role::errors;
  operation_record& io = s.operations[what];
  if (!stream.open()) {
    if (io.in_flight()) io.unwanted = true;
    return;
  }
  if (io.in_flight() || now_ < stream.retry_at) return;
  if (stream.keeps_all() && stream.is_full()) {
    // The end needs no room, and may be all that is left.
    if (stream.is_last && !stream.readable) s.operations.want(what, operation_kind::poll);
    return;
  }
  if (!stream.readable) return s.operations.want(what, operation_kind::poll);
  if (!stream.make_room()) return stream.give_up(truncation::failure, ENOMEM);
  s.operations.want(what, operation_kind::read);
}

void process_machine::stream_completed(slot& s, output_stream which, std::int64_t status) noexcept {
  captured_stream& stream = s.life.streams[index_of(which)];
  const role what = which == output_stream::output ? role::output : role::errors;
  const bool was_poll = s.operations[what].kind == operation_kind::poll;
  s.life.progressed = true;
  stream.readable = false;
  if (status < 0) {
    // The end of a thread of the host may cancel operations unrequested; they are requested again.
    const bool again =
        (status == -EINTR && !BAST_MUTANT(interruption_ends_stream)) || status == -ECANCELED;
    stream.readable = again && !was_poll;
    if (again || status == -EAGAIN) return;
    if (was_poll && stream.tries < tries_max) {
      // Giving up would kill the child by SIGPIPE; the host's failure to wait is no reason for
      // that.
      stream.retry_at = retry_after(now_, stream.tries);
    } else {
      stream.give_up(truncation::failure, static_cast<int>(-status));
    }
  } else if (was_poll) {
    stream.readable = status > 0;
    stream.tries = 0;
    // A pipe with a hang-up that is not readable is empty.
    const bool is_over = (status & (POLLIN | POLLHUP)) == POLLHUP;
    if (is_over && stream.keeps_all() && stream.is_full()) stream.ended = true;
  } else if (status > stream.reading) {
    stream.give_up(truncation::failure, EPROTO);  // More than requested: not from a kernel.
  } else if (status == 0) {
    // The end of the stream, even if the drain grace has just expired.
    if (stream.got.truncated == truncation::grandchild) stream.got.truncated = truncation::none;
    stream.ended = true;
  } else {
    // After a full read there may be more. Otherwise the next read would only return EAGAIN.
    stream.readable = status == stream.reading;
    stream.received(static_cast<std::size_t>(status));
    // A stream that cannot be read is polled for its end.
    if (stream.is_last && stream.keeps_all() && stream.is_full()) stream.readable = false;
    if (BAST_MUTANT(short_read_ends_stream) && !stream.readable) stream.ended = true;
    if (BAST_MUTANT(hang_up_undone)) stream.ended = false;
    if (stream.exceeded() && s.life.asked == process_ending::exited) {
      s.life.asked = process_ending::limit;
    }
  }
}

bool process_machine::has_all(process_id id, output_stream which) const noexcept {
  const slot* const s = find(id);
  return s == nullptr || !s->life.streams[index_of(which)].open();
}

result<std::size_t> process_machine::take(process_id id, output_stream which,
                                          std::span<std::byte> into) noexcept {
  offered_ = nullptr;
  if (mark_.is_forked()) return failed_forked("process_machine.take");
  slot* const s = find(id);
  if (s == nullptr) {
    return fail(errc::stale_handle, "process_machine.take", "the process has ended", id.slot);
  }
  process_life& life = s->life;
  captured_stream& stream = life.streams[index_of(which)];
  // Reading had stopped, so the child may have left bytes in the pipe, as many as one holds.
  const bool stopped = stream.is_full() || BAST_MUTANT(grandchild_prolongs);
  const bool may_be_left = stream.keeps_all() && stopped && stream.after < pipe_bytes_max;
  const std::size_t taken = stream.got.bytes.take(into);
  if (taken != 0 && may_be_left && life.leader == leader_state::gone) {
    life.drain_at = later(now_, life.start.drain_grace);
  }
  advance(*s);
  return taken;
}

}  // namespace bast::inline BAST_ABI
