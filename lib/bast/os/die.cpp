// SPDX-License-Identifier: Apache-2.0
//
// How the process ends when a contract is violated. Declared in base/check.hpp.
#include <unistd.h>

#include <cstdlib>

#include "bast/base.hpp"
#include "bast/os/signal.hpp"

namespace bast {

void os::write_diagnostic(const char* diagnostic, std::size_t length) noexcept {
  while (length != 0) {
    const ssize_t written = ::write(STDERR_FILENO, diagnostic, length);
    if (written <= 0) return;  // Nobody listens, or EINTR of a dying process: nothing to save.
    diagnostic += written;
    length -= static_cast<std::size_t>(written);
  }
}

void internal::die(const char* diagnostic, std::size_t length) noexcept {
  os::write_diagnostic(diagnostic, length);
  std::abort();
}

}  // namespace bast
