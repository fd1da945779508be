// SPDX-License-Identifier: Apache-2.0
#include "bast/os/local_socket.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/pipe.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

}  // namespace

result<void> private_directory(const char* path) noexcept {
  const int made = system_call(call::open, -1, [=] { return ::mkdir(path, S_IRWXU); });
  if (made == 0) return {};
  if (errno != EEXIST) return failed("os.private_directory", "mkdir refused");
  struct stat found{};
  // lstat: does not follow a link, which another user may control.
  if (::lstat(path, &found) != 0) return failed("os.private_directory", "lstat refused");
  if (!S_ISDIR(found.st_mode)) {
    return fail(errc::invalid, "os.private_directory", "a file that is no directory has this name");
  }
  if (found.st_uid != ::geteuid()) {
    return fail(errc::invalid, "os.private_directory", "the directory is another user's",
                static_cast<std::int64_t>(found.st_uid));
  }
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(errc::invalid, "os.private_directory", "others can enter the directory");
  }
  return {};
}

result<descriptor> listen_at(const char* path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (*path == '\0') {
    // The kernel would bind an abstract name, to which any user may connect.
    return fail(errc::invalid, "os.listen_at", "the path is empty");
  }
  if (std::strlen(path) >= sizeof address.sun_path) {
    return fail(errc::invalid, "os.listen_at", "the path is longer than a socket's can be",
                static_cast<std::int64_t>(std::strlen(path)));
  }
  std::strcpy(address.sun_path, path);
  descriptor made(above_standard(system_call(
      call::socket, -1, [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); })));
  if (!made) return failed("os.listen_at", "socket refused");
  remove_socket(path);
  const int bound = system_call(call::socket, -1, [&] {
    return ::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  if (bound != 0) return failed("os.listen_at", "bind refused");
  constexpr int waiting_most = 16;
  const int listening =
      system_call(call::socket, -1, [&] { return ::listen(made.get(), waiting_most); });
  if (listening != 0) {
    const auto why = failed("os.listen_at", "listen refused");
    remove_socket(path);
    return why;
  }
  return made;
}

void remove_socket(const char* path) noexcept { (void)::unlink(path); }

result<descriptor> accept_from(int listening) noexcept {
  int fd = -1;
  do {
    fd = system_call(call::socket, -1,
                     [=] { return ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC); });
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  fd = above_standard(fd);
  if (fd < 0) return failed("os.accept_from", "accept4 refused");
  return descriptor(fd);
}

result<peer> peer_of(int connection) noexcept {
  ucred who{};
  socklen_t size = sizeof who;
  const int told = system_call(call::socket, -1, [&] {
    return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &size);
  });
  if (told != 0) return failed("os.peer_of", "getsockopt(SO_PEERCRED) refused");
  return peer{.pid = who.pid, .user = who.uid};
}

result<void> send_descriptor(int connection, std::span<const std::byte> message,
                             int passed) noexcept {
  // sendmsg takes a non-const pointer and does not write through it.
  iovec part{const_cast<std::byte*>(message.data()),  // NOLINT(*-const-cast): see above
             message.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof passed)] = {};
  msghdr whole{};
  whole.msg_iov = &part;
  whole.msg_iovlen = 1;
  whole.msg_control = space;
  whole.msg_controllen = sizeof space;
  cmsghdr* const extra = CMSG_FIRSTHDR(&whole);
  extra->cmsg_level = SOL_SOCKET;
  extra->cmsg_type = SCM_RIGHTS;
  extra->cmsg_len = CMSG_LEN(sizeof passed);
  std::memcpy(CMSG_DATA(extra), &passed, sizeof passed);
  ssize_t sent = -1;
  do {
    sent = system_call(call::socket, ssize_t{-1},
                       [&] { return ::sendmsg(connection, &whole, MSG_NOSIGNAL); });
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return failed("os.send_descriptor", "sendmsg refused");
  return {};
}

void allow_tracer(pid_t tracer) noexcept {
  (void)::prctl(PR_SET_PTRACER, static_cast<unsigned long>(tracer), 0, 0, 0);
}

result<descriptor> sealable_file(const char* name) noexcept {
  descriptor made(above_standard(system_call(call::memory_file, -1, [=] {
    return ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  })));
  if (!made) return failed("os.sealable_file", "memfd_create refused");
  return made;
}

bool copy_to_file(int fd, const void* memory, std::size_t size, std::uint64_t offset) noexcept {
  if (!may_write_up_to(offset + size)) return false;
  const auto* from = static_cast<const std::byte*>(memory);
  while (size > 0) {
    // By syscall(2): a sanitizer's pwrite would read the memory first.
    const long written = system_call(
        call::write, -1L, [=] { return ::syscall(SYS_pwrite64, fd, from, size, offset); });
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    size -= static_cast<std::size_t>(written);
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

result<void> seal(int fd) noexcept {
  constexpr int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(fd, F_ADD_SEALS, all) != 0) return failed("os.seal", "fcntl(F_ADD_SEALS) refused");
  return {};
}

}  // namespace bast::inline BAST_ABI::os
