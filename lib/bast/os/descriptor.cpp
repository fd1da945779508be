// SPDX-License-Identifier: Apache-2.0
#include "bast/os/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

constexpr int standard_count = 3;

/// The state that all leases of the process share.
struct standard_descriptors {
  std::mutex lock;
  unsigned leases = 0;
  bool filled[standard_count] = {};  // by us, with /dev/null
};
constinit standard_descriptors standard;

/// Requires the lock.
void empty_again() noexcept {
  for (int fd = 0; fd < standard_count; ++fd) {
    if (std::exchange(standard.filled[fd], false)) close_descriptor(fd);
  }
}

/// Returns any free number, possibly below 3.
int open_as_it_comes(const char* path, int flags, mode_t mode) noexcept {
  int fd = -1;
  do {
    fd = system_call(call::open, -1, [=] { return ::open(path, flags | O_CLOEXEC, mode); });
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Requires the lock. Numbers filled before an error stay in `filled`.
result<void> fill() noexcept {
  for (int fd = 0; fd < standard_count; ++fd) {
    const auto open = is_open(fd);
    if (!open) return std::unexpected(open.error());
    if (*open) continue;
    descriptor null(open_as_it_comes("/dev/null", O_RDWR, 0));
    if (!null) return failed("os.open_file", "open refused the path");
    // open takes the lowest free number. A higher one means that another thread took this one.
    if (null.get() >= standard_count) continue;
    standard.filled[null.get()] = true;
    (void)null.release();
  }
  return {};
}

}  // namespace

void close_descriptor(int fd) noexcept { (void)::close(fd); }

int above_standard(int fd) noexcept {
  if (fd < 0 || fd >= standard_count) return fd;
  const int moved = system_call(call::duplicate, -1,
                                [=] { return ::fcntl(fd, F_DUPFD_CLOEXEC, standard_count); });
  const int error_number = errno;
  close_descriptor(fd);
  errno = error_number;
  return moved;
}

result<descriptor> open_file(const char* path, int flags, mode_t mode) noexcept {
  const int fd = above_standard(open_as_it_comes(path, flags, mode));
  if (fd < 0) return failed("os.open_file", "open refused the path");
  return descriptor(fd);
}

result<bool> is_open(int fd) noexcept {
  const int flags = system_call(call::duplicate, -1, [=] { return ::fcntl(fd, F_GETFD); });
  if (flags >= 0) return true;
  if (errno == EBADF) return false;
  return failed("os.is_open", "fcntl(F_GETFD) refused", fd);
}

bool is_same_file(int a, int b) noexcept {
  struct stat first{};
  struct stat second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

result<standard_descriptors_lease> standard_descriptors_lease::take() noexcept {
  const std::lock_guard guard(standard.lock);
  if (const auto filled = fill(); !filled) {
    if (standard.leases == 0) empty_again();
    return std::unexpected(filled.error());
  }
  ++standard.leases;
  return standard_descriptors_lease();
}

standard_descriptors_lease::~standard_descriptors_lease() {
  if (!held_) return;
  const std::lock_guard guard(standard.lock);
  BAST_ASSERT(standard.leases > 0);
  if (--standard.leases == 0) empty_again();
}

}  // namespace bast::inline BAST_ABI::os
