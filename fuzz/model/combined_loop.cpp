// SPDX-License-Identifier: Apache-2.0
#include "model/combined_loop.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "bast/testing/follow.hpp"

namespace bast::model {

namespace {

// Later than any clock, earlier than never.
constexpr std::int64_t world_begins_ns = std::int64_t{1} << 61;

bool is_of_the_event(std::uint64_t user_data) {
  return bast::internal::decode(user_data).slot == bast::internal::wake_slot;
}

}  // namespace

combined_loop::combined_loop(const combined_choice& chosen, fault_schedule& faults)
    : chosen_(chosen), faults_(faults) {
  world_.pass(world_begins_ns - world_.now());
}

result<void> combined_loop::open() {
  // Room for all that may live, for those that a wave of endings starts, and for no more.
  auto made = bare_driver::create(
      {.processes_max = children_max + 2 * coro_places, .timers = chosen_.timers});
  if (!made) return std::unexpected(made.error());
  driver_ = std::move(*made);
  event_ = world_.open_event();
  real_event_ = -1;
  driver_->tick(world_.now());
  settle();
  return {};
}

void combined_loop::close() {
  if (!driver_->machine().idle()) {
    world_.complain("D6: the machine is not idle after everything ended");
  }
  leak_when_at_work();
  driver_.reset();
  world_.close_event(event_);
}

void combined_loop::leak_when_at_work() {
  if (driver_ && !driver_->machine().idle()) (void)driver_.release();
}

result<process_id> combined_loop::start(std::size_t owner, const combined_order& order,
                                        const process_follower& follower) {
  if (auto room = driver_->machine().has_room(); !room) return std::unexpected(room.error());
  followed& who = processes_.emplace_back();
  who.loop = this;
  who.owner = owner;
  who.child = &world_.fork(order.start.own_group);
  who.finished = follower.finished;
  who.state = follower.context;
  process_start child = order.start;
  child.pid = who.child->pid;
  child.pidfd = world_.open_pidfd(*who.child);
  child.output_pipe = who.pipes[0] = world_.open_pipe(*who.child, 0);
  if (order.errors) child.errors_pipe = who.pipes[1] = world_.open_pipe(*who.child, 1);
  child.context = &who;
  child.finished = [](void* context, process_id id, process_result&& result) noexcept {
    auto& ended = *static_cast<followed*>(context);
    combined_loop& self = *ended.loop;
    if (ended.ended) self.world_.complain("D1: an end is reported twice");
    ended.ended = true;
    ended.result = self.describe_result(result, ended);
    self.lacked[ended.owner].push_back({is_lacking(result.output), is_lacking(result.errors)});
    ended.finished(ended.state, id, std::move(result));
  };
  by_owner_[owner].push_back(&who);
  return test::follow(*driver_, child);
}

// --- actions of the driver and the world ---------------------------------------------------------

void combined_loop::settle() {
  if (!driver_) return;
  // If the event could not be set, time makes the machine check.
  if (faults_.is_rough()) driver_->tick(world_.now());
  // More rounds than all of them need together.
  for (int round = 0; round < 100'000; ++round) {
    const bool handed = hand_over();
    look_at_the_event();
    if (!complete_one() && !handed) return;
    if (!world_.complaint().empty()) return;
  }
  world_.complain("D6: the machine does not come to rest");
}

/// True if one was.
bool combined_loop::hand_over() {
  process_machine& machine = driver_->machine();
  bool any = false;
  while (const machine_operation* const wanted = machine.next()) {
    any = true;
    machine_operation copy = *wanted;
    machine.sent();
    if (is_of_the_event(copy.user_data)) {
      real_event_ = copy.fd;
      copy.fd = event_;
    }
    if (is_immediate(copy.kind)) {
      driver_->complete(copy.user_data, world_.perform(copy));
    } else {
      world_.submit(copy);
    }
    if (chosen_.slow || !world_.complaint().empty()) break;
  }
  return any;
}

/// True if one completed.
bool combined_loop::complete_one() {
  const std::size_t count = world_.in_flight();
  ++turn_;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t which = i;
    if (chosen_.order == 1) which = count - 1 - i;
    if (chosen_.order == 2) which = (i + turn_) % count;
    if (chosen_.order == 3) which = (i + turn_ * 2654435761U / 65536) % count;
    const auto done = world_.complete(which);
    if (!done) continue;
    if (is_of_the_event(done->what.user_data) && done->what.kind == operation_kind::read &&
        done->status > 0) {
      std::uint64_t number = 0;
      if (::read(real_event_, &number, sizeof number) != sizeof number) {
        world_.complain("the eventfd was readable, and is not");
      }
    }
    driver_->complete(done->what.user_data, done->status);
    return true;
  }
  return false;
}

void combined_loop::look_at_the_event() {
  if (real_event_ < 0) return;
  pollfd event{.fd = real_event_, .events = POLLIN, .revents = 0};
  if (::poll(&event, 1, 0) == 1) world_.set_event();
}

void combined_loop::pass(std::int64_t duration_ns) {
  world_.pass(duration_ns);
  if (driver_) driver_->tick(world_.now());
}

void combined_loop::act(followed& who, const op& o) {
  world_child& child = *who.child;
  switch (static_cast<combined_op>(o.kind)) {
    case combined_op::write: process_world::write(child, o.value & 1U, o.value); break;
    case combined_op::exit: {
      if (child.exited) break;
      const int status = o.value & 255;
      const int code = status == SIGABRT ? CLD_DUMPED : CLD_KILLED;
      process_world::exit(child, (o.value >> 8 & 1) != 0 ? code : CLD_EXITED, status);
      child.stolen = (o.value >> 9 & 1) != 0;
      break;
    }
    case combined_op::stubborn: child.stubborn = true; break;
    case combined_op::hold:
      if (!child.exited) child.has_grandchild = true;
      break;
    case combined_op::let_go: process_world::drop_grandchild(child); break;
    default: break;
  }
}

void combined_loop::end_children() {
  for (followed& each : processes_) {
    process_world::exit(*each.child, CLD_EXITED, 0);
    process_world::drop_grandchild(*each.child);
  }
  settle();
  // Stopped groups are checked, and waited for, at intervals.
  constexpr std::int64_t a_while_ns = 64'000'000;
  constexpr int rounds_max = 2000;
  for (int round = 0; !driver_->machine().idle() && round < rounds_max; ++round) {
    pass(a_while_ns);
    settle();
    if (!world_.complaint().empty()) return;
  }
}

// --- visible state ------------------------------------------------------------------------------

bool combined_loop::all_is_read(const followed& who, std::size_t stream) {
  if (who.pipes[stream] < 0) return true;
  return who.child->streams[stream].read == who.child->streams[stream].written;
}

bool combined_loop::is_lacking(const captured_output& stream) {
  return stream.truncated == truncation::failure && stream.error_number == ENOMEM;
}

std::string combined_loop::describe_result(const process_result& seen, const followed& who) {
  std::array<std::string, 2> streams;
  for (const std::size_t i : {0U, 1U}) {
    const captured_output& stream = i == 0 ? seen.output : seen.errors;
    if (is_lacking(stream)) {
      if (!faults_.was_rough()) return "a stream without memory for no reason";
      streams[i] = stream_lacked;
      continue;
    }
    const auto bytes = stream.bytes.span();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      if (bytes[at] != stream_byte(who.child->serial, i, at)) return "other bytes than it wrote";
    }
    if (stream.error_number != 0) return "a stream that failed";
    streams[i] = describe_stream(bytes.size(), stream.discarded, stream.truncated);
  }
  if (seen.pid != who.child->pid) return "another child's end";
  if (seen.signal_error != 0) return "a signal that failed";
  return describe(seen.ended_by, seen.status, streams);
}

std::size_t combined_loop::live() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(processes_, [](const followed& each) { return !each.ended; }));
}

std::string combined_loop::complaint() const {
  if (!world_.complaint().empty() || !driver_) return world_.complaint();
  const process_machine& machine = driver_->machine();
  const process_machine_stats& stats = machine.stats();
  machine.check_invariants();
  if (stats.ignored_foreign + stats.ignored_stale + stats.ignored_unknown != 0) {
    return "what was in flight is ignored";
  }
  if (stats.in_flight != world_.in_flight()) return "what is in flight is miscounted";
  if (stats.unreaped + stats.refusals != 0) return "a refusal, or a zombie, for no reason";
  return {};
}

}  // namespace bast::model
