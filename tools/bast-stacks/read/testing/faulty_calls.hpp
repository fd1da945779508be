// SPDX-License-Identifier: Apache-2.0
//
// `faulty_call`: a function of libc that fails, or does only a part, on request: the rarest errors
// of a kernel. `answered_call`: one whose result a test supplies, for results that the kernel of
// the test's machine never gives. The readers call the test program's own definitions of these
// functions (faulty_calls_test.cpp).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

namespace bast_stacks::testing {

enum class called {
  clock_gettime,
  connect,
  geteuid,
  getsockopt,
  ioctl,
  kill,
  mmap,  // not with AddressSanitizer, which must see all of them
  open,
  poll,
  ppoll,
  pread,
  process_vm_readv,
  read,
  readlink,
  recvmsg,
  setsockopt,
  socket,
  stat,
  syscall,
  sysconf,
  waitpid,
  count
};

/// While it exists, affects this thread's next calls of one function: `after` of them are
/// unchanged, then `times` (none: they are only counted) fail with `error` or, if `error` is 0, are
/// limited to `most` bytes.
class faulty_call {
 public:
  struct fault {
    int after = 0;
    int times = 0;
    int error = 0;
    std::size_t most = 0;
  };
  faulty_call(called which, const fault& what);
  ~faulty_call();
  faulty_call(const faulty_call&) = delete;
  faulty_call& operator=(const faulty_call&) = delete;

  /// The number of calls since its construction.
  int calls() const;

 private:
  called which_;
};

/// While it exists, `by` replaces this thread's calls of one function and receives their arguments
/// as words: it returns a result, the negative of an errno, or nothing to call the kernel. Its own
/// calls go to the kernel.
class answered_call {
 public:
  using arguments = long[6];
  using answer = std::function<std::optional<long>(const arguments& given)>;
  answered_call(called which, answer by);
  ~answered_call();
  answered_call(const answered_call&) = delete;
  answered_call& operator=(const answered_call&) = delete;

 private:
  called which_;
  answer by_;
};

}  // namespace bast_stacks::testing
