// SPDX-License-Identifier: Apache-2.0
//
// `epoll_backend`: a backend over epoll, with an eventfd for wakes.
//
// The kernel has one request per descriptor, for the sum of the directions that are watched, and
// ends it when it reports one of them (EPOLLONESHOT). Each request has a number of its own, which
// its event carries: an event of an earlier request, or of a descriptor that had this number
// before, is recognised and dropped.
//
//   I1  Outside of wait(), the kernel's latest request for a descriptor asks for exactly the
//       directions that have a watch, and there is none without a watch after unwatch(). Unless the
//       program closed the descriptor meanwhile: then nothing is reported, until unwatch().
//   I2  watched_ is the number of watches in slots_.
#pragma once

#include "bast/io/backend.hpp"

namespace bast::inline BAST_ABI::internal {

class epoll_backend final : public io_backend {
 public:
  epoll_backend(const epoll_backend&) = delete;
  epoll_backend& operator=(const epoll_backend&) = delete;
  /// For the calling thread; not valid in a forked child. Errors: `limit`, no_memory.
  [[nodiscard]] static result<epoll_backend*> create() noexcept;
  /// No descriptor may be watched (checked), except in a forked child.
  static void destroy(epoll_backend* unused) noexcept;

  std::uint64_t now_ns() noexcept override;
  [[nodiscard]] result<void> reserve(int fd) noexcept override;
  [[nodiscard]] result<void> watch(descriptor_watch& asked) noexcept override;
  void unwatch(descriptor_watch& asked) noexcept override;
  std::size_t watched() const noexcept override { return watched_; }
  [[nodiscard]] result<std::size_t> wait(std::uint64_t until_ns) noexcept override;
  void wake() noexcept override;
  /// Readable when a wait would not wait.
  [[nodiscard]] int fd() const noexcept { return poller_.get(); }

  /// Ends the process unless I2 holds, and what I1 says of the slots. For tests.
  void check_invariants() const noexcept;

 private:
  /// What is watched of one descriptor.
  struct directions {
    descriptor_watch* reader = nullptr;
    descriptor_watch* writer = nullptr;
    std::uint32_t request = 0;  // the number of the latest
  };

  epoll_backend(os::descriptor poller, os::descriptor wake) noexcept
      : poller_(std::move(poller)), wake_(std::move(wake)) {}
  ~epoll_backend() override;

  directions* slot_of(int fd) noexcept;
  static descriptor_watch*& place_of(directions& slot, os::readiness awaited) noexcept {
    return awaited == os::readiness::writable ? slot.writer : slot.reader;
  }
  [[nodiscard]] result<void> request(int fd, directions& slot) noexcept;
  std::size_t report(std::uint64_t data, std::uint32_t mask) noexcept;
  std::size_t end_watch(directions& slot, os::readiness awaited) noexcept;
  void took_wake() noexcept;

  os::descriptor poller_;
  os::descriptor wake_;
  os::fork_mark process_ = os::fork_mark::here();
  std::uintptr_t thread_ = os::real_atomics::self();
  std::atomic<bool> woken_{false};  // the eventfd is set, or about to be
  directions* slots_ = nullptr;     // by descriptor number
  std::size_t slots_count_ = 0;
  std::size_t watched_ = 0;
};

}  // namespace bast::inline BAST_ABI::internal
