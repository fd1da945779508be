// SPDX-License-Identifier: Apache-2.0
//
// `faulty_call`: a function of libc that fails, or does less than it was asked to, when a test says
// so: the errors that a kernel gives once in a thousand years. `answered_call`: one that a test
// answers itself, for what the kernel of the test's machine never says. The test program's own
// definitions of these functions (faulty_calls_test.cpp) are those that the readers call.
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
  mmap,  // not with AddressSanitizer, which has to see all of these itself
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

/// While it lives, the next calls of this thread of one function: `after` of them are as always,
/// then `times` (none: they are only counted) fail with `error`, or, where `error` is 0, are asked
/// for `most` bytes at most.
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

  /// How often it was called meanwhile.
  int calls() const;

 private:
  called which_;
};

/// While it lives, `by` answers this thread's calls of one function, told their arguments as words:
/// with a result, or with the negative of an errno; or with nothing, and the kernel is asked. What
/// it calls itself goes to the kernel.
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
