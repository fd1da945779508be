// SPDX-License-Identifier: Apache-2.0
//
// Features of bast::bast only. The ring is the caller's, and so is liburing.

#include <liburing.h>

#include <bast/process.hpp>
#include <cstdio>

int main() {
  io_uring ring{};
  if (const int status = ::io_uring_queue_init(8, &ring, 0); status < 0) {
    std::printf("io_uring is refused here, errno %d: linked, but not run\n", -status);
    return 0;
  }
  bool works = false;
  if (auto adapter = bast::uring_adapter::create(ring)) {
    works = (*adapter)->shut_down().has_value();
    for (bool full = !(*adapter)->prepare(); full || !(*adapter)->idle();
         full = !(*adapter)->prepare()) {
      ::io_uring_submit_and_wait(&ring, full ? 0 : 1);
      io_uring_cqe* completion = nullptr;
      while (::io_uring_peek_cqe(&ring, &completion) == 0) {
        (void)(*adapter)->handle(*completion);
        ::io_uring_cqe_seen(&ring, completion);
      }
    }
  }
  ::io_uring_queue_exit(&ring);
  return works ? 0 : 1;
}
