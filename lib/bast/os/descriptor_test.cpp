// SPDX-License-Identifier: Apache-2.0
#include "bast/os/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/pipe.hpp"
#include "bast/os/poller.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

bool open_now(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(Descriptor, ClosesWhatItOwnsOnce) {
  int fd = -1;
  {
    descriptor first = open_file("/dev/null", O_RDONLY).value();
    fd = first.get();
    EXPECT_TRUE(open_now(fd));
    descriptor second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the test checks the moved-from state
    EXPECT_EQ(second.get(), fd);
    descriptor& same = second;
    second = std::move(same);
    EXPECT_TRUE(open_now(fd));
  }
  EXPECT_FALSE(open_now(fd));
}

TEST(Descriptor, ReleaseGivesTheNumberAway) {
  descriptor owner = open_file("/dev/null", O_RDONLY).value();
  const int fd = owner.release();
  EXPECT_EQ(owner.get(), -1);
  owner.reset();
  EXPECT_TRUE(open_now(fd));
  close_descriptor(fd);
}

TEST(Descriptor, P6_EveryOneIsClosedOnExec) {
  const descriptor file = open_file("/dev/null", O_RDONLY).value();
  EXPECT_TRUE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(Descriptor, AnAssignmentClosesWhatWasOwned) {
  descriptor first = open_file("/dev/null", O_RDONLY).value();
  descriptor second = open_file("/dev/null", O_RDONLY).value();
  const int closed = first.get();
  const int kept = second.get();
  first = std::move(second);
  EXPECT_FALSE(open_now(closed));
  EXPECT_EQ(first.get(), kept);
  EXPECT_TRUE(open_now(kept));
  first = descriptor();
  EXPECT_FALSE(open_now(kept));
  EXPECT_FALSE(first);
}

TEST(Descriptor, AResetOneIsEmptyAndClosesNothingMore) {
  descriptor owner = open_file("/dev/null", O_RDONLY).value();
  const int fd = owner.get();
  owner.reset();
  EXPECT_EQ(owner.get(), -1);
  const descriptor next = open_file("/dev/null", O_RDONLY).value();
  EXPECT_EQ(next.get(), fd) << "the number is free";
  owner.reset();
  EXPECT_TRUE(open_now(fd)) << "reused by another owner";
}

TEST(Descriptor, TheNumberZeroIsOneToo) {
  EXPECT_EQ(test::in_child([] {
              ::close(0);
              descriptor owner(::open("/dev/null", O_RDONLY));
              if (owner.get() != 0 || !owner || !is_open(0).value()) return 1;
              owner.reset();
              return open_now(0) || is_open(0).value() ? 2 : 0;
            }),
            0);
}

TEST(Descriptor, P6_NoneThatIsMadeIsAStandardOne) {
  // Every call that makes a descriptor, while 0, 1 and 2 are the next free numbers.
  const auto made = [](int which) {
    return test::in_child([which] {
      const char byte[1] = {};
      for (int fd = 0; fd < 3; ++fd) ::close(fd);
      const auto number = [](const result<descriptor>& fd) { return fd ? fd->get() : 50; };
      switch (which) {
        case 0: return number(open_file("/dev/null", O_RDONLY));
        case 1: return number(make_event());
        case 2: return number(make_poller());
        case 3: return number(memory_file("test", std::as_bytes(std::span(byte))));
        case 4: return number(sealable_file("test"));
        case 5: return number(open_pidfd(::getpid()));
        case 6: return make_pipe()->read_end.get();
        case 7: return make_pipe()->write_end.get();
        default: return 51;
      }
    });
  };
  for (int which = 0; which <= 7; ++which) {
    if (which == 5 && test::under_valgrind) continue;
    const int number = made(which);
    EXPECT_GE(number, 3) << which;
    EXPECT_LT(number, 50) << which;
  }
}

TEST(Descriptor, P6_WhereNoOtherNumberIsFreeThereIsNone) {
  EXPECT_EQ(test::in_child([] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              const fault_scope fault(
                  {.kind = call::duplicate, .nth = 1, .persistent = true, .error_number = EMFILE});
              if (make_event().error().error_number() != EMFILE) return 1;
              if (make_poller().error().error_number() != EMFILE) return 2;
              if (make_pipe().error().error_number() != EMFILE) return 3;
              if (open_file("/dev/null", O_RDONLY).error().error_number() != EMFILE) return 4;
              if (memory_file("test", {}).error().error_number() != EMFILE) return 5;
              // Nothing is left behind.
              for (int fd = 0; fd < 3; ++fd) {
                if (open_now(fd)) return 6;
              }
              return 0;
            }),
            0);
}

TEST(Descriptor, ErrorsAreWhole) {
  EXPECT_EQ(open_file("/nonexistent", O_RDONLY).error().message(),
            "os.open_file: system error: open refused the path [errno 2]");
  for (const int error_number : {EMFILE, EACCES, EIO, ENOMEM}) {
    const fault_scope fault({.kind = call::open, .nth = 1, .error_number = error_number});
    EXPECT_EQ(open_file("/dev/null", O_RDONLY).error().error_number(), error_number);
    EXPECT_EQ(fault.seen(), 1U);
  }
  for (const int error_number : {EMFILE, EPERM}) {
    const fault_scope fault({.kind = call::duplicate, .nth = 1, .error_number = error_number});
    EXPECT_EQ(is_open(2).error().message(),
              error::from_errno(error_number, "os.is_open", "fcntl(F_GETFD) refused", 2).message());
  }
}

TEST(Descriptor, IsOpenSaysWhichNumbersAreTaken) {
  descriptor file = open_file("/dev/null", O_RDONLY).value();
  const int fd = file.get();
  EXPECT_EQ(is_open(fd), true);
  file.reset();
  EXPECT_EQ(is_open(fd), false);
  EXPECT_EQ(is_open(-1), false);
}

TEST(Descriptor, AFileIsMadeWithTheModeAndTheFlags) {
  char directory[] = "/tmp/bast-os-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/file";
  const mode_t mask = ::umask(0);
  {
    const descriptor file = open_file(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0640).value();
    struct stat found{};
    EXPECT_EQ(::fstat(file.get(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, mode_t{0640});
    EXPECT_EQ(::fcntl(file.get(), F_GETFL) & O_ACCMODE, O_WRONLY);
  }
  ::umask(mask);
  EXPECT_EQ(open_file(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0640).error().error_number(),
            EEXIST);
  ::unlink(path.c_str());
  ::rmdir(directory);
}

TEST(Descriptor, AnInterruptedOpenIsTriedAgain) {
  const fault_scope fault({.kind = call::open, .nth = 1, .error_number = EINTR});
  EXPECT_TRUE(open_file("/dev/null", O_RDONLY));
  EXPECT_EQ(fault.injected(), 1U);
}

TEST(StandardDescriptors, P6_AreTakenWhileALeaseLives) {
  for (unsigned closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(test::in_child([=] {
                const auto is_closed = [=](int fd) { return (closed >> fd & 1) != 0; };
                for (int fd = 0; fd < 3; ++fd) {
                  if (is_closed(fd)) ::close(fd);
                }
                auto first = standard_descriptors_lease::take();
                if (!first) return 1;
                {
                  const auto second = standard_descriptors_lease::take();
                  if (!second) return 2;
                }
                for (int fd = 0; fd < 3; ++fd) {
                  if (!open_now(fd)) return 3;
                  if (is_closed(fd) && (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) return 4;
                }
                if (open_file("/dev/null", O_RDONLY)->get() < 3) return 5;
                {
                  const auto last = std::move(*first);
                }
                for (int fd = 0; fd < 3; ++fd) {
                  if (open_now(fd) == is_closed(fd)) return 6;
                }
                return 0;
              }),
              0)
        << closed;
  }
}

TEST(StandardDescriptors, P9_AFailedLeaseLeavesThemClosed) {
  EXPECT_EQ(test::in_child([] {
              ::close(0);
              ::close(2);
              for (std::uint64_t nth = 1; nth <= 5; ++nth) {
                const fault_scope fault({.nth = nth});
                if (standard_descriptors_lease::take()) return 1;
                if (open_now(0) || open_now(2)) return 2;
              }
              return standard_descriptors_lease::take() ? 0 : 3;
            }),
            0);
}

TEST(StandardDescriptors, P9_AFailedLeaseLeavesWhatAnotherHolds) {
  EXPECT_EQ(test::in_child([] {
              ::close(0);
              {
                const auto first = standard_descriptors_lease::take();
                if (!first || !open_now(0)) return 1;
                ::close(2);
                {
                  const fault_scope fault({.kind = call::open, .nth = 1, .error_number = EMFILE});
                  const auto refused = standard_descriptors_lease::take();
                  if (refused || refused.error() != errc::limit) return 2;
                }
                if (!open_now(0)) return 3;
                const auto second = standard_descriptors_lease::take();
                if (!second || !open_now(2)) return 4;
              }
              return open_now(0) || open_now(2) ? 5 : 0;
            }),
            0);
}

TEST(StandardDescriptors, P6_EachLifeFillsThemAgain) {
  EXPECT_EQ(test::in_child([] {
              ::close(1);
              for (int life = 0; life < 3; ++life) {
                {
                  const auto lease = standard_descriptors_lease::take();
                  if (!lease || !open_now(1)) return 1;
                }
                if (open_now(1)) return 2;
              }
              // Meanwhile the application opened it: not ours to close.
              if (::open("/dev/null", O_RDONLY) != 1) return 3;
              (void)standard_descriptors_lease::take();
              return open_now(1) ? 0 : 4;
            }),
            0);
}

TEST(StandardDescriptors, P6_OneThatSomebodyElseFillsFirstIsTaken) {
  EXPECT_EQ(test::in_child([] {
              const test::leak_baseline before;
              for (const int fd : {0, 1, 2}) {
                if (!open_now(fd)) return 1;
              }
              // fcntl reports 0 as closed, but it is open again before the lease fills it.
              const fault_scope fault({.kind = call::duplicate, .nth = 1, .error_number = EBADF});
              {
                const auto lease = standard_descriptors_lease::take();
                if (!lease || fault.injected() != 1) return 2;
                if (!before.differences().empty()) return 3;
              }
              for (const int fd : {0, 1, 2}) {
                if (!open_now(fd)) return 4;
              }
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
