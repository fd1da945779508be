// SPDX-License-Identifier: Apache-2.0
//
// Attaching to a process on a scripted kernel: which reads it permits, and what it reports about a
// process that it does not permit to read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "model/test_record_text.hpp"
#include "read/attach.hpp"
#include "read/listener.hpp"
#include "read/open.hpp"
#include "read/testing/fake_files.hpp"
#include "read/testing/fake_listener.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::fake_files;
using testing::fake_listener;
using testing::fake_registry;
using testing::faulty_call;

constexpr pid_t fake_pid = 5'000'000;  // above every pid of Linux
const std::string fake_proc = "/proc/5000000/";
const std::string scope_file = "/proc/sys/kernel/yama/ptrace_scope";

/// A process of user 1000, readable by user 1000.
struct fake_process {
  fake_files files;
  std::vector<int> kill_errors;  // of successive attempts; then 0
  std::size_t kills = 0;
  int memory_error = 0;
  uid_t ours = 1000;
  std::optional<uid_t> folder_owner = 1000;
  std::string program = "/the/program";
  std::vector<std::string> stats;
  std::vector<long> read_at;

  fake_process() {
    ::unsetenv("XDG_RUNTIME_DIR");
    files.texts[fake_proc + "maps"] =
        "400000-401000 r-xp 00000000 fe:00 1 /the/program\n"
        "601000-602000 rw-p 00001000 fe:00 1 /the/program\n";
    files.texts[fake_proc + "status"] =
        "Name:\tprogram\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nGid:\t7\n";
    files.texts[scope_file] = "0\n";
  }

  answered_call kill{called::kill, [this](const auto& given) -> std::optional<long> {
                       EXPECT_EQ(static_cast<pid_t>(given[0]), fake_pid);
                       EXPECT_EQ(given[1], 0);
                       return kills < kill_errors.size() ? -kill_errors[kills++] : 0;
                     }};
  answered_call readv{called::process_vm_readv, [this](const auto& given) -> std::optional<long> {
                        EXPECT_EQ(given[0], fake_pid);
                        read_at.push_back(*reinterpret_cast<const long*>(given[3]));
                        return memory_error == 0 ? 1 : -memory_error;
                      }};
  answered_call user{called::geteuid, [this](const auto&) { return std::optional<long>(ours); }};
  answered_call stat{called::stat, [this](const auto& given) -> std::optional<long> {
                       stats.emplace_back(reinterpret_cast<const char*>(given[0]));
                       if (!folder_owner || !stats.back().starts_with("/proc/5000000"))
                         return -ENOENT;
                       auto& into = *reinterpret_cast<struct stat*>(given[1]);
                       into = {};
                       into.st_uid = *folder_owner;
                       return 0;
                     }};
  answered_call readlink{called::readlink, [this](const auto& given) -> std::optional<long> {
                           EXPECT_EQ(reinterpret_cast<const char*>(given[0]), fake_proc + "exe");
                           EXPECT_EQ(given[2], 4096);
                           if (program.empty()) return -EACCES;
                           program.copy(reinterpret_cast<char*>(given[1]), program.size());
                           return static_cast<long>(program.size());
                         }};
  std::string attached_text() { return error_text(attach(fake_pid)); }
};

TEST(AttachAnswers, WhatMayBeReadIsRead) {
  fake_process one;
  const auto found = attach(fake_pid);
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->program, "/the/program");
  ASSERT_EQ(found->mappings.size(), 2U);
  EXPECT_EQ(found->mappings[1].where.low, 0x601000U);
  EXPECT_EQ(found->mappings[1].offset, 0x1000U);
  EXPECT_FALSE(found->anchor);
  EXPECT_THAT(found->not_seen, ElementsAre());
  EXPECT_THAT(one.read_at, ElementsAre(0x400000));
  std::byte byte{};
  EXPECT_TRUE(found->target->read(0x1234, byte));
  EXPECT_THAT(one.read_at, ElementsAre(0x400000, 0x1234));
  // An absent page, and a program without a name, are not a refusal.
  one.memory_error = EFAULT;
  one.program.clear();
  const auto again = attach(fake_pid);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->program, "");
}

TEST(AttachAnswers, ThatItExistsIsAskedFirst) {
  fake_process one;
  one.kill_errors = {ESRCH};
  EXPECT_EQ(one.attached_text(), "3 there is no process 5000000");
  EXPECT_THAT(one.files.opened, ElementsAre());
  one.kill_errors = {EPERM};  // Another user's process: it exists.
  one.kills = 0;
  EXPECT_EQ(one.attached_text(), "fine");
}

TEST(AttachAnswers, AProcessThatEndsMeanwhileHasEnded) {
  fake_process one;
  one.files.errors[fake_proc + "maps"] = ESRCH;
  EXPECT_EQ(one.attached_text(), "3 process 5000000 has ended");
  one.files.errors[fake_proc + "maps"] = ENOENT;
  one.kill_errors = {0, ESRCH};
  EXPECT_EQ(one.attached_text(), "3 process 5000000 has ended");
  // A process that still exists is hidden from us.
  one.kill_errors = {};
  EXPECT_EQ(one.attached_text(),
            "3 cannot read process 5000000: /proc/5000000/maps: No such file or directory; it does "
            "not listen (bast::watch::listener) (a security module, a seccomp filter or a user "
            "namespace forbids it) | run with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or "
            "start the program by bast-stacks run -- PROGRAM");
  one.files.errors.clear();
  one.memory_error = ESRCH;
  EXPECT_EQ(one.attached_text(), "3 process 5000000 has ended");
}

TEST(AttachAnswers, AProcessWithoutMemoryHasEndedOrIsTheKernels) {
  fake_process one;
  one.files.texts[fake_proc + "maps"] = "";
  const std::string kernels =
      "3 process 5000000 has no memory of its own: it is part of the kernel";
  EXPECT_EQ(one.attached_text(), kernels);
  for (const char* const state : {"Z (zombie)", "X (dead)"}) {
    one.files.texts[fake_proc + "status"] = fmt::format("Name:\tx\nState:\t{}\n", state);
    EXPECT_EQ(one.attached_text(), "3 process 5000000 has ended; its parent has not waited for it");
  }
  // Only its own line counts, and the last line need not end.
  for (const char* const text : {"Name:\tState:\tZ\n", "State:\tZ", "", "Name:\tx\nState:\tI\nZ"}) {
    one.files.texts[fake_proc + "status"] = text;
    EXPECT_EQ(one.attached_text(), kernels) << text;
  }
  one.files.texts[fake_proc + "status"] = "Name:\tx\nState:\tZ";
  EXPECT_EQ(one.attached_text(), "3 process 5000000 has ended; its parent has not waited for it");
  one.files.errors[fake_proc + "status"] = EACCES;
  EXPECT_EQ(one.attached_text(), kernels);
  one.files.texts[fake_proc + "maps"] = "1000-2000 rw-p 00000000 00:00 0\n";
  EXPECT_EQ(one.attached_text(), "3 no file is mapped into process 5000000, not even its program");
}

TEST(AttachAnswers, OfARefusalTheDoorIsNamed) {
  const auto said = [](const auto& change, int error = EPERM) {
    fake_process one;
    one.memory_error = error;
    change(one);
    const std::string text = one.attached_text();
    const std::string start = fmt::format(
        "3 cannot read process 5000000: process_vm_readv: {}; it does not listen "
        "(bast::watch::listener) (",
        std::strerror(error));
    EXPECT_EQ(text.substr(0, start.size()), start);
    return text.substr(start.size(), text.find(')', start.size()) - start.size());
  };
  const std::string forbidden =
      "a security module, a seccomp filter or a user namespace forbids it";
  for (const int error : {EPERM, EACCES, ENOSYS})
    EXPECT_EQ(said([](fake_process&) {}, error), forbidden);
  EXPECT_EQ(said([](fake_process& p) { p.ours = 1001; }),
            "it belongs to user 1000, we are user 1001");
  EXPECT_EQ(said([](fake_process& p) { p.folder_owner = 0; }),
            "it is not dumpable: it changed its user, or asked for it");
  // What is not known is not reported.
  EXPECT_EQ(said([](fake_process& p) { p.folder_owner.reset(); }), forbidden);
  EXPECT_EQ(
      said([](fake_process& p) { p.files.errors[fake_proc + "status"] = EACCES, p.ours = 9; }),
      forbidden);
  EXPECT_EQ(
      said([](fake_process& p) { p.files.texts[fake_proc + "status"] = "\nUid:\tx", p.ours = 9; }),
      forbidden);
  // Files of root are root's, dumpable or not.
  EXPECT_EQ(said([](fake_process& p) {
              p.files.texts[fake_proc + "status"] = "Name:\tx\nUid:\t0\t0\n";
              p.folder_owner = 5;
              p.ours = 0;
            }),
            forbidden);
  EXPECT_EQ(said([](fake_process& p) { p.files.texts[scope_file] = "1\n"; }),
            "kernel.yama.ptrace_scope is 1: only descendants may be read");
  EXPECT_EQ(said([](fake_process& p) { p.files.errors[scope_file] = ENOENT; }), forbidden);
}

TEST(AttachAnswers, ItsSocketIsLookedForInFourPlaces) {
  const auto with = [](bool is_there, const char* directory, int* kept = nullptr) {
    fake_process one;
    if (directory != nullptr) ::setenv("XDG_RUNTIME_DIR", directory, 1);
    if (!is_there) one.folder_owner.reset();
    one.ours = 1001;
    const std::string said = error_text(ask_listener(fake_pid));
    ::unsetenv("XDG_RUNTIME_DIR");
    EXPECT_EQ(said, "3 it does not listen (bast::watch::listener)");
    if (kept != nullptr) *kept = 0;
    return one.stats;
  };
  EXPECT_THAT(
      with(true, "/nowhere"),
      ElementsAre("/proc/5000000", "/nowhere/bast-stacks/5000000.sock",
                  "/run/user/1000/bast-stacks/5000000.sock", "/tmp/bast-stacks-1000/5000000.sock",
                  "/tmp/bast-stacks-1001/5000000.sock"));
  EXPECT_THAT(with(false, nullptr),
              ElementsAre("/proc/5000000", "/tmp/bast-stacks-1001/5000000.sock"));
  // Of the sockets that exist without an answer, the last is named.
  fake_process one;
  const answered_call all_there(called::stat, [](const auto&) { return 0; });
  EXPECT_EQ(error_text(ask_listener(fake_pid)),
            "3 no listener at /tmp/bast-stacks-1000/5000000.sock: No such file or directory");
}

/// A listener at this process's socket path, which sends a memory_image of the registry.
class own_listener {
 public:
  explicit own_listener(fake_registry& fake) {
    const std::filesystem::path home = ::testing::TempDir() + "bast-home";
    std::filesystem::create_directories(home / "bast-stacks");
    ::setenv("XDG_RUNTIME_DIR", home.c_str(), 1);
    const std::vector<std::byte> bytes = fake.memory_image();
    fd_ = ::memfd_create("memory_image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_EQ(::write(fd_, bytes.data(), bytes.size()), std::ssize(bytes));
    EXPECT_EQ(::fcntl(fd_, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    server_.emplace("BASTWTCH", fd_, home / "bast-stacks" / (std::to_string(::getpid()) + ".sock"));
  }
  ~own_listener() {
    server_.reset();
    ::close(fd_);
    ::unsetenv("XDG_RUNTIME_DIR");
  }
  own_listener(const own_listener&) = delete;
  own_listener& operator=(const own_listener&) = delete;

 private:
  int fd_ = -1;
  std::optional<fake_listener> server_;
};

TEST(AttachAnswers, AListenerOpensTheMemoryWhereOnlyYamaWasInTheWay) {
  fake_registry fake;
  fake.use(2, 1, 3000);
  const own_listener listening(fake);
  const faulty_call refused(called::process_vm_readv, {.times = 1, .error = EPERM});
  const auto found = attach(::getpid());
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->anchor, reinterpret_cast<std::uint64_t>(&testing::bast_stacks_fake_anchor));
  EXPECT_THAT(found->not_seen, ElementsAre());
  EXPECT_FALSE(found->mappings.empty());
  std::vector<resident_extent> pages;
  const auto here = reinterpret_cast<std::uint64_t>(&pages) & ~std::uint64_t{4095};
  EXPECT_TRUE(found->target->residency({.low = here, .high = here + 4096}, pages));
  char byte = 0;
  EXPECT_TRUE(found->target->read(reinterpret_cast<std::uint64_t>("x"), byte));
  EXPECT_EQ(byte, 'x');
}

TEST(AttachAnswers, WhatAListenerSentIsAllThatThereIsWhereNothingElseMayBeRead) {
  fake_registry fake;
  fake.use(2, 1, 3000);
  const own_listener listening(fake);
  const faulty_call refused(called::process_vm_readv, {.times = 1000, .error = EPERM});
  fake_files files;
  files.errors[fmt::format("/proc/{}/maps", ::getpid())] = EACCES;
  const auto seen = open_process(::getpid(), {});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_THAT(
      seen->not_seen,
      Contains(fmt::format("The depth of live stacks: the registry of process {} came through "
                           "its socket, but its memory may not be read.",
                           ::getpid())));
  EXPECT_THAT(seen->not_seen,
              Contains("Which files the program is made of: frames have no names."));
  EXPECT_EQ(seen->modules.size(), 0U);
  EXPECT_EQ(seen->program, "");
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_FALSE(seen->stacks[0].scanned);
}

}  // namespace
}  // namespace bast_stacks
