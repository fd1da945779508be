// SPDX-License-Identifier: Apache-2.0
//
// The initial state of a program, compared as a whole: signals, ids, limits, file mode mask,
// directory, environment, descriptors (P-2, P-4, P-6, P-7).
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <filesystem>
#include <string>

#include "bast/process/spawn_child.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;

class SpawnInheritance : public test::spawn_test {
 protected:
  void SetUp() override {
    spawn_test::SetUp();
    if (test::emulated) GTEST_SKIP() << "what is told is qemu-user's own";
    if (test::under_valgrind) GTEST_SKIP() << "valgrind has its own opinion of signals and limits";
  }
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnInheritance, test::both_memories, test::memory_name);

/// The output of "signals", "ids" and "cwd" of bast_test_child, except process ids.
struct identity {
  std::string user = std::to_string(::getuid());
  std::string group = std::to_string(::getgid());
  std::string groups;
  std::string umask;
  std::string death_signal = "0";
  std::string directory = std::filesystem::current_path();
};

std::string record_of(const identity& who, const std::string& pid, const std::string& group,
                      const std::string& session) {
  const std::string none(16, '0');
  std::string out = "SigBlk " + none + "\nSigIgn " + none + "\nSigCgt " + none + "\npid " + pid +
                    "\nppid " + std::to_string(::getpid()) + "\npgid " + group + "\nsid " +
                    session + "\npdeathsig " + who.death_signal;
  for (const char* const name : {"\nuid ", "\neuid ", "\nsuid "}) out += name + who.user;
  for (const char* const name : {"\ngid ", "\negid ", "\nsgid "}) out += name + who.group;
  return out + "\ngroups" + who.groups + "\numask " + who.umask + "\n" + who.directory + "\n";
}

std::string our_groups() {
  gid_t all[256];
  const int count = ::getgroups(256, all);
  std::string out;
  for (int i = 0; i < count; ++i) out += " " + std::to_string(all[i]);
  return out;
}

std::string pid_in(const std::string& text) {
  const auto at = text.find("\npid ") + 5;
  return text.substr(at, text.find('\n', at) - at);
}

/// Blocks and ignores all signals, including the C library's and the last one.
void block_and_ignore_everything() {
  const unsigned long ignore[4] = {1};  // the kernel's sigaction: SIG_IGN
  for (long number = 1; number <= 64; ++number) {
    (void)::syscall(SYS_rt_sigaction, number, ignore, nullptr, std::size_t{8});
  }
  // SIGCHLD last: otherwise the kernel would reap our children.
  ::signal(SIGCHLD, SIG_DFL);
  const std::uint64_t all = ~std::uint64_t{0};
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, std::size_t{8});
}

int inherits_by_default(test::child_memory memory) {
  block_and_ignore_everything();
  ::umask(027);
  auto c = child({"signals", "ids", "cwd"});
  const auto ended = test::run(c.out(to::pipe{}), memory);
  const std::string pid = pid_in(ended.out);
  const auto expected =
      record_of({.groups = our_groups(), .umask = "27"}, pid, pid, std::to_string(::getsid(0)));
  if (!ended.exited(0)) return 1;
  if (ended.out != expected) std::printf("%s\nis not\n%s\n", ended.out.c_str(), expected.c_str());
  (void)std::fflush(stdout);
  return ended.out == expected ? 0 : 2;
}

TEST_P(SpawnInheritance, P7_NothingOfOursButIdsMaskAndDirectory) {
  EXPECT_EQ(test::in_child([&] { return inherits_by_default(GetParam()); }), 0);
}

TEST_P(SpawnInheritance, P7_ExactlyWhatWasAskedFor) {
  auto c = test::child_as_anybody(
      {"signals", "ids", "cwd", "limit", "7", "limit", "4", "limit", "0", "env"});
  c.new_session().umask(0127).parent_death_signal(64).cwd("/usr/lib").clear_env().env("A", "b");
  c.limit(RLIMIT_NOFILE, 64, 65).limit(RLIMIT_CORE, 0, 0).limit(RLIMIT_CPU, 1000, 2000);
  identity who{.groups = our_groups(),
               .umask = "127",
               .death_signal = "64",
               .directory = std::filesystem::canonical("/usr/lib")};
  if (::geteuid() == 0) {
    const gid_t groups[] = {7, 9};
    c.user(65534).group(65533).groups(groups);
    who.user = "65534";
    who.group = "65533";
    who.groups = " 7 9";
  }
  const auto ended = run(c.out(to::pipe{}));
  const std::string pid = pid_in(ended.out);
  EXPECT_EQ(ended.out, record_of(who, pid, pid, pid) + "64 65\n0 0\n1000 2000\n3:A=b") << ended;
}

TEST_P(SpawnInheritance, P11_OurGroupAndSessionWhenAskedFor) {
  auto c = child({"signals", "ids", "cwd"});
  const mode_t mask = ::umask(022);
  const auto ended = run(c.same_group().out(to::pipe{}));
  ::umask(mask);
  EXPECT_EQ(ended.out, record_of({.groups = our_groups(), .umask = "22"}, pid_in(ended.out),
                                 std::to_string(::getpgrp()), std::to_string(::getsid(0))));
}

/// Lines of "fds": number, access, append and non-blocking flags, target.
std::string descriptors_of(const std::string& listing) {
  std::string out;
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    const auto flags_at = line.find(' ') + 1;
    const auto target_at = line.find(' ', flags_at) + 1;
    const auto flags = std::stoul(line.substr(flags_at), nullptr, 16);
    const std::string target = line.substr(target_at);
    out += line.substr(0, flags_at);
    out += (flags & O_ACCMODE) == O_RDONLY ? "r" : (flags & O_ACCMODE) == O_WRONLY ? "w" : "rw";
    if ((flags & O_APPEND) != 0) out += "a";
    if ((flags & O_NONBLOCK) != 0) out += "n";
    out += " " + (target.starts_with("pipe:") ? "pipe" : target) + "\n";
  }
  return out;
}

TEST_P(SpawnInheritance, P4_EachStreamIsOpenedForItsOwnDirection) {
  const std::string path = testing::TempDir() + "bast_inherit_" + std::to_string(::getpid());
  const auto listed = [&](command& c) {
    const auto ended = run(c);
    EXPECT_TRUE(ended.exited(0)) << ended;
    return descriptors_of(ended.out);
  };
  auto pipes = child({"fds"});
  EXPECT_EQ(listed(pipes.in(from::pipe{}).out(to::pipe{}).err(to::pipe{})),
            "0 r pipe\n1 w pipe\n2 w pipe\n");
  auto nulls = child({"fds"});
  EXPECT_EQ(listed(nulls.out(to::capture{}).err(to::null{})),
            "0 r /dev/null\n1 w pipe\n2 w /dev/null\n");
  const mode_t mask = ::umask(012);
  auto made = child({"fds"});
  EXPECT_EQ(listed(made.out(to::pipe{}).err(to::path{path})),
            "0 r /dev/null\n1 w pipe\n2 w " + path + "\n");
  struct stat file{};
  EXPECT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0664U) << "0666, less the umask";
  ::umask(mask);
  auto added = child({"fds"});
  EXPECT_EQ(listed(added.out(to::pipe{}).err(to::path{path, true}).in(from::bytes{"x"})),
            "0 rw /memfd:bast stdin (deleted)\n1 w pipe\n2 wa " + path + "\n");
  ::unlink(path.c_str());
  auto merged = child({"fds"});
  EXPECT_EQ(listed(merged.out(to::pipe{}).err(to::out{}).in(from::null{})),
            "0 r /dev/null\n1 w pipe\n2 w pipe\n");
}

/// When foreign descriptors are kept, our own must still be closed: the copies that were moved
/// aside, the report, the gate.
TEST_P(SpawnInheritance, P6_NoCopyThatWasMovedAsideSurvivesTheExec) {
  const std::string path = "/dev/zero";
  const auto opened = [&](int number) {
    const os::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return os::descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, number));
  };
  const auto first = opened(200);
  const auto second = opened(201);
  auto bare = child({"fds"});
  const std::string before = descriptors_of(run(bare.keep_foreign_fds().out(to::pipe{})).out);
  auto c = child({"fds"});
  c.keep_foreign_fds().out(to::pipe{});
  c.pass_fd(first.get(), second.get()).pass_fd(second.get(), first.get());
  // Enough low numbers to push the report aside.
  std::string expected = before;
  std::string low;
  for (int theirs = 3; theirs < 40; ++theirs) {
    if (!before.contains("\n" + std::to_string(theirs) + " ")) {
      c.pass_fd(first.get(), theirs);
      low += std::to_string(theirs) + " r " + path + "\n";
    }
  }
  expected += low + "200 r " + path + "\n201 r " + path + "\n";
  const auto sorted = [](const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  EXPECT_EQ(sorted(descriptors_of(run(c).out)), sorted(expected));
}

using way_of_marking = bool (*)(const internal::child_plan&) noexcept;

/// Every descriptor up to the soft limit is marked, including the last one and those past a buffer.
int marks_all(way_of_marking mark) {
  const rlimit soft{.rlim_cur = 300, .rlim_max = 300};
  if (::setrlimit(RLIMIT_NOFILE, &soft) != 0) return 1;
  for (int fd = 3; fd < 300; ++fd) {
    if (::dup2(0, fd) != fd) return 2;
  }
  const bool lists = mark == internal::mark_by_listing;
  if (lists) ::close(299);  // for the listing itself
  internal::descriptor_move moves[] = {{0, 0}, {1, 1}, {2, 2}, {150, 150}};
  internal::child_plan plan;
  plan.moves = moves;
  plan.move_count = 4;
  if (!mark(plan)) return 3;
  for (int fd = 0; fd < 300; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (lists && fd == 299) continue;
    const int expected = fd < 3 || fd == 150 ? 0 : FD_CLOEXEC;
    if (flags != expected) return 4;
  }
  return 0;
}

/// The number of tries follows the process's own limit, without the right to read the limits of
/// other processes.
TEST(SpawnMarking, P6_TheLimitOfTriesIsItsOwn) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind keeps descriptors of its own";
  EXPECT_EQ(test::in_child([] {
              constexpr uid_t another = 4242;
              if (::geteuid() == 0 && ::setresuid(another, another, another) != 0) return 10;
              return marks_all(internal::mark_by_trying);
            }),
            0);
}

TEST(SpawnMarking, P6_TheLastDescriptorIsMarkedToo) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind keeps descriptors of its own";
  for (const way_of_marking mark :
       {way_of_marking{internal::mark_by_range}, way_of_marking{internal::mark_by_listing},
        way_of_marking{internal::mark_by_trying}}) {
    EXPECT_EQ(test::in_child([&] { return marks_all(mark); }), 0);
  }
}

}  // namespace
}  // namespace bast
