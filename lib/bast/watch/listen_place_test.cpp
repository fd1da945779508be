// SPDX-License-Identifier: Apache-2.0
//
// The paths that a listener accepts, its thread, and its cleanup after a failed start.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/visitor.hpp"
#include "bast/watch/listen.hpp"

namespace bast::watch {
namespace {

using ListenerPlace = test::socket_directory;

constexpr uid_t nobody_user = 65534;

/// Restores the effective user at its end.
struct as_user {
  uid_t before = ::geteuid();
  explicit as_user(uid_t user) { EXPECT_EQ(::seteuid(user), 0); }
  ~as_user() { EXPECT_EQ(::seteuid(before), 0); }
  as_user(const as_user&) = delete;
  as_user& operator=(const as_user&) = delete;
};

// --- the path ------------------------------------------------------------------------------------

TEST_F(ListenerPlace, OnlyADirectoryThatIsPrivateIsAccepted) {
  const std::string place = directory + "/place";
  ASSERT_TRUE(os::private_directory(place.c_str()));
  struct stat made{};
  ASSERT_EQ(::stat(place.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode, S_IFDIR | S_IRWXU);
  EXPECT_TRUE(os::private_directory(place.c_str())) << "the second process uses it";
  for (const mode_t bit : {0040U, 0020U, 0010U, 0004U, 0002U, 0001U}) {
    ASSERT_EQ(::chmod(place.c_str(), S_IRWXU | bit), 0);
    const auto refused = os::private_directory(place.c_str());
    ASSERT_FALSE(refused) << bit;
    EXPECT_EQ(test::kind_of(refused), errc::invalid);
  }
  ASSERT_EQ(::chmod(place.c_str(), S_IRWXU), 0);
  const std::string file = directory + "/file";
  std::ofstream(file) << "x";
  EXPECT_EQ(test::kind_of(os::private_directory(file.c_str())), errc::invalid);
  const std::string link = directory + "/link";
  ASSERT_EQ(::symlink(place.c_str(), link.c_str()), 0);
  EXPECT_EQ(test::kind_of(os::private_directory(link.c_str())), errc::invalid);
  EXPECT_FALSE(os::private_directory((directory + "/no/such").c_str()));
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chown(place.c_str(), nobody_user, nobody_user), 0);
  const auto anothers = os::private_directory(place.c_str());
  ASSERT_FALSE(anothers) << "another user's private directory";
  EXPECT_EQ(test::kind_of(anothers), errc::invalid);
  ASSERT_EQ(::chown(directory.c_str(), nobody_user, nobody_user), 0);
  const as_user somebody_now(nobody_user);
  EXPECT_TRUE(os::private_directory(place.c_str()));
}

/// Sets XDG_RUNTIME_DIR, and restores it at its end.
struct run_time_directory {
  std::optional<std::string> before;
  explicit run_time_directory(const char* value) {
    if (const char* const old = ::getenv("XDG_RUNTIME_DIR")) before = old;
    value != nullptr ? ::setenv("XDG_RUNTIME_DIR", value, 1) : ::unsetenv("XDG_RUNTIME_DIR");
  }
  ~run_time_directory() {
    before ? ::setenv("XDG_RUNTIME_DIR", before->c_str(), 1) : ::unsetenv("XDG_RUNTIME_DIR");
  }
  run_time_directory(const run_time_directory&) = delete;
  run_time_directory& operator=(const run_time_directory&) = delete;
};

TEST_F(ListenerPlace, TheDefaultPlaceIsPrivateOrThereIsNoDoor) {
  const run_time_directory variable(directory.c_str());
  const std::string place = directory + "/bast-stacks";
  {
    const auto listening = listener::create();
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(listening->path(), place + "/" + std::to_string(::getpid()) + ".sock");
    struct stat made{};
    ASSERT_EQ(::stat(place.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode, S_IFDIR | S_IRWXU);
  }
  ASSERT_EQ(::chmod(place.c_str(), 0750), 0);
  const test::leak_baseline before;
  const auto refused = listener::create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(test::kind_of(refused), errc::invalid);
  EXPECT_TRUE(std::filesystem::is_empty(place));
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ListenerPlace, WithoutARunTimeDirectoryItIsTheUsersOwnInTmp) {
  const std::string place = "/tmp/bast-stacks-" + std::to_string(::geteuid());
  const bool was_there = ::access(place.c_str(), F_OK) == 0;
  const char* const none_of_them[] = {nullptr, "", "relative/directory"};
  for (const char* const value : none_of_them) {
    const run_time_directory variable(value);
    const auto listening = listener::create();
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(listening->path(), place + "/" + std::to_string(::getpid()) + ".sock");
  }
  if (!was_there) ::rmdir(place.c_str());
}

TEST_F(ListenerPlace, TheLongestPathOfASocketWorksAndALongerOneDoesNot) {
  sockaddr_un address{};
  constexpr std::size_t most = sizeof address.sun_path - 1;
  const std::string longest = directory + "/" + std::string(most - directory.size() - 1, 'x');
  ASSERT_EQ(longest.size(), 107U);
  {
    const auto listening = listener::create(longest.c_str());
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(listening->path(), longest);
    const test::received got = test::visit(longest);
    EXPECT_GE(got.fd, 0);
    ::close(got.fd);
  }
  EXPECT_NE(::access(longest.c_str(), F_OK), 0);
  EXPECT_EQ(test::kind_of(listener::create((longest + "x").c_str())), errc::invalid);
}

// --- its lifetime --------------------------------------------------------------------------------

TEST_F(ListenerPlace, ADoorThatIsMovedOverAnotherClosesThatOne) {
  const std::string other = directory + "/other.sock";
  listener one = *listener::create(path.c_str());
  listener two = *listener::create(other.c_str());
  two = std::move(one);
  EXPECT_EQ(two.path(), path);
  EXPECT_NE(::access(other.c_str(), F_OK), 0) << "the listener that it was is closed";
  test::received got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
  listener& same = two;
  two = std::move(same);
  got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
}

std::set<std::string> threads_of_process() {
  std::set<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    all.insert(entry.path().filename());
  }
  return all;
}

TEST_F(ListenerPlace, ItsThreadTakesNoSignalsAndTheStartersAreAsTheyWere) {
  if (BAST_EMULATED || BAST_WITH_VALGRIND) GTEST_SKIP() << "the kernel's masks differ";
  {
    ASSERT_TRUE(listener::create(path.c_str()));
  }  // A sanitizer's own thread may come with the first.
  sigset_t before{};
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  const std::set<std::string> others = threads_of_process();
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  sigset_t after{};
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  int found = 0;
  for (const std::string& thread : threads_of_process()) {
    if (others.contains(thread)) continue;
    std::ifstream status("/proc/self/task/" + thread + "/status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      ++found;
      const std::uint64_t blocked = std::stoull(line.substr(7), nullptr, 16);
      for (int number = 1; number < 65; ++number) {
        EXPECT_EQ(::sigismember(&before, number), ::sigismember(&after, number)) << number;
        const bool unblockable = number == SIGKILL || number == SIGSTOP;
        const bool of_the_c_library = number >= 32 && number < SIGRTMIN;
        if (unblockable || of_the_c_library) continue;
        EXPECT_NE(blocked & std::uint64_t{1} << (number - 1), 0U) << number;
      }
    }
  }
  EXPECT_EQ(found, 1);
}

TEST_F(ListenerPlace, X6_EachCallThatIsRefusedIsAnErrorOfItsKindAndLeavesNothing) {
  {
    ASSERT_TRUE(listener::create(path.c_str()));
  }  // The first thread leaves the C library's cache.
  struct refusal {
    os::call kind;
    int calls;  // of this kind, made by a start
    int cause;
    errc answer;
  };
  const refusal all[] = {{os::call::allocate, 1, ENOMEM, errc::no_memory},
                         {os::call::pipe, 1, EMFILE, errc::limit},
                         {os::call::epoll, 1, EMFILE, errc::limit},
                         {os::call::epoll, 1, ENOMEM, errc::no_memory},
                         {os::call::socket, 3, EMFILE, errc::limit},
                         {os::call::socket, 3, EACCES, errc::io}};
  const test::leak_baseline before;
  for (const refusal& each : all) {
    for (int nth = 1; nth <= each.calls; ++nth) {
      const os::fault_scope fault(
          {.kind = each.kind, .nth = static_cast<std::uint64_t>(nth), .error_number = each.cause});
      const auto listening = listener::create(path.c_str());
      ASSERT_FALSE(listening) << os::name_of(each.kind) << nth;
      EXPECT_EQ(listening.error().kind(), each.answer) << os::name_of(each.kind) << nth;
      EXPECT_NE(::access(path.c_str(), F_OK), 0) << os::name_of(each.kind) << nth;
    }
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ListenerPlace, X6_ADoorThatWasNeverOpenedTakesNothingAway) {
  std::ofstream(path) << "somebody's";
  for (const os::call kind : {os::call::pipe, os::call::epoll, os::call::allocate}) {
    const os::fault_scope fault({.kind = kind, .nth = 1, .error_number = EMFILE});
    EXPECT_FALSE(listener::create(path.c_str()));
    EXPECT_EQ(::access(path.c_str(), F_OK), 0) << os::name_of(kind);
  }
}

TEST_F(ListenerPlace, X6_WithoutAThreadThereIsNoSocketEither) {
  pthread_attr_t usual{};
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  pthread_attr_t huge{};
  ASSERT_EQ(::pthread_attr_init(&huge), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&huge, std::size_t{1} << 50), 0);
  const test::leak_baseline before;
  ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
  const auto listening = listener::create(path.c_str());
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  ASSERT_FALSE(listening);
  EXPECT_EQ(test::kind_of(listening), errc::limit);
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(before.differences(), "");
  ::pthread_attr_destroy(&huge);
  ::pthread_attr_destroy(&usual);
}

}  // namespace
}  // namespace bast::watch
