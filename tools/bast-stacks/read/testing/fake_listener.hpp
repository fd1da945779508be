// SPDX-License-Identifier: Apache-2.0
//
// `fake_listener`: a socket with scripted replies to one visitor.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bast_stacks::testing {

inline std::string fake_listener_path() {
  return ::testing::TempDir() + "bast-listener-" + std::to_string(::getpid());
}

/// A process that replies to one visitor with these words and this descriptor, so many times.
class fake_listener {
 public:
  fake_listener(std::string_view greeting, int fd, std::string path = fake_listener_path(),
                std::size_t times = 1)
      : path_(std::move(path)) {
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path_, address.sun_path);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_, 1), 0);
    server_ = std::thread([this, words = std::string(greeting), fd, times]() mutable {
      const int visitor = ::accept(listening_, nullptr, nullptr);
      answer(visitor, words, std::vector<int>(times, fd));
      ::close(visitor);
    });
  }
  fake_listener(const fake_listener&) = delete;
  fake_listener& operator=(const fake_listener&) = delete;
  ~fake_listener() {
    server_.join();
    ::close(listening_);
    ::unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  static void answer(int visitor, std::string& words, const std::vector<int>& fds) {
    if (words.empty()) return;
    iovec from{.iov_base = words.data(), .iov_len = words.size()};
    const std::size_t bytes = fds.size() * sizeof(int);
    std::vector<char> control(CMSG_SPACE(bytes));  // aligned by operator new
    msghdr message{};
    message.msg_iov = &from;
    message.msg_iovlen = 1;
    if (!fds.empty() && fds[0] >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(bytes);
      std::memcpy(CMSG_DATA(head), fds.data(), bytes);
    }
    (void)::sendmsg(visitor, &message, MSG_NOSIGNAL);  // A visitor may have left by now.
  }

  std::string path_;
  int listening_ = -1;
  std::thread server_;
};

}  // namespace bast_stacks::testing
