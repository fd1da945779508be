// SPDX-License-Identifier: Apache-2.0
//
// Coroutines under the caller's own event loop. A coroutine yields the descriptor that it waits
// for; the loop polls all of them and resumes the coroutines that can continue.
// The code of each coroutine reads as if it blocked.

#include <poll.h>
#include <unistd.h>
#include <bast/coro.hpp>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using task = bast::coro<int>;  // yields the descriptor that it waits for

std::string read_line(int fd, bast::yielder<int>& readable) {
  std::string line;
  for (char c = 0;;) {
    readable.yield(fd);
    if (::read(fd, &c, 1) != 1 || c == '\n') return line;
    line += c;
  }
}

struct waiting {
  task who;
  int fd;
};

void run(std::vector<waiting> tasks) {
  while (!tasks.empty()) {
    std::vector<pollfd> watched;
    watched.reserve(tasks.size());
    for (const waiting& w : tasks) watched.push_back({.fd = w.fd, .events = POLLIN, .revents = 0});
    if (::poll(watched.data(), watched.size(), -1) < 0) return;
    for (std::size_t i = tasks.size(); i-- > 0;) {
      if (watched[i].revents == 0) continue;
      auto step = tasks[i].who.resume();
      if (step.yielded()) {
        tasks[i].fd = step.value();
      } else {
        tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
}

}  // namespace

int main() {
  int request[2];
  int reply[2];
  if (::pipe(request) != 0 || ::pipe(reply) != 0) return 1;
  auto pool = bast::coro_pool::create().value();
  std::vector<waiting> tasks;
  const auto spawn = [&](bast::static_string label, auto function) {
    task t = pool.make(label, function).value();
    const int fd = t.resume().value();
    tasks.push_back({std::move(t), fd});
  };

  spawn("server", [&](bast::yielder<int>& readable) {
    const std::string answer = "hello, " + read_line(request[0], readable) + "\n";
    (void)!::write(reply[1], answer.data(), answer.size());
  });
  spawn("client", [&](bast::yielder<int>& readable) {
    (void)!::write(request[1], "world\n", 6);
    std::printf("%s\n", read_line(reply[0], readable).c_str());
  });
  run(std::move(tasks));
}
