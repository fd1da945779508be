// SPDX-License-Identifier: Apache-2.0
//
// Diagnostics to a standard error that cannot be written: the writing process continues.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "bast/os/signal.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

/// Standard error is a pipe without a reader.
bool break_standard_error() {
  int ends[2];
  if (::pipe(ends) != 0 || ::dup2(ends[1], 2) != 2) return false;
  ::close(ends[0]);
  ::close(ends[1]);
  return true;
}
bool is_pending(int number) {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, number) == 1;
}

TEST(WriteDiagnostic, P17_APipeThatNobodyReadsEndsNobody) {
  EXPECT_EQ(test::in_child([] {
              ::signal(SIGPIPE, SIG_DFL);
              if (!break_standard_error()) return 1;
              for (int i = 0; i < 2; ++i) write_diagnostic("no reader is left", 17);
              sigset_t mask;
              ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
              return is_pending(SIGPIPE) || ::sigismember(&mask, SIGPIPE) == 1 ? 2 : 0;
            }),
            0);
}

TEST(WriteDiagnostic, IsWholeWhateverItsLength) {
  EXPECT_EQ(test::in_child([] {
              int ends[2];
              if (::pipe2(ends, O_NONBLOCK) != 0 || ::dup2(ends[1], 2) != 2) return 100;
              constexpr std::string_view text = "abcdefgh";
              for (std::size_t length = 0; length <= text.size(); ++length) {
                write_diagnostic(text.data(), length);
                char seen[16];
                const ssize_t size = ::read(ends[0], seen, sizeof seen);
                if (length == 0 ? size != -1 : size != static_cast<ssize_t>(length)) return 1;
                if (length != 0 && std::string_view(seen, length) != text.substr(0, length)) {
                  return 2;
                }
              }
              return 0;
            }),
            0);
}

TEST(WriteDiagnostic, P17_ASignalThatWaitedBeforeStillDoes) {
  EXPECT_EQ(test::in_child([] {
              sigset_t set;
              ::sigemptyset(&set);
              ::sigaddset(&set, SIGPIPE);
              ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
              if (!break_standard_error()) return 1;
              ::raise(SIGPIPE);
              write_diagnostic("no reader is left", 17);
              return is_pending(SIGPIPE) ? 0 : 2;
            }),
            0);
}

TEST(WriteDiagnostic, P17_AFileThatIsAsLongAsItMayBeEndsNobody) {
  if (test::emulated) GTEST_SKIP() << "qemu-user does not apply such limits";
  EXPECT_EQ(test::in_child([] {
              ::signal(SIGXFSZ, SIG_DFL);
              char path[] = "/tmp/bast-die-XXXXXX";
              const int file = ::mkstemp(path);
              ::unlink(path);
              const rlimit few{.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
              if (::dup2(file, 2) != 2 || ::setrlimit(RLIMIT_FSIZE, &few) != 0) return 1;
              write_diagnostic("longer than that", 16);
              char some[8];
              return ::pread(file, some, sizeof some, 0) == 4 ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
