// SPDX-License-Identifier: Apache-2.0
#include "loop.hpp"

#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "unwrap.hpp"

#ifdef EXAMPLE_WITH_URING
#include <liburing.h>
#endif

namespace demo {
namespace {

class epoll_loop final : public command_loop {
 public:
  explicit epoll_loop(std::size_t processes_max)
      : adapter_(unwrap(bast::epoll_adapter::create({.processes_max = processes_max}))) {}
  ~epoll_loop() override { (void)adapter_->shut_down(); }

  const char* name() const override { return "one epoll set"; }
  bast::process_driver& driver() override { return *adapter_; }
  void turn() override {
    if (!adapter_->idle()) unwrap(adapter_->turn(std::chrono::hours(1)));
  }

 private:
  std::unique_ptr<bast::epoll_adapter> adapter_;
};

#ifdef EXAMPLE_WITH_URING

class uring_loop final : public command_loop {
 public:
  /// Takes an open ring.
  uring_loop(const io_uring& ring, std::size_t processes_max) : ring_(ring) {
    auto made = bast::uring_adapter::create(ring_, {.processes_max = processes_max});
    if (!made) ::io_uring_queue_exit(&ring_);
    adapter_ = unwrap(std::move(made));
  }
  ~uring_loop() override {
    (void)adapter_->shut_down();
    for (fill(); !adapter_->idle(); fill()) (void)wait();
    adapter_.reset();
    ::io_uring_queue_exit(&ring_);
  }

  const char* name() const override { return "one io_uring"; }
  bast::process_driver& driver() override { return *adapter_; }
  void turn() override {
    fill();  // This may end the last process.
    if (adapter_->machine().stats().live == 0) return;
    const int status = wait();
    if (status < 0 && status != -EINTR) {
      throw std::system_error(-status, std::generic_category(), "io_uring_submit_and_wait");
    }
  }

 private:
  void fill() {
    while (!adapter_->prepare()) ::io_uring_submit(&ring_);
  }
  int wait() {
    const int status = ::io_uring_submit_and_wait(&ring_, 1);
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
      const io_uring_cqe copy = *completion;
      ::io_uring_cqe_seen(&ring_, completion);
      (void)adapter_->handle(copy);  // All completions of this ring are its own.
    }
    return status;
  }

  io_uring ring_;
  std::unique_ptr<bast::uring_adapter> adapter_;
};

#endif

}  // namespace

std::unique_ptr<command_loop> make_command_loop(std::size_t processes_max) {
#ifdef EXAMPLE_WITH_URING
  io_uring ring{};
  // ENOSYS from old kernels and emulators, EPERM where it is forbidden.
  if (::io_uring_queue_init(256, &ring, 0) == 0) {
    return std::make_unique<uring_loop>(ring, processes_max);
  }
#endif
  return std::make_unique<epoll_loop>(processes_max);
}

}  // namespace demo
