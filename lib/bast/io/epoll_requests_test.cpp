// SPDX-License-Identifier: Apache-2.0
//
// What the kernel is asked for at each time, and what the backend keeps for it.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <string_view>

#include "bast/io/epoll_backend.hpp"
#include "bast/testing/heap_growth.hpp"
#include "bast/testing/local_pair.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

struct counting_watch : descriptor_watch {
  explicit counting_watch(int number, os::readiness direction = os::readiness::readable) {
    fd = number;
    awaited = direction;
    ready = [](descriptor_watch& self) noexcept { ++static_cast<counting_watch&>(self).reports; };
  }
  unsigned reports = 0;
};

class EpollRequests : public testing::Test, protected test::local_pair {
 protected:
  ~EpollRequests() override { epoll_backend::destroy(all); }
  result<void> watch(counting_watch& asked) {
    if (auto reserved = all->reserve(asked.fd); !reserved) return reserved;
    return all->watch(asked);
  }
  std::size_t look() { return all->wait(0).value(); }

  epoll_backend* all = epoll_backend::create().value();
};

/// True if a wait would end at once, be it in vain.
bool ends_a_wait(const epoll_backend& all) {
  pollfd asked{.fd = all.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&asked, 1, 0) == 1;
}

TEST_F(EpollRequests, WhatIsWatchedNoMoreEndsNoWait) {
  counting_watch reads(mine.get());
  counting_watch writes(mine.get(), os::readiness::writable);
  // The only direction.
  ASSERT_TRUE(watch(reads));
  all->unwatch(reads);
  send(peer.get());
  EXPECT_FALSE(ends_a_wait(*all));
  ASSERT_TRUE(watch(reads));
  EXPECT_TRUE(ends_a_wait(*all));
  EXPECT_EQ(look(), 1U);
  EXPECT_FALSE(ends_a_wait(*all)) << "reported";
  // One of two, and then the other.
  receive(mine.get());
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(writes));
  EXPECT_TRUE(ends_a_wait(*all)) << "it is writable";
  all->unwatch(writes);
  EXPECT_FALSE(ends_a_wait(*all));
  send(peer.get());
  EXPECT_TRUE(ends_a_wait(*all));
  all->unwatch(reads);
  EXPECT_FALSE(ends_a_wait(*all));
  ASSERT_TRUE(watch(writes));
  EXPECT_TRUE(ends_a_wait(*all));
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(writes.reports, 1U);
  EXPECT_EQ(reads.reports, 1U);
  EXPECT_FALSE(ends_a_wait(*all));
  // A wake that was taken.
  all->wake();
  EXPECT_TRUE(ends_a_wait(*all));
  EXPECT_EQ(look(), 0U);
  EXPECT_FALSE(ends_a_wait(*all));
}

TEST_F(EpollRequests, WhatIsBehindTheReservedOnesIsRefused) {
  // Room is made by doubling: for 1024 here. None of these is open.
  ASSERT_TRUE(all->reserve(1000));
  counting_watch last(1023);
  const auto closed = all->watch(last);
  ASSERT_FALSE(closed);
  EXPECT_NE(closed.error(), errc::bad_state) << "the kernel refuses it";
  for (const int fd : {-1, 1024, 1025, 100'000}) {
    counting_watch behind(fd);
    const auto refused = all->watch(behind);
    ASSERT_FALSE(refused) << fd;
    EXPECT_EQ(refused.error(), errc::bad_state) << fd;
    EXPECT_STREQ(refused.error().detail(), "not reserved") << fd;
  }
  EXPECT_EQ(all->reserve(-1).error(), errc::invalid);
}

TEST(EpollBackendLife, FreesWhatItAllocated) {
  EXPECT_LT(test::heap_growth_of([] {
              epoll_backend* const one = epoll_backend::create().value();
              EXPECT_TRUE(one->reserve(3));
              EXPECT_TRUE(one->reserve(3000));
              epoll_backend::destroy(one);
            }),
            test::heap_caches);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
