// SPDX-License-Identifier: Apache-2.0
//
// The record of a fault is made here by the test from its own stack, as the library does, and the
// frames are compared with those of the unwinder that exceptions use.
#include "code/symbols.hpp"

#include <alloca.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unwind.h>

#include <filesystem>
#include <random>

#include "code/elf_file.hpp"

namespace bast_stacks {
namespace {

using bast::watch::deepest_stack;

#ifdef __x86_64__
constexpr std::uint16_t machine = EM_X86_64;
#else
constexpr std::uint16_t machine = EM_AARCH64;
#endif

// --- what the library would record ---------------------------------------------------------------

int add_module(dl_phdr_info* info, std::size_t, void* out) {
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

snapshot this_process() {
  snapshot all;
  all.machine = machine;
  dl_iterate_phdr(add_module, &all);
  return all;
}

__attribute__((no_sanitize("address"))) bool is_behind_call(const snapshot& all,
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

__attribute__((no_sanitize("address"))) void record_words(const snapshot& all, std::uint64_t sp,
                                                          deepest_stack& raw) {
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

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* out) {
  auto& frames = *static_cast<std::vector<true_frame>*>(out);
  frames.push_back({_Unwind_GetIP(context), _Unwind_GetCFA(context)});
  return frames.size() < 60 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

struct seen {
  snapshot all;
  deepest_stack raw{};
  std::vector<true_frame> truth{};  // from the function that recorded
};

__attribute__((noinline, no_sanitize("address"))) void record(seen& out, std::uint64_t top) {
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
  asm volatile("");  // or the call would be a jump, and this frame gone
}

// --- stacks to look at ---------------------------------------------------------------------------

__attribute__((noinline)) int large_frame(seen& out, std::uint64_t top) {
  // Zeroed: what earlier calls have left would fill the record.
  volatile char room[5000] = {};
  room[0] = 1;
  record(out, top);
  return room[0];
}

__attribute__((noinline)) int small_frame(seen& out, std::uint64_t top) {
  volatile int kept = large_frame(out, top);
  return kept;
}

__attribute__((noinline)) int dynamic_frame(seen& out, std::uint64_t top, std::size_t bytes) {
  auto* const room = static_cast<volatile char*>(alloca(bytes));
  room[0] = 1;
  asm volatile("" : : "r"(room) : "memory");  // or it would be found to be of no use
  return small_frame(out, top) + room[0];
}

__attribute__((noinline)) int recursion(seen& out, std::uint64_t top, int depth) {
  // Volatile, so that no compiler makes a loop of it.
  volatile int kept = depth == 0 ? small_frame(out, top) : recursion(out, top, depth - 1);
  return kept;
}

// Of a size that is known: with AddressSanitizer it would be dynamic.
template <class Work>
__attribute__((noinline, no_sanitize("address"))) void start(const Work& work) {
  volatile char room[64];
  room[0] = 0;
  work(reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)));
  room[0] = room[0] + 1;
}

std::uint64_t sum(const backtrace& trace) {
  auto bytes = trace.omitted_bytes;
  for (const auto& one : trace.frames) bytes += one.stack_bytes;
  return bytes;
}

std::vector<std::string> names(const backtrace& trace) {
  std::vector<std::string> all;
  for (const auto& one : trace.frames) {
    const auto dropped = one.function.find("(anonymous namespace)::");
    const auto start = dropped == std::string::npos ? 0 : dropped + 23;
    all.push_back(one.function.substr(start, one.function.find_first_of("(<", start) - start));
  }
  return all;
}

TEST(Symbols, FramesAreThoseOfTheUnwinderByteForByte) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_GE(trace.frames.size(), 4U);
  EXPECT_EQ(names(trace)[1], "large_frame");
  EXPECT_EQ(names(trace)[2], "small_frame");
  std::uint64_t position = trace.depth;
  for (std::size_t i = 0; i + 1 < trace.frames.size(); ++i) {
    EXPECT_TRUE(trace.frames[i].confirmed) << i;
    position -= trace.frames[i].stack_bytes;
    ASSERT_LT(i + 1, out.truth.size());
    EXPECT_EQ(trace.frames[i + 1].pc + 1, out.truth[i + 1].pc) << i;
    EXPECT_EQ(out.raw.top - position, out.truth[i + 1].sp) << trace.frames[i].function;
  }
  EXPECT_GE(trace.frames[1].stack_bytes, 5000U);
}

TEST(Symbols, FramesAddUpToTheDepth) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_EQ(trace.depth, out.raw.depth);
  EXPECT_EQ(sum(trace), trace.depth);
  EXPECT_EQ(trace.inner, trace.frames.size());
  EXPECT_EQ(names(trace).back(), "start");
}

TEST(Symbols, WhatNoFrameHasIsTheStartOfTheStack) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  out.raw.count = 0;
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_EQ(trace.frames.size(), 2U);
  EXPECT_EQ(names(trace)[0], "record");
  EXPECT_EQ(trace.frames[1].function, start_of_stack);
  EXPECT_EQ(sum(trace), trace.depth);
}

TEST(Symbols, ShowsRecursionCallByCall) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_EQ(std::ranges::count(names(trace), "recursion"), 10);
}

TEST(Symbols, GoesOnBehindAFrameOfUnknownSize) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { dynamic_frame(out, top, 3000); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_THAT(names(trace), testing::IsSupersetOf({"record", "large_frame", "small_frame",
                                                   "dynamic_frame", "start"}));
  EXPECT_EQ(sum(trace), trace.depth);
  for (const auto& one : trace.frames) {
    if (one.function.find("dynamic_frame") != std::string::npos) {
      EXPECT_GE(one.stack_bytes, 3000U);
    }
  }
}

TEST(Symbols, NamesSourceLines) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_GE(trace.frames.size(), 3U);
  if (trace.frames[1].file.empty()) GTEST_SKIP() << "built without debug information";
  EXPECT_TRUE(trace.frames[1].file.ends_with("symbols_test.cpp")) << trace.frames[1].file;
  EXPECT_NE(trace.frames[1].line, 0U);
}

TEST(Symbols, BytesBelowTheStackPointerBelongToTheDeepestFrame) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto before = frames_of(out.raw, out.all);
  out.raw.depth += 100;
  const auto after = frames_of(out.raw, out.all);
  EXPECT_EQ(after.frames[0].stack_bytes, before.frames[0].stack_bytes + 100);
  EXPECT_EQ(sum(after), after.depth);
}

TEST(Symbols, CountsWhatWasLeftOutOfTheRecord) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 12); });
  const auto whole = frames_of(out.raw, out.all);
  auto& raw = out.raw;
  ASSERT_GT(raw.count, 16U);
  // As if the words between the four deepest and the six outermost had found no room.
  raw.omitted = raw.count - 10;
  for (std::uint32_t i = 0; i < 6; ++i) {
    raw.return_pc[4 + i] = raw.return_pc[raw.count - 6 + i];
    raw.return_at[4 + i] = raw.return_at[raw.count - 6 + i];
  }
  raw.first = 4;
  raw.count = 10;
  const auto cut = frames_of(raw, out.all);
  EXPECT_GT(cut.omitted_bytes, 0U);
  EXPECT_EQ(sum(cut), cut.depth);
  EXPECT_LT(cut.inner, cut.frames.size());
  EXPECT_LT(cut.frames.size(), whole.frames.size());
  EXPECT_EQ(cut.frames.back().stack_bytes, whole.frames.back().stack_bytes);
}

TEST(Symbols, ARecordWithoutTheRestEndsInWhatWasLeftOut) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 12); });
  out.raw.count = 4;
  out.raw.first = 4;
  out.raw.omitted = 30;
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_GT(trace.omitted_bytes, 0U);
  EXPECT_EQ(trace.inner, trace.frames.size());
  EXPECT_EQ(sum(trace), trace.depth);
}

TEST(Symbols, SaysWhichModuleIsAnotherFileNow) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  site one;
  one.raw = out.raw;
  out.all.sites.push_back(one);
  for (auto& each : out.all.modules) each.build_id = "00ff";
  name_frames(out.all);
  ASSERT_FALSE(out.all.not_seen.empty());
  EXPECT_THAT(out.all.not_seen[0], testing::HasSubstr("00ff"));
  const auto& trace = out.all.sites[0].deepest;
  EXPECT_EQ(sum(trace), trace.depth);
  ASSERT_FALSE(trace.frames.empty());
  EXPECT_TRUE(trace.frames[0].function.empty());
  EXPECT_FALSE(trace.frames[0].confirmed);
}

TEST(Symbols, LeavesSitesWithoutARecordAlone) {
  snapshot all = this_process();
  all.sites.resize(1);
  all.sites[0].deepest.depth = 7;
  all.sites[0].deepest.frames.emplace_back().function = "kept";
  name_frames(all);
  EXPECT_EQ(all.sites[0].deepest.frames.at(0).function, "kept");
}

TEST(Symbols, FramesAddUpForNonsenseToo) {
  seen out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 12); });
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    auto raw = out.raw;
    for (int change = 0; change < 6; ++change) {
      auto* const bytes = reinterpret_cast<std::uint8_t*>(&raw);
      bytes[random() % sizeof raw] = static_cast<std::uint8_t>(random());
    }
    const auto trace = frames_of(raw, out.all);
    ASSERT_EQ(sum(trace), raw.depth) << round;
    ASSERT_LE(trace.frames.size(), bast::watch::return_count + 2U);
    ASSERT_LE(trace.inner, trace.frames.size());
  }
}

}  // namespace
}  // namespace bast_stacks
