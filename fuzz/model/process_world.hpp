// SPDX-License-Identifier: Apache-2.0
//
// `process_world`: a simulated kernel and its processes: it performs the operations of a process
// machine and supplies its completions. It complains about operations that no kernel would forgive:
//
//   W1  A descriptor is closed once, by its owner, and with nothing in flight on it.
//   W2  A child is reaped once, and only after its exit was observed.
//   W3  A process group is signalled only while its leader is not reaped.
//   W4  At most one operation of a name is in flight, and no name is used twice.
//   W5  A cancel has a target that was in flight.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bast/process.hpp"

namespace bast::model {

/// Byte number `at` of a stream: nearly every loss, doubling or exchange of bytes is detected.
std::byte stream_byte(std::uint64_t serial, std::size_t stream, std::uint64_t at);

struct world_stream {
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  bool has_writer = true;
};

struct world_child {
  std::uint64_t serial = 0;
  pid_t pid = -1;
  bool own_group = false;
  bool stubborn = false;
  bool has_grandchild = false;
  bool exited = false;
  bool observed = false;  // by us
  bool reaped = false;
  bool stolen = false;  // reaped by other code
  bool was_lied_to = false;
  unsigned signals = 0;  // sent by us
  child_exit end = {};
  std::array<world_stream, 2> streams;
};

class process_world {
 public:
  struct completion {
    machine_operation what;
    std::int64_t status;
  };

  /// References to children stay valid.
  world_child& fork(bool own_group);
  int open_pipe(world_child& child, std::size_t stream);
  int open_pidfd(world_child& child);
  int open_event();
  /// The host closes its event; the next machine may use the names of this one.
  void close_event(int fd) {
    *find(fd) = {};
    names_.clear();
  }

  // Actions of children.
  static void write(world_child& child, std::size_t stream, std::uint64_t count);
  static void exit(world_child& child, int code, int status);
  static void drop_grandchild(world_child& child);
  void set_event() { event_is_set_ = true; }
  void pass(std::int64_t duration_ns) { now_ += duration_ns; }
  std::int64_t now() const { return now_; }

  // Requests of the machine.
  void submit(const machine_operation& wanted);
  std::int64_t perform(const machine_operation& wanted);
  std::size_t in_flight() const { return flying_.size(); }
  /// Completes the operation `which`, if it is ready. A read returns `bytes_max` bytes at most.
  std::optional<completion> complete(std::size_t which, std::uint64_t bytes_max = UINT64_MAX);
  /// Completes it with a false result; `how` chooses.
  std::optional<completion> lie(std::size_t which, unsigned how);
  /// An earlier completion, or nothing.
  std::optional<completion> past(std::size_t which) const;

  std::size_t open_descriptors() const;
  const std::string& complaint() const { return complaint_; }
  void complain(std::string_view what) {
    if (complaint_.empty()) complaint_ = what;
  }

 private:
  struct descriptor {
    enum class kind : std::uint8_t { closed, pipe, pidfd, event };
    kind what = kind::closed;
    world_child* child = nullptr;
    std::size_t stream = 0;
  };
  struct flight {
    machine_operation what;
    bool cancelled = false;
  };

  int open(const descriptor& what);
  descriptor* find(int fd);
  bool is_readable(const descriptor& d) const;
  std::optional<std::int64_t> events(const descriptor& d) const;
  std::optional<std::int64_t> ready(flight& f, std::uint64_t bytes_max);
  std::int64_t read(const machine_operation& wanted, std::uint64_t bytes_max);
  std::int64_t cancel(const machine_operation& wanted);
  std::int64_t wait(const machine_operation& wanted, world_child& child);
  std::int64_t signal(const machine_operation& wanted, world_child& child);
  std::int64_t members(const machine_operation& wanted, world_child& child);
  std::optional<completion> land(std::size_t which, std::int64_t status);

  std::deque<world_child> children_;
  std::vector<descriptor> descriptors_;  // number first_fd is the first
  std::vector<flight> flying_;
  std::vector<completion> past_;
  std::set<std::uint64_t> names_;
  std::int64_t now_ = 1;
  bool event_is_set_ = false;
  int lies_to_wait_ = 0;
  std::string complaint_;
};

}  // namespace bast::model
