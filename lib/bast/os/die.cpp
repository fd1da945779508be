// SPDX-License-Identifier: Apache-2.0
//
// Ends the process when a contract is violated. Declared in base/check.hpp.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "bast/base.hpp"
#include "bast/os/signal.hpp"

namespace bast::inline BAST_ABI {
namespace {

/// Writing to a pipe without a reader, or to a file at its size limit, raises a signal that by
/// default ends the process (P-17). During its lifetime this class blocks these signals for the
/// calling thread; it consumes those that arrived. Async-signal-safe.
class write_signals_held {
 public:
  write_signals_held() noexcept {
    ::sigemptyset(&ours_);
    ::sigaddset(&ours_, SIGPIPE);
    ::sigaddset(&ours_, SIGXFSZ);
    ::sigpending(&pending_);
    (void)::pthread_sigmask(SIG_BLOCK, &ours_, &before_);
  }
  ~write_signals_held() {
    // A signal that was pending before, or is blocked by its owner, is not ours to consume.
    for (const int number : {SIGPIPE, SIGXFSZ}) {
      if (::sigismember(&pending_, number) != 0) ::sigdelset(&ours_, number);
    }
    const timespec at_once{};
    while (::sigtimedwait(&ours_, nullptr, &at_once) > 0) {
    }
    (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  write_signals_held(const write_signals_held&) = delete;
  write_signals_held& operator=(const write_signals_held&) = delete;

 private:
  sigset_t ours_{};
  sigset_t pending_{};
  sigset_t before_{};
};

}  // namespace

void os::write_diagnostic(const char* diagnostic, std::size_t length) noexcept {
  if (length == 0) return;
  const write_signals_held held;
  while (length != 0) {
    const ssize_t written = ::write(STDERR_FILENO, diagnostic, length);
    if (written <= 0) return;  // No reader, or EINTR in a dying process: give up.
    diagnostic += written;
    length -= static_cast<std::size_t>(written);
  }
}

void internal::die(const char* diagnostic, std::size_t length) noexcept {
  os::write_diagnostic(diagnostic, length);
  std::abort();
}

}  // namespace bast::inline BAST_ABI
