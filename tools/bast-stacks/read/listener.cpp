// SPDX-License-Identifier: Apache-2.0
#include "read/listener.hpp"
#include "read/fail.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace bast_stacks {
namespace {

constexpr std::array<char, 8> greeting = {'B', 'A', 'S', 'T', 'W', 'T', 'C', 'H'};
constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};
constexpr int seals_wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/// The possible paths of the process's socket; it may run under another user than we.
std::vector<std::string> socket_paths(pid_t pid) {
  std::vector<std::string> paths;
  if (const char* const directory = std::getenv("XDG_RUNTIME_DIR"); directory != nullptr)
    paths.push_back(fmt::format("{}/bast-stacks/{}.sock", directory, pid));
  struct stat owner{};
  if (::stat(fmt::format("/proc/{}", pid).c_str(), &owner) == 0) {
    paths.push_back(fmt::format("/run/user/{}/bast-stacks/{}.sock", owner.st_uid, pid));
    paths.push_back(fmt::format("/tmp/bast-stacks-{}/{}.sock", owner.st_uid, pid));
  }
  paths.push_back(fmt::format("/tmp/bast-stacks-{}/{}.sock", ::geteuid(), pid));
  return paths;
}

/// Receives the greeting and the descriptor that comes with it, if any.
descriptor receive_descriptor(int socket) {
  std::array<char, 8> word{};
  iovec into{.iov_base = word.data(), .iov_len = word.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t bytes = 0;
  do {
    bytes = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  } while (bytes < 0 && errno == EINTR);
  descriptor received;
  std::size_t number = 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
       each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    // The room for one is rounded up to that for two, and we must close all that arrive.
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= each->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(each) + (at - CMSG_LEN(0)), sizeof fd);
      received = descriptor(fd);
      ++number;
    }
  }
  if (number != 1 || bytes != static_cast<ssize_t>(word.size()) || word != greeting) return {};
  return received;
}

}  // namespace

std::expected<memory_image, problem> ask_listener_at(const std::string& path, pid_t pid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(fmt::format("{} is too long", path));
  std::ranges::copy(path, address.sun_path);
  const descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(fmt::format("no socket: {}", std::strerror(errno)));
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(fmt::format("no listener at {}: {}", path, std::strerror(errno)));
  // Any process that can create a socket of that name could send false data about another.
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0 ||
      (pid != 0 && peer.pid != pid))
    return fail(fmt::format("{} belongs to process {}", path, peer.pid));
  descriptor file = receive_descriptor(socket.get());
  if (!file) return fail(fmt::format("{} did not send a registry", path));
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & seals_wanted) != seals_wanted)
    return fail(fmt::format("{} sent a file that is not sealed", path));
  return open_memory_image(std::make_shared<file_source>(std::move(file)));
}

std::expected<memory_image, problem> ask_listener(pid_t pid) {
  std::optional<problem> worst;
  for (const std::string& path : socket_paths(pid)) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;
    auto answer = ask_listener_at(path, pid);
    if (answer) return answer;
    worst = answer.error();
  }
  if (worst) return std::unexpected(*worst);
  return fail("it does not listen (bast::watch::listener)");
}

}  // namespace bast_stacks
