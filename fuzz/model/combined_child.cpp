// SPDX-License-Identifier: Apache-2.0
#include "model/combined_child.hpp"

#include <signal.h>

#include <algorithm>

namespace bast::model {

namespace {

const char* name_of_truncation(truncation why) {
  switch (why) {
    case truncation::none: return "none";
    case truncation::limit: return "limit";
    case truncation::grandchild: return "grandchild";
    case truncation::failure: break;
  }
  return "failure";
}

}  // namespace

std::string describe(process_ending by, const exit_status& status,
                     const std::array<std::string, 2>& streams) {
  std::string text;
  switch (status.how) {
    case exit_status::kind::exited: text = "exited "; break;
    case exit_status::kind::signalled: text = "signalled "; break;
    case exit_status::kind::lost: text = "lost "; break;
  }
  text += std::to_string(status.code) + (status.core_dumped ? " with a core" : "");
  return text + " by " + name_of(by) + ", output " + streams[0] + ", errors " + streams[1];
}

std::string describe_stream(std::uint64_t kept, std::uint64_t discarded, truncation why) {
  return std::to_string(kept) + "+" + std::to_string(discarded) + " " + name_of_truncation(why);
}

combined_child::combined_child(const combined_order& asked, std::size_t owner, std::int64_t now)
    : start_(asked.start),
      errors_(asked.errors),
      owner_(owner),
      timeout_at_(asked.start.timeout == std::chrono::nanoseconds::max()
                      ? bast::internal::never_ns
                      : now + asked.start.timeout.count()) {}

void combined_child::write(std::size_t stream, std::uint64_t count) {
  if (captures(stream) && !ended_ && (!exited_ || grandchild_)) written_[stream] += count;
}

void combined_child::exit(int status, bool by_signal, bool stolen) {
  if (exited_) return;
  exited_ = true;
  stolen_ = stolen;
  if (stolen) return;  // P-12
  status_ = {.how = by_signal ? exit_status::kind::signalled : exit_status::kind::exited,
             .core_dumped = by_signal && status == SIGABRT,
             .code = status};
}

void combined_child::lack_at_the_end(std::array<bool, 2> which) {
  for (const std::size_t i : {0U, 1U}) lacks_[i] |= which[i];
}

void combined_child::die(int signal) {
  if (start_.own_group) grandchild_ = false;
  exit(signal, true, false);
}

void combined_child::kill() {
  terminating_ = false;
  killed_ = true;
  ++signals_;
  die(SIGKILL);
}

void combined_child::terminate(std::int64_t now) {
  ended_by_ = asked_;
  if (start_.grace.count() == 0) return kill();
  terminating_ = true;
  grace_at_ = now + start_.grace.count();
  ++signals_;
  if (!stubborn_) die(SIGTERM);
}

/// P-14: the remaining members of its group have the grace as well. The driver checks for them when
/// time has passed.
bool combined_child::keeps_leader(std::int64_t now) {
  if (!terminating_ || !start_.own_group || start_.kill_group_on_exit || stolen_) return false;
  if (now >= grace_at_) {
    kill();
    return false;
  }
  if (now > looked_at_ && !grandchild_) return false;
  looked_at_ = now;
  return true;
}

/// P-14: asked, terminated, killed; P-15: an earlier exit is its own; P-13: the remaining members
/// of its group may hold the pipes for so long.
bool combined_child::settle(std::int64_t now) {
  if (ended_) return false;
  if (!exited_) {
    if (exceeded()) ask(process_ending::limit);
    if (now >= timeout_at_) ask(process_ending::timed_out);
    if (terminating_) {
      if (now >= grace_at_) kill();
    } else if (asked_ != process_ending::exited && ended_by_ == process_ending::exited) {
      terminate(now);
    }
  }
  if (!exited_ || (!gone_ && keeps_leader(now))) return false;
  if (!gone_) {
    gone_ = true;
    if (start_.kill_group_on_exit && start_.own_group && !stolen_ && !killed_) {
      ++signals_;
      grandchild_ = false;
    }
    drain_at_ = now + start_.drain_grace.count();
  }
  drained_ = grandchild_ && now >= drain_at_;
  // A stream without memory was closed then.
  const bool open = !lacks_[0] || (captures(1) && !lacks_[1]);
  ended_ = !grandchild_ || drained_ || !open;
  return ended_;
}

std::uint64_t combined_child::discarded(std::size_t stream) const {
  const to::capture& capture = stream == 0 ? start_.output : start_.errors;
  if (!captures(stream) || lacks_[stream]) return 0;
  return written_[stream] - std::min<std::uint64_t>(written_[stream], capture.limit.count);
}

bool combined_child::exceeded() const {
  const auto too_much = [this](std::size_t i) {
    return discarded(i) != 0 && start_.output.policy == on_limit::error_and_kill;
  };
  return too_much(0) || too_much(1);
}

std::size_t combined_child::descriptors() const {
  if (ended_) return 0;
  // A leader that is kept for its group may have no writer left.
  const bool has_writer = !exited_ || grandchild_;
  return (gone_ ? 0U : 1U) + (has_writer ? 1U + (errors_ ? 1U : 0U) : 0U);
}

std::string combined_child::result() const {
  std::array<std::string, 2> streams;
  for (const std::size_t i : {0U, 1U}) {
    const std::uint64_t beyond = discarded(i);
    const bool early = drained_ && captures(i);
    const truncation why = beyond != 0 ? truncation::limit
                           : early     ? truncation::grandchild
                                       : truncation::none;
    streams[i] = lacks_[i] ? stream_lacked : describe_stream(written_[i] - beyond, beyond, why);
  }
  const bool unasked = ended_by_ == process_ending::exited;
  return describe(unasked && exceeded() ? process_ending::limit : ended_by_, status_, streams);
}

}  // namespace bast::model
