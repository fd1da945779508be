// SPDX-License-Identifier: Apache-2.0
//
// `epoll_backend`: a backend over epoll, with an eventfd for wakes.
#pragma once

#include "bast/io/backend.hpp"

namespace bast::inline BAST_ABI::internal {

class epoll_backend final : public io_backend {
 public:
  /// For the calling thread; not valid in a forked child. Errors: `limit`, no_memory.
  [[nodiscard]] static result<epoll_backend*> create() noexcept;
  static void destroy(epoll_backend* unused) noexcept;

  std::uint64_t now_ns() noexcept override;
  result<void> reserve(int fd) noexcept override;
  result<void> watch(descriptor_watch& asked) noexcept override;
  void unwatch(descriptor_watch& asked) noexcept override;
  std::size_t watched() const noexcept override { return watched_; }
  result<std::size_t> wait(std::uint64_t until_ns) noexcept override;
  void wake() noexcept override;

 private:
  /// What is watched of one descriptor; the kernel knows the sum.
  struct directions {
    descriptor_watch* reader = nullptr;
    descriptor_watch* writer = nullptr;
  };

  epoll_backend(os::descriptor poller, os::descriptor wake) noexcept
      : poller_(std::move(poller)), wake_(std::move(wake)) {}
  ~epoll_backend() override;

  os::descriptor poller_;
  os::descriptor wake_;
  directions* slots_ = nullptr;  // by descriptor number
  std::size_t slots_count_ = 0;
  std::size_t watched_ = 0;
};

}  // namespace bast::inline BAST_ABI::internal
