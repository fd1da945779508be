// SPDX-License-Identifier: Apache-2.0
//
// Waiting until a descriptor can be read from or written to:
//
//   for (;;) {
//     const ssize_t size = ::read(socket, space, sizeof space);   // O_NONBLOCK
//     if (size >= 0 || errno != EAGAIN) break;
//     if (auto ready = perform(bast::timeout(bast::readable(socket), 5s)); !ready) return ready;
//   }
//
// An op that commits has read nothing: bytes cannot be lost to an arm that was not chosen (O-18).
// Its number must stay open until the perform has ended: whoever closes it cancels the wait before.
#pragma once

#include "bast/io/event_loop.hpp"
#include "bast/op.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// Commits when its descriptor is ready, or cannot be waited for, with that error.
class descriptor_leaf final : public basic_leaf<real_traits> {
 public:
  using performer = basic_performer<real_traits>;
  descriptor_leaf(int fd, os::readiness awaited) noexcept {
    watch_.fd = fd;
    watch_.awaited = awaited;
    watch_.of = this;
  }

  bool looks_ready() const noexcept override { return true; }
  progress attempt(performer& who) override;
  progress enlist(performer& who) override;
  void delist() noexcept override;
  const result<void>& outcome() const noexcept { return outcome_; }

 private:
  struct own_watch : descriptor_watch {
    descriptor_leaf* of = nullptr;
  };
  progress commit(performer& who, result<void> with) noexcept;

  own_watch watch_;
  event_loop* loop_ = nullptr;
  result<void> outcome_;
};

}  // namespace internal

/// Commits when a descriptor is ready in one direction.
class [[nodiscard]] descriptor_op {
 public:
  using value_type = void;
  descriptor_op(int fd, os::readiness awaited) noexcept : fd_(fd), awaited_(awaited) {}

  template <class>
  class plan : public internal::leaf_plan<internal::descriptor_leaf> {
   public:
    explicit plan(descriptor_op op) : leaf_plan(op.fd_, op.awaited_) {}
    [[nodiscard]] result<void> take(const internal::leaf* /*leaf*/) { return leaf_.outcome(); }
  };

 private:
  int fd_;
  os::readiness awaited_;
};

/// Commits when a read of `fd` would not block: there are bytes, or a connection, or the peer has
/// hung up, or the descriptor is in error. A file is always ready.
///
/// Errors: busy (another fiber of this worker waits for this direction of it; the other direction
/// is free: IO-4); io (EBADF: it is not open); unsupported (it is not ready, and the caller is an
/// OS thread, which can wait with poll(2), or a coroutine whose thread is in no event loop);
/// `limit` (fs.epoll.max_user_watches), no_memory.
inline descriptor_op readable(int fd) noexcept { return {fd, os::readiness::readable}; }
/// As readable(), when a write would not block.
inline descriptor_op writable(int fd) noexcept { return {fd, os::readiness::writable}; }

}  // namespace bast::inline BAST_ABI
