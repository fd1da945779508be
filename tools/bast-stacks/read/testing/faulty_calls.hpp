// SPDX-License-Identifier: Apache-2.0
//
// `faulty_call`: a function of libc that fails, or does less than it was asked to, when a test says
// so: the errors that a kernel gives once in a thousand years. The test program's own definitions
// of these functions (faulty_calls_test.cpp) are those that the readers call.
#pragma once

#include <cstddef>

namespace bast_stacks::testing {

enum class called { ioctl, pread, read, recvmsg, process_vm_readv, waitpid, ppoll, count };

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

}  // namespace bast_stacks::testing
