// SPDX-License-Identifier: Apache-2.0
//
// One io_uring for the caller's own operations and for bast's. The caller submits and waits; bast
// fills entries in `prepare` and takes its own completions in `handle`. The first byte of its
// user_data is 0xBA, or the value in the options: no operation of the caller may use it.
//
// The program counts the bytes of a file with its own reads, while coroutines run `wc` on the same
// file, several at once, on the same ring and the same thread. All counts must agree.

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <bast/coro.hpp>
#include <bast/process.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr const char* path = "/bin/sh";
constexpr std::uint64_t own_read = 1;  // user_data of ours

class host {
 public:
  explicit host(int file) : file_(file) {}
  ~host() {
    if (open_) ::io_uring_queue_exit(&ring_);
  }
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  /// 0, or minus an errno.
  int open() {
    const int status = ::io_uring_queue_init(32, &ring_, 0);
    open_ = status == 0;
    return status;
  }
  io_uring& ring() { return ring_; }

  /// Puts all requested operations into the submission queue. May end processes.
  void fill(bast::uring_adapter& adapter) {
    if (!reading_ && !at_end_) read_more();
    while (!adapter.prepare()) ::io_uring_submit(&ring_);  // until all have found room
  }
  /// Submits, waits for at least one completion, and passes each to its owner.
  bool wait(bast::uring_adapter& adapter) {
    const int submitted = ::io_uring_submit_and_wait(&ring_, 1);
    if (submitted < 0 && submitted != -EINTR) return false;
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
      const io_uring_cqe copy = *completion;
      ::io_uring_cqe_seen(&ring_, completion);
      if (!adapter.handle(copy)) completed(copy);
    }
    return true;
  }

  bool at_end() const { return at_end_; }
  std::uint64_t size() const { return size_; }

 private:
  void read_more() {
    io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) return;  // No room: the next round tries again.
    ::io_uring_prep_read(entry, file_, buffer_, sizeof buffer_, size_);
    ::io_uring_sqe_set_data64(entry, own_read);
    reading_ = true;
  }

  void completed(const io_uring_cqe& completion) {
    if (completion.user_data != own_read) return;
    reading_ = false;
    if (completion.res > 0) size_ += static_cast<std::uint64_t>(completion.res);
    at_end_ = completion.res <= 0 && completion.res != -EINTR;
  }

  io_uring ring_{};
  bool open_ = false;
  int file_;
  char buffer_[4096];
  std::uint64_t size_ = 0;
  bool reading_ = false;
  bool at_end_ = false;
};

/// The output of wc(1), or 0. Call inside a coroutine.
std::uint64_t count_with_wc() {
  auto wc = bast::command::argv({"wc", "-c", path});
  wc.out(bast::to::capture{});
  const auto ended = wc.run();
  if (!ended || !ended->check()) return 0;
  return std::strtoull(std::string(ended->output.bytes.text()).c_str(), nullptr, 10);
}

}  // namespace

int main() {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  host loop(file);
  if (const int status = loop.open(); status < 0) {
    std::printf("io_uring is refused here: errno %d\n", -status);
    return 77;  // ctest's code for skipped
  }
  auto created = bast::uring_adapter::create(loop.ring());
  if (!created) return 1;
  bast::uring_adapter& adapter = **created;

  auto pool = bast::coro_pool::create().value();
  std::vector<bast::coro<void, void, std::uint64_t>> counters;
  for (int i = 0; i < 4; ++i) {
    counters.push_back(pool.make(count_with_wc).value());
    (void)counters.back().resume();
  }
  // Checked between the two: `fill` may have ended the last process.
  for (loop.fill(adapter); !loop.at_end() || adapter.machine().stats().live != 0;
       loop.fill(adapter)) {
    if (!loop.wait(adapter)) return 1;
  }
  bool agree = true;
  for (auto& counter : counters) agree &= counter.returned().value() == loop.size();
  std::printf("%s: %s\n", path, agree ? "we and wc agree" : "we and wc differ");

  // Until shut_down has completed, the adapter waits on the ring for other threads.
  (void)adapter.shut_down();
  for (loop.fill(adapter); !adapter.idle(); loop.fill(adapter)) {
    if (!loop.wait(adapter)) return 1;
  }
  ::close(file);
  return agree ? 0 : 1;
}
