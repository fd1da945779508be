// SPDX-License-Identifier: Apache-2.0
//
// `recorded_stack`: a fault record that a test makes of its own stack, in the library's format, and
// the frames by the unwinder for exceptions.
//
//   recorded_stack out{.all = this_process()};
//   start([&](std::uint64_t top) { some_calls_that_end_in_record(out, top); });
#pragma once

#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unwind.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "code/elf_file.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks::test {

#ifdef __x86_64__
inline constexpr std::uint16_t this_machine = EM_X86_64;
#else
inline constexpr std::uint16_t this_machine = EM_AARCH64;
#endif

inline int add_module(dl_phdr_info* info, std::size_t, void* out) {
  module found;
  found.path = info->dlpi_name;
  found.base = info->dlpi_addr;
  if (found.path.empty()) found.path = std::filesystem::read_symlink("/proc/self/exe");
  found.low = ~std::uint64_t{0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD) continue;
    found.low = std::min(found.low, found.base + part.p_vaddr);
    found.high = std::max(found.high, found.base + part.p_vaddr + part.p_memsz);
  }
  if (const auto file = elf_file::open(found.path)) {
    found.build_id = (*file)->build_id();
    static_cast<snapshot*>(out)->modules.push_back(found);
  }
  return 0;
}

/// With the modules of this process and nothing else.
inline snapshot this_process() {
  snapshot all;
  all.machine = this_machine;
  dl_iterate_phdr(add_module, &all);
  return all;
}

/// Whether a call instruction may end where `value` points to.
__attribute__((no_sanitize("address"))) inline bool is_behind_call(const snapshot& all,
                                                                   std::uint64_t value) {
  const bool is_code = std::ranges::any_of(all.modules, [&](const module& one) {
    return one.path.starts_with('/') && value > one.low + 8 && value < one.high;
  });
  if (!is_code) return false;
  const auto* const pc = reinterpret_cast<const std::uint8_t*>(value);
#ifdef __x86_64__
  bool indirect = false;
  for (const int bytes : {2, 3, 4, 6, 7})
    indirect = indirect || (pc[-bytes] == 0xff && (pc[1 - bytes] & 0x38) == 0x10);
  return pc[-5] == 0xe8 || indirect;
#else
  return (pc[-1] & 0xfc) == 0x94 || (pc[-1] == 0xd6 && pc[-2] == 0x3f);
#endif
}

__attribute__((no_sanitize("address"))) inline void record_words(const snapshot& all,
                                                                 std::uint64_t sp,
                                                                 bast::watch::deepest_stack& raw) {
  std::vector<std::uint64_t> found;
  for (auto at = sp / 8 * 8; at + 8 <= raw.top; at += 8) {
    if (is_behind_call(all, *reinterpret_cast<const std::uint64_t*>(at))) found.push_back(at);
  }
  ASSERT_LE(found.size(), bast::watch::return_count);
  for (const auto at : found) {
    raw.return_pc[raw.count] = *reinterpret_cast<const std::uint64_t*>(at);
    raw.return_at[raw.count++] = static_cast<std::uint32_t>(raw.top - at);
  }
  raw.first = raw.count;
}

struct true_frame {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
};

inline _Unwind_Reason_Code add_frame(_Unwind_Context* context, void* out) {
  auto& frames = *static_cast<std::vector<true_frame>*>(out);
  frames.push_back({_Unwind_GetIP(context), _Unwind_GetCFA(context)});
  return frames.size() < 60 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

struct recorded_stack {
  snapshot all;
  bast::watch::deepest_stack raw{};
  std::vector<true_frame> truth{};  // from the function that recorded
};

/// Records its own stack, from here to `top`: the deepest frame is its own.
__attribute__((noinline, no_sanitize("address"))) inline void record(recorded_stack& out,
                                                                     std::uint64_t top) {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
  std::uint64_t fp = 0;
#ifdef __x86_64__
  asm volatile("leaq 0(%%rip), %0; movq %%rsp, %1; movq %%rbp, %2" : "=r"(pc), "=r"(sp), "=r"(fp));
#else
  asm volatile("adr %0, .; mov %1, sp; mov %2, x29" : "=r"(pc), "=r"(sp), "=r"(fp));
#endif
  out.raw.pc = pc;
  out.raw.fp = fp;
  out.raw.top = top;
  out.raw.sp_depth = top - sp;
  out.raw.depth = out.raw.sp_depth;
  record_words(out.all, sp, out.raw);
  _Unwind_Backtrace(add_frame, &out.truth);
  asm volatile("");  // keeps the call from becoming a jump, which would remove this frame
}

/// Calls `work` with the top of a stack that begins here.
// Of constant size: with AddressSanitizer it would be dynamic.
template <class Work>
__attribute__((noinline, no_sanitize("address"))) void start(const Work& work) {
  volatile char room[64];
  room[0] = 0;
  work(reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)));
  room[0] = room[0] + 1;
}

}  // namespace bast_stacks::test
