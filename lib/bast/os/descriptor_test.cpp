// SPDX-License-Identifier: Apache-2.0
#include "bast/os/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "bast/os/door.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::os {
namespace {

bool open_now(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(Descriptor, ClosesWhatItOwnsOnce) {
  int fd = -1;
  {
    descriptor first = open_file("/dev/null", O_RDONLY).value();
    fd = first.get();
    EXPECT_TRUE(open_now(fd));
    descriptor second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved one holds is the question
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

TEST(Descriptor, ErrorsKeepTheErrno) {
  EXPECT_EQ(open_file("/nonexistent", O_RDONLY).error().error_number(), ENOENT);
  const fault_scope fault({.kind = call::duplicate, .nth = 1, .error_number = EMFILE});
  EXPECT_EQ(is_open(0).error(), errc::limit);
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

}  // namespace
}  // namespace bast::os
