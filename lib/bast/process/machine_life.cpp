// SPDX-License-Identifier: Apache-2.0
//
// The life of a supervised process. `advance` examines the state and requests the operations that
// follow from it. It is called after every event of the process; another call changes nothing.
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

namespace {

// Timeouts that cannot be armed are left to `tick`.
constexpr std::uint8_t timer_failures_max = 16;

// A report of the time this long after a deadline means that the loop was busy elsewhere.
constexpr std::int64_t late_ns = 5'000'000;

/// The next time at which time alone changes the state.
std::int64_t deadline_of(const process_life& life, std::int64_t now) noexcept {
  std::int64_t first = life.retry_at > now ? life.retry_at : never_ns;
  for (const captured_stream& stream : life.streams) {
    if (!stream.open()) continue;
    if (stream.retry_at > now) first = std::min(first, stream.retry_at);
    if (life.leader == leader_state::gone) first = std::min(first, life.drain_at);
  }
  if (life.input.awaited() && life.input.retry_at > now) {
    first = std::min(first, life.input.retry_at);
  }
  if (life.leader != leader_state::running) return first;
  if (life.stop == stop_state::none) return std::min(first, life.timeout_at);
  return life.stop == stop_state::terminating ? std::min(first, life.grace_at) : first;
}

exit_status status_of(const child_exit& exit) noexcept {
  return {.how = exit.code == CLD_EXITED ? exit_status::kind::exited : exit_status::kind::signalled,
          .core_dumped = exit.code == CLD_DUMPED,
          .code = exit.status};
}

}  // namespace

void process_machine::advance(slot& s) noexcept {
  process_life& life = s.life;
  if (life.over) return;
  for (operation_record& record : s.operations.records) {
    if (!record.in_flight()) record.state = operation_state::idle;
  }
  steer_stop(s);
  steer_leader(s);
  steer_stream(s, output_stream::output);
  steer_stream(s, output_stream::errors);
  steer_input(s);
  steer_timer(s);
  s.operations.want_cancels();
  steer_closes(s);

  bool wants = false;
  bool waits = false;
  for (const operation_record& record : s.operations.records) {
    wants |= record.state == operation_state::wanted;
    waits |= record.in_flight();
  }
  if (wants) return enlist(s);
  const bool closed =
      life.start.pidfd < 0 && life.streams[0].fd < 0 && life.streams[1].fd < 0 && life.input.fd < 0;
  if (waits || !closed) return;
  BAST_ASSERT(life.leader == leader_state::gone);
  life.over = true;
  s.next_free = nullptr;
  (over_last_ == nullptr ? over_first_ : over_last_->next_free) = &s;
  over_last_ = &s;
}

void process_machine::steer_stop(slot& s) noexcept {
  process_life& life = s.life;
  if (life.leader == leader_state::running) {
    if (life.asked == process_ending::exited && now_ >= life.timeout_at) {
      life.asked = process_ending::timed_out;
    }
    const bool asked = life.asked != process_ending::exited && !BAST_MUTANT(cancel_forgotten);
    if (life.stop == stop_state::none && asked) {  // P-14
      life.stop = stop_state::terminating;
      life.ended_by = life.asked;
      life.signal_wanted = life.start.stop_signal;
      life.grace_at = later(now_, life.start.grace);
    }
    if (life.stop == stop_state::terminating && now_ >= life.grace_at) {
      life.stop = stop_state::killing;
      life.signal_wanted = SIGKILL;
      life.signal_tries = 0;
    }
  } else if (life.leader == leader_state::gone && now_ >= life.drain_at) {
    // A delayed loop has not yet read what was written in time: it gets the drain grace once more,
    // from the time when it is back.
    if (!life.drains_again && now_ - life.drain_at > late_ns) {
      life.drains_again = true;
      life.drain_at = later(now_, life.start.drain_grace);
      return;
    }
    for (captured_stream& stream : life.streams) {
      // P-13. For a full stream the writer of the remaining bytes is unknown.
      const bool full = stream.keeps_all() && stream.is_full();
      if (stream.open()) stream.give_up(full ? truncation::limit : truncation::grandchild, 0);
    }
  }
}

void process_machine::steer_leader(slot& s) noexcept {
  process_life& life = s.life;
  if (now_ < life.retry_at) return;
  switch (life.leader) {
    case leader_state::running:
      s.operations.want(role::exit, operation_kind::poll);
      if (life.signal_wanted != 0) s.operations.want(role::control, operation_kind::signal);
      return;
    case leader_state::readable: s.operations.want(role::control, operation_kind::observe); return;
    case leader_state::exited: return steer_group(s);
    case leader_state::gone:
      if (BAST_MUTANT(group_killed_late) && life.start.kill_group_on_exit && !life.group_killed) {
        life.signal_wanted = SIGKILL;
        s.operations.want(role::control, operation_kind::signal);
      }
      return;
  }
}

/// The leader has ended, and is not reaped while the number of its group is needed (I4).
void process_machine::steer_group(slot& s) noexcept {
  process_life& life = s.life;
  const bool kills = life.start.kill_group_on_exit && !BAST_MUTANT(stragglers_spared);
  const bool stops = life.stop != stop_state::none && !BAST_MUTANT(stop_ends_with_the_leader);
  const bool waits = life.start.own_group && (kills || stops) && !BAST_MUTANT(group_killed_late);
  if (!waits || life.group_gone) return s.operations.want(role::control, operation_kind::reap);
  if ((kills || now_ >= life.grace_at) && !life.group_killed) life.signal_wanted = SIGKILL;  // P-14
  s.operations.want(role::control,
                    life.signal_wanted != 0 ? operation_kind::signal : operation_kind::members);
}

void process_machine::steer_timer(slot& s) noexcept {
  process_life& life = s.life;
  const std::int64_t wanted = deadline_of(life, now_);
  earliest_ = std::min(earliest_, wanted);
  if (options_.timers == machine_timers::ticks) return;
  operation_record& timer = s.operations[role::timer];
  if (timer.in_flight()) {
    // A timeout that is too early does no harm; it is cancelled only if none is requested (IO-6).
    timer.unwanted |= wanted < life.armed_at || wanted == never_ns;
    return;
  }
  if (wanted == never_ns || life.timer_failures >= timer_failures_max) return;
  constexpr std::int64_t second = 1'000'000'000;
  life.armed_at = wanted;
  life.armed = {.seconds = wanted / second, .nanoseconds = wanted % second};
  s.operations.want(role::timer, operation_kind::timeout);
}

/// I2: one descriptor at a time, with no operation in flight on it.
void process_machine::steer_closes(slot& s) noexcept {
  process_life& life = s.life;
  if (s.operations[role::close].in_flight()) return;
  int fd = -1;
  if (life.leader == leader_state::gone && s.operations[role::exit].idle() &&
      s.operations[role::control].idle()) {
    fd = life.start.pidfd;
  }
  for (const output_stream which : {output_stream::output, output_stream::errors}) {
    const captured_stream& stream = life.streams[index_of(which)];
    const role what = which == output_stream::output ? role::output : role::errors;
    const bool idle = s.operations[what].idle() || BAST_MUTANT(closed_with_a_read);
    if (stream.fd >= 0 && stream.ended && idle) fd = stream.fd;
  }
  if (life.input.fd >= 0 && life.input.ended && s.operations[role::input].idle()) {
    fd = life.input.fd;
  }
  if (fd < 0) return;
  life.closing = fd;
  s.operations.want(role::close, operation_kind::close);
}

void process_machine::exit_completed(slot& s, std::int64_t status) noexcept {
  if (status == 0 || status == -EINTR || status == -EAGAIN || status == -ECANCELED) return;
  s.life.leader = leader_state::readable;
  // If the pidfd cannot be polled, the exit is checked periodically.
  if (status < 0) s.life.retry_at = retry_after(now_, s.life.tries);
}

void process_machine::timer_completed(slot& s, std::int64_t status) noexcept {
  process_life& life = s.life;
  if (status == -ETIME) {
    // The kernel's clock is ours; the host may report it late.
    now_ = std::max(now_, life.armed_at);
    life.timer_failures = 0;
  } else if (status < 0 && status != -ECANCELED && status != -EINTR) {
    ++life.timer_failures;
  }
}

void process_machine::control_completed(slot& s, std::int64_t status) noexcept {
  switch (s.operations[role::control].kind) {
    case operation_kind::observe: return observed(s, status);
    case operation_kind::signal: return signalled(s, status);
    case operation_kind::members: return members_seen(s, status);
    case operation_kind::reap: return reaped(s, status);
    default: return;
  }
}

void process_machine::observed(slot& s, std::int64_t status) noexcept {
  process_life& life = s.life;
  if (status > 0) {
    life.leader = leader_state::exited;
    life.status = status_of(life.exit);
    life.tries = 0;
    life.retry_at = 0;
    // An early exit makes the kill unnecessary. The group still gets its stop signal.
    if (!life.start.own_group || life.signal_wanted != life.start.stop_signal) {
      life.signal_wanted = 0;
    }
    life.signal_tries = 0;
    return;
  }
  if (status == -EINTR) return;
  if (status == -ECHILD || (status < 0 && life.tries >= tries_max)) {  // P-12
    if (status != -ECHILD) ++stats_.unreaped;
    life.exit = {};
    return leader_is_gone(s);
  }
  // It runs: the pidfd was readable for another reason, for example a debugger that gets the exit
  // first.
  if (status == 0) life.leader = leader_state::running;
  life.retry_at = retry_after(now_, life.tries);
}

void process_machine::signalled(slot& s, std::int64_t status) noexcept {
  process_life& life = s.life;
  const bool refused = status < 0 && status != -ESRCH;
  if (refused && status != -EPERM && life.signal_tries < tries_max) {
    life.retry_at = retry_after(now_, life.signal_tries);
    return;
  }
  if (refused) life.signal_error = static_cast<int>(-status);
  if (life.signal_in_flight == SIGKILL) {
    life.group_killed = true;
    life.group_tries = 0;
  }
  if (life.signal_wanted == life.signal_in_flight) life.signal_wanted = 0;
}

void process_machine::members_seen(slot& s, std::int64_t status) noexcept {
  process_life& life = s.life;
  // A process that sleeps in the kernel dies when it wakes; no need to wait for it. If the members
  // cannot be listed, for example without /proc, one may be there.
  const bool enough = life.group_killed && (status < 0 || life.group_tries >= tries_max);
  life.group_gone = status == 0 || enough;
  if (life.group_gone) return;
  life.retry_at = retry_after(now_, life.group_tries);
  if (!life.group_killed) life.retry_at = std::min(life.retry_at, life.grace_at);
}

void process_machine::reaped(slot& s, std::int64_t status) noexcept {
  process_life& life = s.life;
  if (status == -EINTR) return;
  if (status > 0 || status == -ECHILD) return leader_is_gone(s);
  if (life.tries >= tries_max) {
    ++stats_.unreaped;
    return leader_is_gone(s);
  }
  life.retry_at = retry_after(now_, life.tries);
}

void process_machine::leader_is_gone(slot& s) noexcept {
  process_life& life = s.life;
  life.leader = leader_state::gone;
  life.signal_wanted = 0;
  life.retry_at = 0;
  life.drain_at = later(now_, life.start.drain_grace);
  for (captured_stream& stream : life.streams) stream.is_last = true;
}

}  // namespace bast::inline BAST_ABI
