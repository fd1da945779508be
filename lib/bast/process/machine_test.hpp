// SPDX-License-Identifier: Apache-2.0
//
// `scripted_machine`: a process machine whose completions all come from the test.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bast/process/machine.hpp"

namespace bast::test {

inline constexpr int pidfd = 50;
inline constexpr int output_fd = 51;
inline constexpr int errors_fd = 52;
inline constexpr int event_fd = 60;  // wakes the machine
inline constexpr std::int64_t millisecond = 1'000'000;

class scripted_machine : public testing::Test {
 protected:
  void SetUp() override { init({.processes_max = 2}); }
  void init(const process_machine_options& options) {
    auto made = process_machine::create(options);
    ASSERT_TRUE(made);
    machine = std::move(*made);
  }
  void TearDown() override {
    machine->check_invariants();
    EXPECT_TRUE(machine->idle());
  }

  process_start child() {
    process_start out;
    out.pid = 1234;
    out.pidfd = pidfd;
    out.context = this;
    out.finished = [](void* context, process_id, process_result&& ended) noexcept {
      auto& self = *static_cast<scripted_machine*>(context);
      EXPECT_TRUE(!self.results_are_wanted || !self.result) << "two ends";
      self.result.emplace(std::move(ended));
    };
    return out;
  }
  process_start captured(to::capture capture = {}) {
    process_start out = child();
    out.output_pipe = output_fd;
    out.output = capture;
    return out;
  }
  process_start both() {
    process_start out = captured();
    out.errors_pipe = errors_fd;
    return out;
  }
  process_id start(const process_start& child) {
    const auto id = machine->start(child);
    EXPECT_TRUE(id);
    pump();
    return id.value_or(process_id());
  }

  /// Takes all requested operations. Those that wait are in flight; the others complete at once,
  /// with the results in `exited` and `immediate`, and are recorded.
  void pump() {
    while (const machine_operation* const wanted = machine->next()) {
      const machine_operation op = *wanted;
      machine->sent();
      if (!is_immediate(op.kind)) {
        flying.push_back(op);
        continue;
      }
      done.push_back(op);
      machine->complete(op.user_data, perform(op));
      machine->check_invariants();
    }
    machine->check_invariants();
  }
  std::int64_t perform(const machine_operation& op) {
    if (!immediate.empty()) {
      const std::int64_t status = immediate.front();
      immediate.erase(immediate.begin());
      if (status <= 0) return status;
    }
    if (op.kind == operation_kind::close || op.kind == operation_kind::signal) return 0;
    if (op.kind == operation_kind::members) return members;
    if (!exited) return 0;
    *op.exit = *exited;
    return 1;
  }
  /// Removes and returns the operation of that kind in flight on `fd`.
  machine_operation flight(operation_kind kind, int fd = -1) {
    for (std::size_t i = 0; i < flying.size(); ++i) {
      const machine_operation op = flying[i];
      if (op.kind != kind || op.fd != fd) continue;
      flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(i));
      return op;
    }
    ADD_FAILURE() << "not in flight: " << static_cast<int>(kind) << " on " << fd;
    return {};
  }
  void complete(const machine_operation& op, std::int64_t status) {
    machine->complete(op.user_data, status);
    pump();
  }
  void complete_poll(int fd, std::int64_t status = POLLIN) {
    complete(flight(operation_kind::poll, fd), status);
  }
  /// Completes a read in flight with these bytes.
  void bring(std::string_view bytes, int fd = output_fd) {
    const machine_operation op = flight(operation_kind::read, fd);
    ASSERT_LE(bytes.size(), op.length);
    std::memcpy(op.buffer, bytes.data(), bytes.size());
    complete(op, static_cast<std::int64_t>(bytes.size()));
  }
  void exit_now(int code = CLD_EXITED, int status = 0) {
    exited = child_exit{.code = code, .status = status, .usage = {}};
    complete_poll(pidfd);
  }
  void cancelled(operation_kind kind, int fd = -1) {
    complete(flight(operation_kind::cancel, fd), 0);
    complete(flight(kind, fd), -ECANCELED);
  }
  void tick(std::int64_t now) {
    set_time(now);
    pump();
  }
  /// Reports the time without taking operations.
  void set_time(std::int64_t now) { machine->tick(internal::time_of(now)); }
  std::int64_t next_deadline() const { return internal::nanoseconds_of(machine->next_deadline()); }
  /// Cancels all processes, and completes operations until none is in flight.
  void end_all() {
    results_are_wanted = false;
    exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
    immediate.clear();
    machine->shut_down();
    pump();
    int rounds = 0;
    while (!flying.empty()) {
      const machine_operation op = flying.back();
      flying.pop_back();
      const internal::operation_name name = internal::decode(op.user_data);
      const auto what = static_cast<internal::role>(name.what);
      if (name.slot == internal::wake_slot || what == internal::role::timer) {
        complete(op, op.kind == operation_kind::cancel ? 0 : -ECANCELED);
      } else if (op.kind == operation_kind::poll) {
        complete(op, POLLHUP);
      } else {
        complete(op, 0);  // The end of a stream, or a completed cancel.
      }
      ASSERT_LT(++rounds, 1000);
      if (flying.size() > 1) std::rotate(flying.begin(), flying.begin() + 1, flying.end());
    }
  }
  /// All counters, in one line.
  std::string counts() const {
    const process_machine_stats& s = machine->stats();
    std::string out;
    const auto add = [&out](const char* name, std::uint64_t value) {
      out += (out.empty() ? "" : " ") + std::string(name) + (*name == 0 ? "" : " ") +
             std::to_string(value);
    };
    add("live", s.live);
    add("peak", s.peak);
    add("flying", s.in_flight);
    add("started", s.started);
    add("finished", s.finished);
    add("ignored", s.ignored_foreign);
    add("", s.ignored_unknown);
    add("", s.ignored_stale);
    add("refused", s.refusals);
    add("zombies", s.unreaped);
    return out;
  }
  std::string signals() const {
    std::string out;
    for (const machine_operation& op : done) {
      if (op.kind == operation_kind::signal) out += std::to_string(op.signal) + " ";
    }
    return out;
  }
  std::string kinds_done() const {
    constexpr const char* names[] = {"observe", "reap", "signal", "close", "members"};
    std::string out;
    for (const machine_operation& op : done) {
      out += names[static_cast<int>(op.kind) - static_cast<int>(operation_kind::observe)];
      out += " ";
    }
    return out;
  }

  std::unique_ptr<process_machine> machine;
  std::optional<process_result> result;
  std::vector<machine_operation> flying;
  std::vector<machine_operation> done;
  std::optional<child_exit> exited;
  std::int64_t members = 0;  // of the group, besides its leader
  bool results_are_wanted = true;
  std::vector<std::int64_t> immediate;  // results of the next immediate operations; 1: as usual
};

}  // namespace bast::test
