// SPDX-License-Identifier: Apache-2.0
#include "model/process_world.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bast::model {

namespace {

// Far from every real one, in case it is used by mistake.
constexpr int first_fd = 100'000;
constexpr std::size_t past_max = 64;

}  // namespace

std::byte stream_byte(std::uint64_t serial, std::size_t stream, std::uint64_t at) {
  return static_cast<std::byte>((at * 31 + (at >> 8) * 7 + serial * 101 + stream * 57) & 0xff);
}

// ---- Descriptors.

int process_world::open(const descriptor& what) {
  // The lowest free number, as in kernels: using a closed one hits another descriptor.
  for (std::size_t i = 0; i < descriptors_.size(); ++i) {
    if (descriptors_[i].what != descriptor::kind::closed) continue;
    descriptors_[i] = what;
    return first_fd + static_cast<int>(i);
  }
  descriptors_.push_back(what);
  return first_fd + static_cast<int>(descriptors_.size()) - 1;
}

process_world::descriptor* process_world::find(int fd) {
  const auto i = static_cast<std::size_t>(fd - first_fd);
  if (fd < first_fd || i >= descriptors_.size()) return nullptr;
  return descriptors_[i].what == descriptor::kind::closed ? nullptr : &descriptors_[i];
}

int process_world::open_pipe(world_child& child, std::size_t stream) {
  return open({.what = descriptor::kind::pipe, .child = &child, .stream = stream});
}
int process_world::open_pidfd(world_child& child) {
  return open({.what = descriptor::kind::pidfd, .child = &child});
}
int process_world::open_event() { return open({.what = descriptor::kind::event}); }

std::size_t process_world::open_descriptors() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      descriptors_, [](const descriptor& d) { return d.what != descriptor::kind::closed; }));
}

// ---- Children.

world_child& process_world::fork(bool own_group) {
  world_child& child = children_.emplace_back();
  child.serial = children_.size();
  child.pid = static_cast<pid_t>(1000 + children_.size());
  child.own_group = own_group;
  return child;
}

void process_world::write(world_child& child, std::size_t stream, std::uint64_t count) {
  world_stream& s = child.streams[stream];
  if (s.has_writer && (!child.exited || child.has_grandchild)) s.written += count;
}

void process_world::exit(world_child& child, int code, int status) {
  if (child.exited) return;
  child.exited = true;
  child.end.code = code;
  child.end.status = status;
  if (child.has_grandchild) return;
  for (world_stream& s : child.streams) s.has_writer = false;
}

void process_world::drop_grandchild(world_child& child) {
  child.has_grandchild = false;
  if (!child.exited) return;
  for (world_stream& s : child.streams) s.has_writer = false;
}

// ---- Pending operations.

void process_world::submit(const machine_operation& wanted) {
  if (!names_.insert(wanted.user_data).second) complain("W4: a name is used twice");
  for (const flight& f : flying_) {
    const bool reads = wanted.kind == operation_kind::read || wanted.kind == operation_kind::poll;
    const bool is_reading =
        f.what.kind == operation_kind::read || f.what.kind == operation_kind::poll;
    if (reads && is_reading && f.what.fd == wanted.fd) complain("W4: two wait for one descriptor");
  }
  switch (wanted.kind) {
    case operation_kind::read:
      if (wanted.length == 0) complain("a read of nothing would look like the end");
      [[fallthrough]];
    case operation_kind::poll:
    case operation_kind::poll_to_write:
      if (find(wanted.fd) == nullptr) complain("W1: a closed descriptor is waited for");
      break;
    case operation_kind::cancel:
      if (!names_.contains(wanted.target)) complain("W5: what never was is cancelled");
      break;
    case operation_kind::timeout:
      if (wanted.deadline == nullptr) complain("a timeout without a deadline");
      break;
    default: complain("an immediate operation is waited for"); break;
  }
  flying_.push_back({.what = wanted});
}

bool process_world::is_readable(const descriptor& d) const {
  switch (d.what) {
    case descriptor::kind::pipe: {
      const world_stream& s = d.child->streams[d.stream];
      return s.read < s.written || !s.has_writer;
    }
    case descriptor::kind::pidfd: return d.child->exited;
    case descriptor::kind::event: return event_is_set_;
    case descriptor::kind::closed: break;
  }
  return false;
}

/// The result of a poll on it, if it is ready.
std::optional<std::int64_t> process_world::events(const descriptor& d) const {
  if (!is_readable(d)) return std::nullopt;
  if (d.what != descriptor::kind::pipe) return POLLIN;
  const world_stream& s = d.child->streams[d.stream];
  return (s.read < s.written ? POLLIN : 0) | (s.has_writer ? 0 : POLLHUP);
}

std::int64_t process_world::read(const machine_operation& wanted, std::uint64_t bytes_max) {
  descriptor& d = *find(wanted.fd);
  if (d.what == descriptor::kind::event) {
    if (!event_is_set_) return -EAGAIN;
    event_is_set_ = false;
    std::memset(wanted.buffer, 1, sizeof(std::uint64_t));
    return sizeof(std::uint64_t);
  }
  world_stream& s = d.child->streams[d.stream];
  const std::uint64_t count =
      std::min({std::uint64_t{wanted.length}, s.written - s.read, bytes_max});
  if (count == 0) return s.has_writer || s.read < s.written ? -EAGAIN : 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    wanted.buffer[i] = stream_byte(d.child->serial, d.stream, s.read++);
  }
  return static_cast<std::int64_t>(count);
}

std::int64_t process_world::cancel(const machine_operation& wanted) {
  for (flight& f : flying_) {
    if (f.what.user_data != wanted.target) continue;
    if (f.what.kind == operation_kind::cancel) complain("W5: a cancel is cancelled");
    f.cancelled = true;
    return 0;
  }
  return -ENOENT;
}

std::optional<std::int64_t> process_world::ready(flight& f, std::uint64_t bytes_max) {
  if (f.cancelled) return -ECANCELED;
  switch (f.what.kind) {
    case operation_kind::poll: return events(*find(f.what.fd));
    case operation_kind::read: return read(f.what, bytes_max);
    case operation_kind::timeout: {
      const auto at = f.what.deadline->seconds * 1'000'000'000 + f.what.deadline->nanoseconds;
      if (at != bast::internal::nanoseconds_of(f.what.due))
        complain("a deadline changed while it was the kernel's");
      if (now_ < at) return std::nullopt;
      return -ETIME;
    }
    default: return cancel(f.what);
  }
}

std::optional<process_world::completion> process_world::land(std::size_t which,
                                                             std::int64_t status) {
  const completion out{.what = flying_[which].what, .status = status};
  flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(which));
  past_.push_back(out);
  if (past_.size() > past_max) past_.erase(past_.begin());
  return out;
}

std::optional<process_world::completion> process_world::complete(std::size_t which,
                                                                 std::uint64_t bytes_max) {
  if (flying_.empty()) return std::nullopt;
  which %= flying_.size();
  const auto status = ready(flying_[which], bytes_max);
  if (!status) return std::nullopt;
  return land(which, *status);
}

std::optional<process_world::completion> process_world::lie(std::size_t which, unsigned how) {
  constexpr int errnos[] = {EINTR, EAGAIN, ECANCELED, ENOMEM, EIO, EBADF, EALREADY};
  // The next queries about the child fail.
  lies_to_wait_ = static_cast<int>(how >> 3);
  if (flying_.empty()) return std::nullopt;
  which %= flying_.size();
  flight& f = flying_[which];
  how &= 7;
  if (descriptor* const d = find(f.what.fd); d != nullptr && d->child != nullptr) {
    d->child->was_lied_to = true;
  }
  if (how < std::size(errnos)) {
    if (f.what.kind == operation_kind::cancel && errnos[how] == EALREADY) (void)cancel(f.what);
    return land(which, -errnos[how]);
  }
  switch (f.what.kind) {
    case operation_kind::poll: return land(which, POLLIN);
    case operation_kind::timeout: return land(which, 0);
    case operation_kind::read: return land(which, std::int64_t{f.what.length} + 1);
    default: return land(which, -EINVAL);
  }
}

std::optional<process_world::completion> process_world::past(std::size_t which) const {
  if (past_.empty()) return std::nullopt;
  return past_[which % past_.size()];
}

// ---- Immediate operations.

std::int64_t process_world::wait(const machine_operation& wanted, world_child& child) {
  if (lies_to_wait_ > 0) {
    --lies_to_wait_;
    child.was_lied_to = true;
    return (lies_to_wait_ & 1) != 0 ? -ENOMEM : -EINTR;
  }
  if (child.stolen) return -ECHILD;
  if (!child.exited) return 0;
  if (wanted.kind == operation_kind::reap) {
    if (!child.observed) complain("W2: a child is reaped whose exit was not observed");
    if (child.reaped) complain("W2: a child is reaped twice");
    child.reaped = true;
  }
  child.observed = true;
  *wanted.exit = child.end;
  return 1;
}

std::int64_t process_world::signal(const machine_operation& wanted, world_child& child) {
  if (wanted.signal != SIGTERM && wanted.signal != SIGKILL) complain("an unexpected signal");
  if (child.reaped) complain("W3: a reaped child is signalled");
  if (wanted.group != (child.own_group ? child.pid : 0)) complain("W3: another group");
  if (child.stolen) return -ESRCH;
  ++child.signals;
  const bool kills = wanted.signal == SIGKILL || !child.stubborn;
  if (kills && !child.exited) exit(child, CLD_KILLED, wanted.signal);
  if (kills && child.own_group) drop_grandchild(child);
  return 0;
}

std::int64_t process_world::members(const machine_operation& wanted, world_child& child) {
  if (child.reaped || !child.exited) complain("W3: a group without a leader is checked");
  if (wanted.group != child.pid || !child.own_group) complain("W3: another group");
  if (lies_to_wait_ > 0) {
    --lies_to_wait_;
    child.was_lied_to = true;
    return -EMFILE;
  }
  return child.has_grandchild ? 1 : 0;
}

std::int64_t process_world::perform(const machine_operation& wanted) {
  if (!names_.insert(wanted.user_data).second) complain("W4: a name is used twice");
  descriptor* const d = find(wanted.fd);
  if (d == nullptr) {
    complain("W1: a closed descriptor is used, or closed once more");
    return -EBADF;
  }
  switch (wanted.kind) {
    case operation_kind::observe:
    case operation_kind::reap:
    case operation_kind::signal:
    case operation_kind::members:
      if (d->what != descriptor::kind::pidfd) {
        complain("W1: another owner's descriptor");
        return -EBADF;
      }
      if (wanted.kind == operation_kind::members) return members(wanted, *d->child);
      return wanted.kind == operation_kind::signal ? signal(wanted, *d->child)
                                                   : wait(wanted, *d->child);
    case operation_kind::close:
      for (const flight& f : flying_) {
        const bool waits = f.what.kind != operation_kind::cancel && f.what.fd == wanted.fd;
        if (waits) complain("W1: a descriptor is closed with something in flight on it");
      }
      if (d->what == descriptor::kind::event) complain("W1: the host's eventfd is closed");
      *d = {};
      return 0;
    default: complain("an operation that waits is performed"); return -EINVAL;
  }
}

}  // namespace bast::model
