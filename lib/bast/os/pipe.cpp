// SPDX-License-Identifier: Apache-2.0
#include "bast/os/pipe.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

// From <linux/memfd.h> of Linux 6.3; Debian 12's headers are older. Without this flag a kernel
// whose vm.memfd_noexec is 2 refuses the call, and others may log a warning.
constexpr unsigned mfd_noexec_seal = 8;

/// Blocks SIGPIPE of the calling thread while it exists; the one that a write raised meanwhile is
/// taken back.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    sigset_t waiting = {};
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    (void)::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
    (void)::sigpending(&waiting);
    was_pending_ = ::sigismember(&waiting, SIGPIPE) == 1;
  }
  ~without_sigpipe() { (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;

  /// Keeps errno.
  void take_back() const noexcept {
    const int error_number = errno;
    const timespec at_once = {};
    while (!was_pending_ && ::sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    errno = error_number;
  }

 private:
  sigset_t sigpipe_ = {};
  sigset_t before_ = {};
  bool was_pending_ = false;
};

int create_memory_file(const char* name, unsigned flags) noexcept {
  return above_standard(
      system_call(call::memory_file, -1, [=] { return ::memfd_create(name, flags); }));
}

template <class Change>
bool set_flags(int fd, Change change) noexcept {
  return system_call(call::pipe, -1, [=] {
           const int flags = ::fcntl(fd, F_GETFL);
           return flags < 0 ? -1 : ::fcntl(fd, F_SETFL, change(flags));
         }) == 0;
}

}  // namespace

bool may_write_up_to(std::uint64_t end) noexcept {
  rlimit most{};
  return ::getrlimit(RLIMIT_FSIZE, &most) == 0 && end <= most.rlim_cur;
}

result<pipe_ends> make_pipe() noexcept {
  int fds[2] = {-1, -1};
  const int status = system_call(call::pipe, -1, [&] { return ::pipe2(fds, O_CLOEXEC); });
  if (status != 0) return failed("os.make_pipe", "pipe2 refused");
  descriptor write_end(fds[1]);
  pipe_ends ends{.read_end = descriptor(above_standard(fds[0])), .write_end = {}};
  if (!ends.read_end) return failed("os.make_pipe", "no number above 2 is free");
  ends.write_end = descriptor(above_standard(write_end.release()));
  if (!ends.write_end) return failed("os.make_pipe", "no number above 2 is free");
  return ends;
}

result<void> set_nonblocking(int fd) noexcept {
  if (!set_flags(fd, [](int flags) { return flags | O_NONBLOCK; })) {
    return failed("os.set_nonblocking", "fcntl(F_SETFL) refused", fd);
  }
  return {};
}

result<void> set_blocking(int fd) noexcept {
  if (!set_flags(fd, [](int flags) { return flags & ~O_NONBLOCK; })) {
    return failed("os.set_blocking", "fcntl(F_SETFL) refused", fd);
  }
  return {};
}

result<std::size_t> read_some(int fd, std::span<std::byte> space) noexcept {
  ssize_t size = -1;
  do {
    size = system_call(call::read, ssize_t{-1},
                       [=] { return ::read(fd, space.data(), space.size()); });
  } while (size < 0 && errno == EINTR);
  if (size < 0) return failed("os.read_some", "read refused", fd);
  return static_cast<std::size_t>(size);
}

result<std::size_t> write_some(int fd, std::span<const std::byte> bytes) noexcept {
  const without_sigpipe quiet;
  ssize_t size = -1;
  do {
    size = system_call(call::write, ssize_t{-1},
                       [=] { return ::write(fd, bytes.data(), bytes.size()); });
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EPIPE && !BAST_MUTANT(sigpipe_raised)) quiet.take_back();
  if (size < 0) return failed("os.write_some", "write refused", fd);
  return static_cast<std::size_t>(size);
}

result<descriptor> memory_file(const char* name, std::span<const std::byte> contents) noexcept {
  if (!may_write_up_to(contents.size())) {
    return std::unexpected(error::from_errno(EFBIG, "os.memory_file",
                                             "RLIMIT_FSIZE is less than the contents",
                                             static_cast<std::int64_t>(contents.size())));
  }
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  descriptor file(create_memory_file(name, flags | mfd_noexec_seal));
  if (!file && errno == EINVAL) file = descriptor(create_memory_file(name, flags));
  if (!file) return failed("os.memory_file", "memfd_create refused");
  // pwrite leaves the file position at the start, where the reader begins.
  for (std::size_t written = 0; written < contents.size();) {
    const auto rest = contents.subspan(written);
    const ssize_t size = system_call(call::write, ssize_t{-1}, [&] {
      return ::pwrite(file.get(), rest.data(), rest.size(), static_cast<off_t>(written));
    });
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("os.memory_file", "there is no memory for the contents");
    written += static_cast<std::size_t>(size);
  }
  // Otherwise a reader could write to the file and change the input of the next one.
  if (auto sealed = seal(file.get()); !sealed) return std::unexpected(sealed.error());
  return file;
}

}  // namespace bast::inline BAST_ABI::os
