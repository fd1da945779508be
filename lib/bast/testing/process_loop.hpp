// SPDX-License-Identifier: Apache-2.0
//
// `process_loop`: a common interface of the loops that supervise processes, so that one suite of
// tests covers all of them (P-23).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "bast/process.hpp"
#include "bast/testing/follow.hpp"

#if BAST_TEST_URING
#include <liburing.h>
#endif

namespace bast::test {

class process_loop {
 public:
  process_loop() = default;
  process_loop(const process_loop&) = delete;
  process_loop& operator=(const process_loop&) = delete;
  virtual ~process_loop() = default;

  /// Why this loop does not work here; empty if it does.
  virtual std::string missing() const { return ""; }
  [[nodiscard]] virtual result<process_id> start(const process_start& child) = 0;
  [[nodiscard]] virtual result<void> cancel(process_id id) = 0;
  virtual void cancel_from_anywhere(process_id id) = 0;
  /// Waits for events and handles them; returns at once when no process is left.
  virtual void turn() = 0;
  /// Ends every process, then the loop.
  virtual void shut_down() = 0;
  virtual process_machine& machine() = 0;
  virtual process_driver& driver() = 0;
};

class epoll_process_loop final : public process_loop {
 public:
  explicit epoll_process_loop(std::size_t processes_max = 256)
      : created_(epoll_adapter::create({.processes_max = processes_max})) {}

  std::string missing() const override { return created_ ? "" : created_.error().message(); }
  [[nodiscard]] result<process_id> start(const process_start& child) override {
    return follow(adapter(), child);
  }
  [[nodiscard]] result<void> cancel(process_id id) override { return adapter().cancel(id); }
  void cancel_from_anywhere(process_id id) override { adapter().cancel_from_anywhere(id); }
  void turn() override {
    if (!adapter().idle()) (void)adapter().turn(std::chrono::hours(1));
  }
  void shut_down() override { (void)adapter().shut_down(); }
  process_machine& machine() override { return adapter().machine(); }
  process_driver& driver() override { return adapter(); }

 private:
  epoll_adapter& adapter() { return **created_; }

  result<std::unique_ptr<epoll_adapter>> created_;
};

#if BAST_TEST_URING

/// The ring also carries its owner's operations: no-operations, and a read on a pipe that is
/// cancelled at the end.
class uring_process_loop final : public process_loop {
 public:
  explicit uring_process_loop(unsigned entries = 64, unsigned completions = 128) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_CQSIZE;
    parameters.cq_entries = completions;
    status_ = io_uring_queue_init_params(entries, &ring_, &parameters);
    if (status_ != 0) return;
    if (auto created = uring_adapter::create(ring_)) {
      adapter_ = std::move(*created);
    } else {
      status_ = -ENOMEM;
    }
  }
  ~uring_process_loop() override {
    adapter_.reset();
    if (status_ == 0) io_uring_queue_exit(&ring_);
  }

  /// ENOSYS from old kernels and emulators, EPERM if forbidden.
  std::string missing() const override {
    return status_ == 0 ? "" : "io_uring is refused: errno " + std::to_string(-status_);
  }
  [[nodiscard]] result<process_id> start(const process_start& child) override {
    return follow(adapter(), child);
  }
  [[nodiscard]] result<void> cancel(process_id id) override { return adapter().cancel(id); }
  void cancel_from_anywhere(process_id id) override { adapter().cancel_from_anywhere(id); }
  void turn() override {
    submit();
    if (adapter().machine().stats().live != 0) wait();
  }
  void shut_down() override {
    (void)adapter().shut_down();
    for (submit(); !adapter().idle(); submit()) wait();
  }
  process_machine& machine() override { return adapter().machine(); }
  process_driver& driver() override { return adapter(); }

  // The owner's operations.
  io_uring& ring() { return ring_; }
  /// Submits until there is room.
  io_uring_sqe& entry(std::uint64_t user_data) {
    io_uring_sqe* found = io_uring_get_sqe(&ring_);
    while (found == nullptr) {
      io_uring_submit(&ring_);
      found = io_uring_get_sqe(&ring_);
    }
    io_uring_prep_nop(found);
    io_uring_sqe_set_data64(found, user_data);
    return *found;
  }
  void wait() {
    io_uring_submit_and_wait(&ring_, 1);
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      const io_uring_cqe copy = *completion;
      io_uring_cqe_seen(&ring_, completion);
      if (!adapter().handle(copy)) {
        ++owners_completions;
        owners_last_status = copy.res;
      }
    }
  }
  void submit() {
    while (!adapter().prepare()) io_uring_submit(&ring_);
  }
  unsigned owners_completions = 0;
  int owners_last_status = 0;

 private:
  io_uring ring_{};
  int status_ = 0;
  uring_adapter& adapter() { return *adapter_; }

  std::unique_ptr<uring_adapter> adapter_;
};

#endif

}  // namespace bast::test
