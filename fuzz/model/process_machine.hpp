// SPDX-License-Identifier: Apache-2.0
//
// `process_harness`: a process machine in a simulated world (process_world.hpp), and the invariants
// of each child:
//
//   D1  Its end is reported exactly once, and before the machine is idle.
//   D2  Every byte that was read is in its result, was taken, or was discarded beyond the limit, in
//       this order.
//   D3  The status is the child's own, or lost; lost only if other code reaped it, or the world
//       gave a false result.
//   D4  Its end has a valid reason.
//   D5  What is ignored changes nothing (P-22).
//   D6  When all results are true again, the machine becomes idle, and every descriptor is closed.
//   D7  No process of a stopped group is left when the end is reported (P-14).
//   D8  A stream reported as complete has all bytes written (P-16), and a grandchild is blamed only
//       for bytes that there was room for.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "model/fault_schedule.hpp"
#include "model/process_language.hpp"
#include "model/process_world.hpp"

namespace bast::model {

class process_harness {
 public:
  process_harness(std::uint16_t options, fault_schedule& faults);
  process_harness(const process_harness&) = delete;
  process_harness& operator=(const process_harness&) = delete;
  ~process_harness() { end(); }

  /// False if the machine could not be created.
  bool ready() const { return machine_ != nullptr; }
  void perform(const op& o);
  /// The visible state: see lives.hpp.
  std::string seen() const {
    const process_machine_stats& stats = machine_->stats();
    return std::to_string(machine_->digest()) + " " + std::to_string(stats.peak) + " " +
           std::to_string(stats.ignored_foreign) + " " + std::to_string(stats.ignored_unknown) +
           " " + std::to_string(stats.ignored_stale) + " " + std::to_string(stats.refusals) + " " +
           std::to_string(stats.unreaped);
  }
  /// All results are true from here on: the machine must become idle.
  void end();
  const std::string& complaint() const {
    return complaint_.empty() ? world_.complaint() : complaint_;
  }

 private:
  struct kept_stream {
    bool captured = false;
    std::size_t limit = 0;
    on_limit policy = on_limit::error_and_kill;
    std::deque<std::byte> bytes;
    std::uint64_t discarded = 0;
    /// The most that is kept: under backpressure a pipe's capacity more, once the child is gone.
    std::size_t kept_max(bool gone) const {
      constexpr std::size_t pipe_bytes = 65'536;
      const bool more = gone && policy == on_limit::backpressure;
      return more && limit < SIZE_MAX - pipe_bytes ? limit + pipe_bytes : limit;
    }
  };
  /// The required results of one supervised child.
  struct follower {
    process_harness* harness = nullptr;
    world_child* child = nullptr;
    process_id id;
    std::array<kept_stream, 2> streams;
    std::int64_t timeout_at = bast::internal::never_ns;
    bool was_cancelled = false;
    bool ended = false;
  };

  void complain(const char* what) {
    if (complaint_.empty()) complaint_ = what;
  }
  void start(std::uint8_t who, std::uint16_t value);
  follower* find(std::uint8_t who);
  void pump(std::size_t count);
  void deliver(const std::optional<process_world::completion>& done);
  static bool is_gone(const world_child& child);
  void fed(const process_world::completion& done);
  void ignore(std::uint64_t user_data, std::int64_t status);
  void take(follower& f, std::uint16_t value);
  void stop_child(std::uint8_t who, process_op how);
  void child_acts(std::uint8_t who, const op& o);
  void finished(follower& f, process_result&& result);
  void compare(const kept_stream& expected, const captured_output& seen, const world_child& child,
               std::size_t which);

  fault_schedule& faults_;
  process_world world_;
  std::unique_ptr<process_machine> machine_;
  std::deque<follower> followers_;  // of all times
  std::array<follower*, subjects_max> current_ = {};
  int wake_fd_ = -1;
  int chained_ = 0;  // remaining starts from inside end callbacks
  bool shut_down_ = false;
  bool ended_ = false;
  std::string complaint_;
};

}  // namespace bast::model
