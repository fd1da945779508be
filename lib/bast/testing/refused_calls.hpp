// SPDX-License-Identifier: Apache-2.0
//
// System calls that fail where no `fault_plan` applies: in a child before it executes, which makes
// its calls without the library. A seccomp filter refuses them permanently, in this process and all
// that it starts: use it only in a process of its own (in_child.hpp).
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bast::test {

struct refused_call {
  long number = 0;       // SYS_...
  int error_number = 0;  // 0: the process that makes the call is killed
  int command = -1;      // fcntl and prctl: only calls with this command, or -1
};

/// False if the kernel lacks such filters.
inline bool refuse_calls(std::span<const refused_call> calls) {
  // Little-endian: the low half of an argument comes first.
  constexpr auto number_at = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  constexpr auto first_at = static_cast<std::uint32_t>(offsetof(seccomp_data, args));
  std::vector<sock_filter> code;
  for (const auto& call : calls) {
    const std::uint32_t at = call.number == SYS_fcntl ? first_at + 8 : first_at;
    const auto answer = call.error_number == 0
                            ? std::uint32_t{SECCOMP_RET_KILL_PROCESS}
                            : SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error_number);
    const bool any = call.command < 0;
    code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number_at));
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.number), 0,
                            static_cast<std::uint8_t>(any ? 1 : 3)));
    if (!any) {
      code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
      code.push_back(
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.command), 0, 1));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program = {.len = static_cast<unsigned short>(code.size()),
                              .filter = code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace bast::test
