// SPDX-License-Identifier: Apache-2.0
#include "bast/os/alternate_stack.hpp"

#include <signal.h>
#include <sys/auxv.h>

#include <algorithm>
#include <utility>

#include "bast/os/fault_injection.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/thread_end.hpp"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51  // <linux/auxvec.h>; absent from older libc headers
#endif

namespace bast::inline BAST_ABI::os {
namespace {

using internal::system_call;

// The handler itself takes under 2 KiB; the overflow report with its unwinder takes up to 16 KiB.
constexpr std::size_t handler_bytes = 4096;
constexpr std::size_t own_stack_bytes = 64 << 10;

std::size_t signal_frame_bytes() noexcept {
  const unsigned long reported = ::getauxval(AT_MINSIGSTKSZ);
  return std::max<std::size_t>(reported, 2048);  // x86-64 kernels before 5.14 report nothing.
}

int set_alternate(const stack_t* next, stack_t* before) noexcept {
  return system_call(call::sigaltstack, -1, [=] { return ::sigaltstack(next, before); });
}

/// One per thread that called. Has no destructor: pools of this thread may be destroyed, and grow,
/// after the other thread_locals.
class thread_stack {
 public:
  constexpr thread_stack() = default;
  thread_stack(const thread_stack&) = delete;
  thread_stack& operator=(const thread_stack&) = delete;
  ~thread_stack() = default;

  /// At the thread's end (I3).
  void take_down() noexcept {
    if (base_ == nullptr) return;
    stack_t installed{};
    // If another stack was installed over ours, that one stays (I1).
    const bool ours_is_installed =
        ::sigaltstack(nullptr, &installed) == 0 && installed.ss_sp == base_ + page_bytes();
    if (ours_is_installed && !BAST_MUTANT(altstack_not_restored))
      (void)::sigaltstack(&before_, nullptr);
    release(std::exchange(base_, nullptr), total_);
  }

  result<void> install() noexcept {
    // Ours may be mapped already: another one was installed over it, and that one has been removed.
    if (base_ == nullptr) {
      if (const auto mapped = map_guarded(); !mapped) return mapped;
    }
    stack_t next{};
    next.ss_sp = base_ + page_bytes();
    next.ss_size = total_ - page_bytes();
    if (set_alternate(&next, &before_) != 0) {
      const int cause = errno;
      release(base_, total_);
      base_ = nullptr;
      return std::unexpected<error>(
          error::from_errno(cause, "os.ensure_alternate_stack", "sigaltstack refused"));
    }
    return {};
  }

 private:
  result<void> map_guarded() noexcept {
    const std::size_t size =
        bast::internal::round_up(std::max(own_stack_bytes, 4 * signal_frame_bytes()), page_bytes());
    const std::size_t total = size + page_bytes();
    const auto mapped = map(total);
    if (!mapped) return std::unexpected(mapped.error());
    if (const auto guarded = protect(*mapped, page_bytes(), access::none); !guarded) {
      release(*mapped, total);
      return guarded;  // I2
    }
    base_ = *mapped;
    total_ = total;
    return {};
  }

  std::byte* base_ = nullptr;
  std::size_t total_ = 0;
  stack_t before_{};
};

constinit thread_local thread_stack own_stack;
constinit thread_local thread_end_task take_down_at_end{
    .run = [] noexcept { own_stack.take_down(); }};

result<void> install_own() noexcept {
  if (auto due = at_thread_end(take_down_at_end); !due) return due;
  return own_stack.install();
}

}  // namespace

std::size_t alternate_stack_bytes_min() noexcept { return signal_frame_bytes() + handler_bytes; }

result<void> ensure_alternate_stack() noexcept {
  stack_t installed{};
  if (set_alternate(nullptr, &installed) != 0) {
    return std::unexpected<error>(
        error::from_errno(errno, "os.ensure_alternate_stack", "sigaltstack cannot be read"));
  }
  if ((installed.ss_flags & SS_DISABLE) != 0) return install_own();
  if (installed.ss_size < alternate_stack_bytes_min()) {  // I1
    return fail(errc::invalid, "os.ensure_alternate_stack",
                "this thread's alternate signal stack, which bast did not install, is too small "
                "for the fault handler, which needs this many bytes",
                static_cast<std::int64_t>(alternate_stack_bytes_min()));
  }
  return {};
}

}  // namespace bast::inline BAST_ABI::os
