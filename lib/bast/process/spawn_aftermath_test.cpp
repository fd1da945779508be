// SPDX-License-Identifier: Apache-2.0
//
// The effect of a start on its host, whether it succeeds or fails, compared as a whole record; and
// the call, the errno and the stage that end it (P-7, P-8, P-9).
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;
using test::child_memory;

/// All state of this thread and its process that a start could change.
std::string host_record() {
  std::string out;
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* const name : {"SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups"}) {
      if (line.starts_with(name)) out += line + "\n";
    }
  }
  status.close();  // otherwise it would be one of the descriptors below
  stack_t alternate{};
  ::sigaltstack(nullptr, &alternate);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  out += "alternate " + std::to_string(alternate.ss_flags) + " " +
         std::to_string(reinterpret_cast<std::uintptr_t>(alternate.ss_sp)) + "\numask " +
         std::to_string(mask) + "\ngroup " + std::to_string(::getpgrp()) + " session " +
         std::to_string(::getsid(0)) + "\ncwd " + std::filesystem::current_path().string() + "\n";
  for (const auto resource : {RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_STACK}) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    out += std::to_string(limit.rlim_cur) + "/" + std::to_string(limit.rlim_max) + "\n";
  }
  for (int fd = 0; fd < 256; ++fd) {
    struct stat file{};
    if (::fstat(fd, &file) != 0) continue;
    out += std::to_string(fd) + ": " + std::to_string(::fcntl(fd, F_GETFD)) + " " +
           std::to_string(::fcntl(fd, F_GETFL)) + " " + std::to_string(file.st_ino) + "\n";
  }
  return out;
}

class SpawnAftermath : public test::spawn_test {
 protected:
  void SetUp() override {
    spawn_test::SetUp();
    if (test::under_valgrind) GTEST_SKIP() << "valgrind answers execve by itself";
  }
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnAftermath, test::both_memories, test::memory_name);

/// A command that uses every feature of a start, except other ids.
command everything_for(const char* program_or_step) {
  auto c = child({"say", program_or_step});
  c.cwd("/").env("A", "1").in(from::bytes{"in"}).out(to::pipe{}).err(to::capture{}).pass_fd(0, 9);
  c.new_session().umask(077).limit(RLIMIT_CORE, 0, 0).parent_death_signal(64);
  return c;
}

TEST_P(SpawnAftermath, P9_TheHostIsWhatItWas) {
  // A mask that is neither empty nor full, with the first and the last signal.
  sigset_t mask;
  sigset_t outer;
  sigemptyset(&mask);
  for (const int number : {1, 12, 64}) sigaddset(&mask, number);
  ::pthread_sigmask(SIG_SETMASK, &mask, &outer);
  {
    const test::disposition caught(SIGUSR1, [](int) {});
    const test::disposition ignored(SIGRTMAX, SIG_IGN);
    for (int life = 0; life < 2; ++life) {
      const std::string before = host_record();
      auto fine = everything_for("x");
      EXPECT_EQ(run(fine).out, "x\n");
      EXPECT_EQ(host_record(), before);
      auto missing = command::argv({"/nonexistent"});
      missing.in(from::pipe{}).out(to::pipe{}).err(to::pipe{}).cwd("/");
      EXPECT_TRUE(run(missing).failure);
      EXPECT_EQ(host_record(), before);
      auto lost = child({"exit", "0"});
      lost.cwd("/nonexistent").new_session().umask(0).limit(RLIMIT_CORE, 0, 0);
      EXPECT_TRUE(run(lost).failure);
      EXPECT_EQ(host_record(), before);
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &outer, nullptr);
}

struct planned {
  os::call kind;
  std::uint64_t nth;
  int error_number;
  spawn_stage stage;
};

/// The start of a command under one fault: "<stage> <errno>", "fine", and what is left over.
std::string start_under(const planned& fault, bool copied) {
  const os::descriptor told(::memfd_create("told", MFD_CLOEXEC));
  auto c = child({"say", "ran"});
  c.in(from::bytes{"in"}).out(to::fd{told.get()}).err(to::pipe{});
  const std::string record = host_record();
  const test::leak_baseline before;
  std::string out;
  {
    // The fallback is forced without a fault if its own calls are to fail.
    test::injection faults(
        {.kind = fault.kind, .nth = fault.nth, .error_number = fault.error_number});
    const auto ended = test::run(c);
    faults.end();
    if (faults.injected() != 1) out += "(not injected) ";
    if (ended.failure) {
      out +=
          std::string(name_of(c.failure().stage)) + " " + std::to_string(c.failure().error_number);
      if (ended.failure->operation() !=
          std::string("command.start (") + name_of(c.failure().stage) + ")") {
        out += " (another operation)";
      }
    } else {
      out += ended.exited(0) ? "fine" : "ended otherwise";
    }
  }
  struct stat file{};
  ::fstat(told.get(), &file);
  if (copied && !out.starts_with("fine") && file.st_size != 0) out += " (the program ran)";
  if (!test::has_no_child()) out += " (a child left)";
  return out + before.differences() + (host_record() == record ? "" : " (another host)");
}

TEST(SpawnFaults, P8_EachErrnoOfEachCallIsNamedByItsStage) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind answers execve by itself";
  using enum os::call;
  const planned all[] = {
      {map, 1, ENOMEM, spawn_stage::prepare},
      {map, 1, EAGAIN, spawn_stage::prepare},
      {protect, 1, ENOMEM, spawn_stage::prepare},
      {protect, 1, EACCES, spawn_stage::prepare},
      {duplicate, 1, EIO, spawn_stage::descriptors},    // are the borrowed descriptors open?
      {duplicate, 2, EPERM, spawn_stage::descriptors},  // are 0, 1 and 2?
      {memory_file, 1, EMFILE, spawn_stage::descriptors},
      {write, 1, EIO, spawn_stage::descriptors},
      {write, 1, ENOSPC, spawn_stage::descriptors},
      {pipe, 1, ENFILE, spawn_stage::descriptors},  // of stderr
      {pipe, 2, EIO, spawn_stage::descriptors},     // our end does not block
      {pipe, 3, EMFILE, spawn_stage::descriptors},  // of the report
      {pipe, 4, EPERM, spawn_stage::fork},          // the report's end does not block
      {spawn, 1, ENOMEM, spawn_stage::fork},
      {spawn, 1, EAGAIN, spawn_stage::fork},
      {spawn, 1, EACCES, spawn_stage::fork},
      {read, 1, EIO, spawn_stage::fork},
      {read, 1, EBADF, spawn_stage::fork},
  };
  for (const auto& fault : all) {
    const std::string expected =
        std::string(name_of(fault.stage)) + " " + std::to_string(fault.error_number);
    EXPECT_EQ(start_under(fault, false), expected)
        << os::name_of(fault.kind) << " number " << fault.nth;
  }
}

TEST(SpawnFaults, P8_WhatTheKernelMayRefuseIsTriedWithACopy) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind has no pidfd_open";
  for (const int number : {EINVAL, ENOSYS, EPERM}) {
    EXPECT_EQ(start_under({os::call::spawn, 1, number, spawn_stage::none}, true), "fine") << number;
  }
}

TEST(SpawnFaults, P8_AnInterruptedReadOfTheReportIsTriedAgain) {
  EXPECT_EQ(start_under({os::call::read, 1, EINTR, spawn_stage::none}, false), "fine");
}

/// Another thread that forked at that moment may hold a copy of the end: with shared memory the
/// child has already executed.
TEST(SpawnFaults, P8_AnEmptyReportMeansSuccessOnlyWhereMemoryIsShared) {
  if (test::emulated || test::under_valgrind)
    GTEST_SKIP() << "the child is a copy always, or never";
  EXPECT_EQ(start_under({os::call::read, 1, EAGAIN, spawn_stage::none}, false), "fine");
}

/// The calls of the fallback only, each of which gives up a child at the gate: its pipe, its clone,
/// its pidfd, the byte that opens it.
TEST(SpawnFaults, P9_AChildAtTheGateThatIsGivenUpNeverRuns) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind has no pidfd_open";
  const os::descriptor told(::memfd_create("told", MFD_CLOEXEC));
  const auto start_failing = [&](std::uint64_t first, std::uint64_t second) -> std::string {
    auto c = child({"say", "ran"});
    c.out(to::fd{told.get()});
    const std::string record = host_record();
    const test::leak_baseline before;
    test::injection faults({.nth = first, .also_nth = second, .error_number = EPERM});
    auto started = internal::spawn(c);
    faults.end();
    std::string out = started ? "started" : name_of(c.failure().stage);
    if (started) {
      out += test::finish(std::move(*started)).exited(0) ? "" : " (and ended otherwise)";
    } else if (struct stat file{}; ::fstat(told.get(), &file) != 0 || file.st_size != 0) {
      out += " (the program ran)";
    }
    EXPECT_EQ(::ftruncate(told.get(), 0), 0);
    if (!test::has_no_child()) out += " (a child left)";
    return out + before.differences() + (host_record() == record ? "" : " (another host)");
  };
  std::uint64_t clone = 1;  // The one call whose failure leads to the fallback.
  while (clone < 100 && start_failing(clone, 0) != "started") ++clone;
  ASSERT_LT(clone, 100U);
  for (std::uint64_t later = 1; later <= 4; ++later) {
    EXPECT_EQ(start_failing(clone, clone + later), "fork") << later;
  }
}

}  // namespace
}  // namespace bast
