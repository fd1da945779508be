// SPDX-License-Identifier: Apache-2.0
#include "draw/watcher.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace bast_stacks::draw {

watcher::watcher(look_function look)
    : look_(std::move(look)), ready_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { work(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

watcher::~watcher() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  asked_.notify_one();
  thread_.join();
  if (ready_fd_ >= 0) ::close(ready_fd_);
}

void watcher::ask() {
  const std::lock_guard lock(mutex_);
  wanted_ = true;
  asked_.notify_one();
}

bool watcher::busy() const {
  const std::lock_guard lock(mutex_);
  return wanted_;
}

std::optional<std::expected<snapshot, problem>> watcher::take() {
  const std::lock_guard lock(mutex_);
  eventfd_t ignored = 0;
  if (ready_fd_ >= 0) (void)::eventfd_read(ready_fd_, &ignored);
  return std::exchange(seen_, std::nullopt);
}

void watcher::work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return over_ || wanted_; });
      if (over_) return;
    }
    std::expected<snapshot, problem> seen = look_();
    const std::lock_guard lock(mutex_);
    seen_ = std::move(seen);
    wanted_ = false;
    if (ready_fd_ >= 0) (void)::eventfd_write(ready_fd_, 1);
  }
}

}  // namespace bast_stacks::draw
