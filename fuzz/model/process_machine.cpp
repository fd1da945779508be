// SPDX-License-Identifier: Apache-2.0
#include "model/process_machine.hpp"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace bast::model {

namespace {

constexpr std::int64_t tick_ns = 100'000;

}  // namespace

process_harness::process_harness(std::uint16_t options, fault_schedule& faults) : faults_(faults) {
  process_machine_options chosen = process_options(options);
  if (process_language.option(options, "wake") != 0) {
    chosen.wake_fd = wake_fd_ = world_.open_event();
  }
  if (process_language.option(options, "chain") != 0) chained_ = 8;
  auto made = process_machine::create(chosen);
  if (made) {
    machine_ = std::move(*made);
  } else if (!faults_.is_rough() || made.error() != errc::no_memory) {
    complain("the machine could not be made");
  }
  if (machine_ != nullptr) machine_->tick(bast::internal::time_of(world_.now()));
}

process_harness::follower* process_harness::find(std::uint8_t who) {
  follower* const f = current_[who];
  return f == nullptr || f->ended ? nullptr : f;
}

void process_harness::start(std::uint8_t who, std::uint16_t value) {
  if (find(who) != nullptr) return;
  process_start child = process_choice(value);
  follower& f = followers_.emplace_back();
  f.harness = this;
  f.child = &world_.fork(child.own_group);
  child.pid = f.child->pid;
  child.pidfd = world_.open_pidfd(*f.child);
  for (std::size_t i = 0; i < 2; ++i) {
    if ((captured_streams(value) >> i & 1) == 0) continue;
    const to::capture& capture = i == 0 ? child.output : child.errors;
    (i == 0 ? child.output_pipe : child.errors_pipe) = world_.open_pipe(*f.child, i);
    f.streams[i].captured = true;
    f.streams[i].limit = capture.limit.count;
    f.streams[i].policy = capture.policy;
  }
  if (child.timeout.count() < bast::internal::never_ns)
    f.timeout_at = world_.now() + child.timeout.count();
  child.context = &f;
  child.finished = [](void* context, process_id id, process_result&& result) noexcept {
    auto& self = *static_cast<follower*>(context);
    if (self.id != id) self.harness->complain("D1: the end of another child is reported");
    self.harness->finished(self, std::move(result));
  };
  const auto id = machine_->start(child);
  if (id) {
    f.id = *id;
    current_[who] = &f;
    return;
  }
  const bool is_full = id.error() == errc::limit;
  if (!is_full && !(shut_down_ && id.error() == errc::shutdown)) complain("start failed");
  // The descriptors are still ours.
  f.ended = true;
  for (const int fd : {child.pidfd, child.output_pipe, child.errors_pipe}) {
    if (fd < 0) continue;
    machine_operation close;
    close.kind = operation_kind::close;
    close.fd = fd;
    close.user_data = static_cast<std::uint64_t>(fd) << 32 | f.child->serial;
    (void)world_.perform(close);
  }
}

void process_harness::child_acts(std::uint8_t who, const op& o) {
  follower* const f = find(who);
  if (f == nullptr) return;
  world_child& child = *f->child;
  switch (static_cast<process_op>(o.kind)) {
    case process_op::write: process_world::write(child, o.value & 1, o.value); break;
    case process_op::exit: {
      const bool by_signal = o.value >= 256;
      const int code = o.value == 256 + SIGABRT ? CLD_DUMPED : CLD_KILLED;
      process_world::exit(child, by_signal ? code : CLD_EXITED, o.value & 255);
      break;
    }
    case process_op::hold:
      if (!child.exited) child.has_grandchild = true;
      break;
    case process_op::drop: process_world::drop_grandchild(child); break;
    case process_op::stubborn: child.stubborn = true; break;
    case process_op::steal:
      if (child.exited && !child.reaped) child.stolen = true;
      break;
    default: break;
  }
}

void process_harness::stop_child(std::uint8_t who, process_op how) {
  follower* const f = current_[who];
  if (f == nullptr) return;
  f->was_cancelled = true;
  if (how == process_op::request) {
    if (machine_->request_cancel(f->id) && wake_fd_ >= 0) world_.set_event();
    return;
  }
  const bool done = machine_->cancel(f->id).has_value();
  if (done == f->ended) complain("cancel must work while it lives, and only then");
}

void process_harness::perform(const op& o) {
  const auto what = static_cast<process_op>(o.kind);
  switch (what) {
    case process_op::start: start(o.who, o.value); break;
    case process_op::pump: pump(o.value + std::size_t{1}); break;
    case process_op::full:
      if (machine_->next() != nullptr) machine_->refused();
      break;
    case process_op::complete: deliver(world_.complete(o.value)); break;
    case process_op::shorten: deliver(world_.complete(o.value, 1)); break;
    case process_op::lie: deliver(world_.lie(o.value & 15, o.value >> 4)); break;
    case process_op::stale:
      if (const auto old = world_.past(o.value)) ignore(old->what.user_data, old->status);
      break;
    case process_op::unknown:
      // Another magic, a slot that does not exist, a role that does not exist, an old generation.
      ignore(std::uint64_t{(o.value & 1) != 0 ? 0xBAU : 0xABU} << 56 |
                 std::uint64_t{o.value >> 1 & 31U} << 48 | std::uint64_t{o.value >> 6 & 3U} << 32 |
                 0xFFFF'FF00U | (o.value >> 8),
             1);
      break;
    case process_op::tick:
      world_.pass(o.value * tick_ns);
      machine_->tick(bast::internal::time_of(world_.now()));
      break;
    case process_op::cancel:
    case process_op::request: stop_child(o.who, what); break;
    case process_op::take:
      if (follower* const f = find(o.who)) take(*f, o.value);
      break;
    case process_op::shut_down:
      shut_down_ = true;
      for (follower& f : followers_) f.was_cancelled |= !f.ended;
      machine_->shut_down();
      break;
    case process_op::fault: faults_.spoil(o.value); break;
    case process_op::mend: faults_.mend(); break;
    case process_op::check: break;
    default: child_acts(o.who, o); break;
  }
  machine_->check_invariants();
  if (machine_->stats().in_flight != world_.in_flight()) {
    complain("what the machine holds to be in flight is not what is");
  }
}

void process_harness::pump(std::size_t count) {
  while (count-- > 0) {
    const machine_operation* const wanted = machine_->next();
    if (wanted == nullptr) return;
    const machine_operation copy = *wanted;
    machine_->sent();
    if (!is_immediate(copy.kind)) {
      world_.submit(copy);
    } else {
      machine_->complete(copy.user_data, world_.perform(copy));
    }
    if (!complaint().empty()) return;
  }
}

void process_harness::deliver(const std::optional<process_world::completion>& done) {
  if (!done) return;
  fed(*done);
  const auto before = machine_->stats();
  machine_->complete(done->what.user_data, done->status);
  const auto& after = machine_->stats();
  if (before.ignored_foreign + before.ignored_stale + before.ignored_unknown !=
      after.ignored_foreign + after.ignored_stale + after.ignored_unknown) {
    complain("what was in flight is ignored");
  }
}

/// The machine knows that the child is gone, or has reason to believe it.
bool process_harness::is_gone(const world_child& child) {
  return child.reaped || child.stolen || child.was_lied_to;
}

/// D2: bytes that were read are kept, up to the limit.
void process_harness::fed(const process_world::completion& done) {
  if (done.what.kind != operation_kind::read || done.status <= 0) return;
  if (done.status > done.what.length || done.what.fd == wake_fd_) return;
  for (follower& f : followers_) {
    if (f.ended) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      // The role in the operation's name identifies the stream.
      const auto name = bast::internal::decode(done.what.user_data);
      if (name.slot != f.id.slot || name.what != i) continue;
      kept_stream& s = f.streams[i];
      for (std::int64_t n = 0; n < done.status; ++n) {
        if (s.bytes.size() < s.kept_max(is_gone(*f.child))) {
          s.bytes.push_back(done.what.buffer[n]);
        } else {
          ++s.discarded;
        }
      }
      if (s.policy == on_limit::backpressure && s.discarded != 0) {
        complain("D2: more is read under backpressure than can be kept");
      }
    }
  }
}

void process_harness::ignore(std::uint64_t user_data, std::int64_t status) {
  const std::uint64_t before = machine_->digest();
  machine_->complete(user_data, status);
  if (machine_->digest() != before) complain("D5: what must be ignored changed something");
}

void process_harness::take(follower& f, std::uint16_t value) {
  std::vector<std::byte> into(value);
  const std::size_t which = value & 1;
  const auto count =
      machine_->take(f.id, which == 0 ? output_stream::output : output_stream::errors, into);
  if (!count) return complain("take must work while it lives");
  std::deque<std::byte>& expected = f.streams[which].bytes;
  if (*count != std::min(into.size(), expected.size()))
    return complain("D2: took too much, or too little");
  if (!std::equal(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(*count),
                  expected.begin())) {
    complain("D2: took other bytes than were read");
  }
  expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(*count));
}

void process_harness::compare(const kept_stream& expected, const captured_output& seen,
                              const world_child& child, std::size_t which) {
  if (!std::ranges::equal(expected.bytes, seen.bytes.span())) complain("D2: other bytes than read");
  if (expected.discarded != seen.discarded) complain("D2: discarded more, or less");
  // Under backpressure nothing is discarded.
  const bool full =
      expected.policy == on_limit::backpressure && seen.bytes.size() >= expected.kept_max(true);
  const bool limited = seen.truncated == truncation::limit;
  if (full ? expected.discarded != 0 : limited != (expected.discarded != 0)) {
    complain("D2: truncated without a reason, or not with one");
  }
  if (!expected.captured || child.was_lied_to) return;
  const world_stream& written = child.streams[which];
  const bool whole = written.read == written.written && !written.has_writer;
  if (seen.truncated == truncation::none && !whole) complain("D8: called whole, and is not");
  if (seen.truncated == truncation::grandchild && full) complain("D8: a grandchild is blamed");
}

void process_harness::finished(follower& f, process_result&& result) {
  if (f.ended) return complain("D1: an end is reported twice");
  f.ended = true;
  const world_child& child = *f.child;
  if (result.pid != child.pid) complain("D1: the end of another child is reported");
  compare(f.streams[0], result.output, child, 0);
  compare(f.streams[1], result.errors, child, 1);

  if (!child.exited && !child.was_lied_to) complain("D3: it runs");
  if (result.status.how == exit_status::kind::lost) {
    if (!child.stolen && !child.was_lied_to) complain("D3: a status was lost");
  } else {
    const bool exited = result.status.how == exit_status::kind::exited;
    if (exited != (child.end.code == CLD_EXITED) || result.status.code != child.end.status ||
        result.status.core_dumped != (child.end.code == CLD_DUMPED)) {
      complain("D3: another status than its own");
    }
    if (!child.reaped && !child.stolen && !child.was_lied_to) complain("D3: a zombie is left");
  }
  const auto exceeded = [](const kept_stream& s) {
    return s.discarded != 0 && s.policy == on_limit::error_and_kill;
  };
  const auto unread = [](const kept_stream& s, const captured_output& seen) {
    return seen.truncated == truncation::limit && s.policy == on_limit::backpressure;
  };
  const bool over_limit = exceeded(f.streams[0]) || exceeded(f.streams[1]) ||
                          unread(f.streams[0], result.output) ||
                          unread(f.streams[1], result.errors);
  const bool was_stopped = child.signals != 0;
  if (was_stopped && child.own_group && child.has_grandchild && !child.stolen &&
      !child.was_lied_to) {
    complain("D7: a process of its group is left");
  }
  switch (result.ended_by) {
    case process_ending::exited:
      if (over_limit) complain("D4: it wrote too much, which is not reported");
      break;
    case process_ending::timed_out:
      if (f.timeout_at == bast::internal::never_ns) complain("D4: it has no timeout");
      break;
    case process_ending::cancelled:
      if (!f.was_cancelled) complain("D4: it was not cancelled");
      break;
    case process_ending::limit:
      if (!over_limit) complain("D4: it did not write too much");
      break;
  }
  // The slot is free: the next start may take it, from inside this call.
  if (chained_ > 0 && !ended_ && !shut_down_) {
    --chained_;
    start(static_cast<std::uint8_t>(std::ranges::find(current_, &f) - current_.begin()),
          static_cast<std::uint16_t>(child.serial * 37));
  }
}

void process_harness::end() {
  if (ended_) return;
  ended_ = true;
  faults_.end();
  if (machine_ == nullptr) return;
  for (follower& f : followers_) f.was_cancelled |= !f.ended;
  machine_->shut_down();
  // More rounds than needed for every retry, every cancel, and every byte.
  for (int round = 0; !machine_->idle() && complaint().empty(); ++round) {
    if (round > 2000) {
      complain("D6: the machine does not come to rest");
      break;
    }
    pump(1000);
    for (follower& f : followers_) {
      // Processes that were told to end do so; pipes that are held are dropped, one by one.
      if (round > 20 && !f.ended) process_world::exit(*f.child, CLD_EXITED, 0);
      if (round > 50 && !f.ended) process_world::drop_grandchild(*f.child);
    }
    if (round > 50) world_.set_event();
    for (std::size_t i = world_.in_flight(); i-- > 0;) deliver(world_.complete(i));
    world_.pass(100 * tick_ns);
    machine_->tick(bast::internal::time_of(world_.now()));
    machine_->check_invariants();
  }
  if (!complaint().empty()) {
    // Its destructor would also report this; the complaint is more specific.
    (void)machine_.release();
    return;
  }
  for (const follower& f : followers_) {
    if (!f.ended) complain("D1: an end was never reported");
  }
  if (world_.open_descriptors() != (wake_fd_ >= 0 ? 1U : 0U)) complain("D6: a descriptor is left");
  machine_.reset();
}

}  // namespace bast::model
