// SPDX-License-Identifier: Apache-2.0
//
// An existing epoll loop that now also runs programs. It watches one more descriptor, adapter.fd(),
// and sleeps at most until adapter.next_deadline(); nothing else changes. No coroutines here:
// `start` returns at once, and a callback takes the result.
//
// The program reads one shell command from each line of a pipe, runs all of them at once, and
// prints how each ended.

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bast/process.hpp>
#include <chrono>
#include <climits>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;

/// How long epoll_wait may sleep: milliseconds, rounded up, or -1 for no limit.
int milliseconds_until(bast::time_point deadline) {
  if (deadline == bast::never) return -1;
  const auto now = std::chrono::steady_clock::now();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(deadline, now) - now);
  return static_cast<int>(std::min<std::int64_t>(left.count(), INT_MAX));
}

class server {
 public:
  server(int requests, bast::epoll_adapter& adapter)
      : poller_(::epoll_create1(EPOLL_CLOEXEC)), requests_(requests), adapter_(adapter) {
    watch(requests_);
    watch(adapter_.fd());
  }
  ~server() { ::close(poller_); }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Runs until all requests are read and all commands have ended. Returns the number not started.
  int run() {
    while (open_ || !adapter_.idle()) {
      epoll_event events[8];
      const int count =
          ::epoll_wait(poller_, events, 8, milliseconds_until(adapter_.next_deadline()));
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == requests_) read_requests();
      }
      // The adapter is ready, or a deadline has passed, or neither, which costs little.
      (void)adapter_.turn(0ns);
    }
    return refused_;
  }

 private:
  void watch(int fd) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(poller_, EPOLL_CTL_ADD, fd, &event);
  }

  void read_requests() {
    char chunk[256];
    const ssize_t got = ::read(requests_, chunk, sizeof chunk);
    if (got <= 0) {
      ::epoll_ctl(poller_, EPOLL_CTL_DEL, requests_, nullptr);
      open_ = false;
      return;
    }
    text_.append(chunk, static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = text_.find('\n')) != text_.npos; text_.erase(0, end + 1)) {
      start(text_.substr(0, end));
    }
  }

  void start(const std::string& line) {
    auto command = bast::command::shell(line);
    command.out(bast::to::capture{}).timeout(200ms);
    auto context = std::make_unique<std::string>(line);
    if (auto id = command.start(adapter_, finished, context.get()); !id) {
      ++refused_;
      std::fprintf(stderr, "%s: %s\n", line.c_str(), id.error().message().c_str());
      return;
    }
    (void)context.release();  // `finished` takes it.
  }

  static void finished(void* context, bast::process_id, bast::process_result&& result) noexcept {
    const std::unique_ptr<std::string> line(static_cast<std::string*>(context));
    std::string_view output = result.output.bytes.text();
    if (output.ends_with('\n')) output.remove_suffix(1);
    std::printf("%s: %s", line->c_str(), name_of(result.ended_by));
    if (result.status.how == bast::exit_status::kind::exited) {
      std::printf(" with code %d", result.status.code);
    }
    std::printf(", wrote '%.*s'\n", static_cast<int>(output.size()), output.data());
  }

  int poller_;
  int requests_;
  bast::epoll_adapter& adapter_;
  std::string text_;
  bool open_ = true;
  int refused_ = 0;
};

}  // namespace

int main() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return 1;
  constexpr std::string_view requests = "echo hello\nexit 7\nsleep 1000\n";
  (void)!::write(pipe[1], requests.data(), requests.size());
  ::close(pipe[1]);

  auto adapter = bast::epoll_adapter::create();
  if (!adapter) {
    std::fprintf(stderr, "%s\n", adapter.error().message().c_str());
    return 1;
  }
  return server(pipe[0], **adapter).run();
}
