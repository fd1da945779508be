// SPDX-License-Identifier: Apache-2.0
//
// The page faults of a process, on a scripted kernel: which count, and how the others are reported.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "model/test_record_text.hpp"
#include "read/page_faults.hpp"
#include "read/testing/fake_files.hpp"
#include "read/testing/fake_perf.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/ring_writer.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using ::testing::ElementsAre;
using testing::fake_files;
using testing::fake_perf;
using testing::fake_registry;
using testing::ring_writer;

std::string seen_faults(int seen, int on_stacks) {
  return fmt::format(
      "Deepest stacks by page faults: only of stacks that were opened, or got deeper than they had "
      "been, while it was watched ({} first touches of a page, {} of them on stacks).",
      seen, on_stacks);
}

/// A watched registry of this process with one stack in use, and the ring of its faults.
class WatchedFaults : public ::testing::Test {
 protected:
  WatchedFaults() {
    fake_.use(0, 1, 0);
    fake_.use(1, 1, 0);
    kernel_.cpus = 1;
  }
  std::expected<page_faults, problem> watch() { return page_faults::watch(::getpid(), 62); }

  std::uint64_t top(std::size_t slot) { return reinterpret_cast<std::uint64_t>(fake_.top(slot)); }
  /// A touch whose words, including a return address, are still present.
  fault_sample touched(std::size_t slot, std::uint64_t depth, std::uint64_t pc = own_code()) {
    std::memcpy(fake_.top(slot) - depth, &pc, sizeof pc);
    fault_sample made{.pid = static_cast<std::uint32_t>(::getpid()),
                      .address = top(slot) - depth,
                      .sp = top(slot) - depth,
                      .pc = pc,
                      .stack = {}};
    made.stack.assign(fake_.top(slot) - depth, fake_.top(slot) - depth + 8);
    return made;
  }
  static std::uint64_t own_code() { return reinterpret_cast<std::uint64_t>(&seen_faults); }
  std::string look(page_faults& faults) {
    fake_perf::write_ring(kernel_.events.at(0).fd, ring_->part());
    ring_.emplace(fake_perf::ring_bytes);
    return error_text(faults.look());
  }
  /// The data of a site named "worker", and the reports.
  static snapshot told(const page_faults& faults) {
    snapshot seen;
    seen.sites.resize(1);
    seen.sites[0].where = "worker";
    seen.sites[0].kind = bast::watch::site_kind::label;
    faults.add_to(seen);
    return seen;
  }

  fake_registry fake_;
  fake_perf kernel_;
  std::optional<ring_writer> ring_{fake_perf::ring_bytes};
};

TEST_F(WatchedFaults, OnlyThoseOfTheProcessCount) {
  auto faults = watch();
  ASSERT_TRUE(faults) << faults.error().what;
  ring_->add(touched(0, 3000), 8);
  fault_sample of_a_child = touched(0, 9000);
  ++of_a_child.pid;
  ring_->add(of_a_child, 8);
  fault_sample elsewhere = touched(0, 4000);
  elsewhere.address = 0x1000;
  ring_->add(elsewhere, 8);
  EXPECT_EQ(look(*faults), "fine");
  const snapshot seen = told(*faults);
  EXPECT_EQ(test::record_text(seen.sites[0].raw),
            fmt::format("depth=3000 sp=3000 pc={0:#x} fp=0x0 top={1:#x} at=0 first=1 omitted=0 "
                        "[{0:#x}@3000]",
                        own_code(), top(0)));
  EXPECT_THAT(seen.not_seen, ElementsAre(seen_faults(2, 1)));
}

TEST_F(WatchedFaults, WhatWasNotSeenIsSaid) {
  kernel_.refusal = [](const auto& wanted) {
    return wanted.asked.exclude_kernel == 0 ? EACCES : 0;
  };
  auto faults = watch();
  ASSERT_TRUE(faults) << faults.error().what;
  const std::string of_kernel =
      "Pages that the kernel touched first, such as by read(2) into a buffer: that takes "
      "CAP_PERFMON, or kernel.perf_event_paranoid of 1.";
  EXPECT_THAT(told(*faults).not_seen, ElementsAre(seen_faults(0, 0), of_kernel));
  const auto sample = touched(0, 3000);
  ring_->add(sample, 8);
  const std::uint64_t other = 1;
  std::memcpy(fake_.top(0) - 3000, &other, sizeof other);
  ring_->add_lost(5);
  EXPECT_EQ(look(*faults), "fine");
  ring_->add_lost(7);
  EXPECT_EQ(look(*faults), "fine");
  const std::string unsure =
      "Page faults on stacks that had changed before they were read: 1; they are left out.";
  EXPECT_THAT(told(*faults).not_seen,
              ElementsAre(seen_faults(1, 1), unsure,
                          "Page faults that came faster than they could be read: 12.", of_kernel));
  ring_->add_lost(UINT64_MAX - 11);
  EXPECT_EQ(look(*faults), "fine");
  EXPECT_EQ(told(*faults).not_seen.at(2),
            "Page faults that came faster than they could be read: 18446744073709551615.");
  EXPECT_EQ(told(*faults).sites[0].raw.depth, 0U);
}

TEST_F(WatchedFaults, ARingThatMakesNoSenseIsAnErrorAndWhatCameBeforeItCounts) {
  auto faults = watch();
  ASSERT_TRUE(faults) << faults.error().what;
  ring_->add(touched(0, 3000), 8);
  ring_->add_lost(2);
  ring_->add_record(9, {});
  EXPECT_EQ(look(*faults),
            "3 the kernel's ring of page faults is damaged at 104: 8 bytes are no record of type "
            "9");
  EXPECT_EQ(told(*faults).sites[0].raw.depth, 3000U);
  EXPECT_EQ(told(*faults).not_seen.back(),
            "Page faults that came faster than they could be read: 2.");
}

TEST_F(WatchedFaults, CodeThatIsLoadedMeanwhileIsFound) {
  fake_files files;
  const std::string maps = fmt::format("/proc/{}/maps", ::getpid());
  auto faults = watch();
  ASSERT_TRUE(faults) << faults.error().what;
  files.opened.clear();
  ring_->add(touched(0, 3000), 8);
  EXPECT_EQ(look(*faults), "fine");
  EXPECT_THAT(files.opened, ::testing::Not(::testing::Contains(maps)));
  // Elsewhere, and in data only.
  constexpr std::uint64_t loaded = 0x1234'5000;
  files.texts[maps] =
      "12345000-12346000 r-xp 00000000 fe:00 1 /lib/new\n"
      "12346000-12347000 rw-p 00000000 fe:00 1 /lib/new\n";
  ring_->add(touched(0, 5000, loaded + 16), 8);
  EXPECT_EQ(look(*faults), "fine");
  EXPECT_EQ(std::ranges::count(files.opened, maps), 1);
  auto seen = told(*faults);
  EXPECT_EQ(seen.sites[0].raw.depth, 5000U);
  ASSERT_EQ(seen.sites[0].raw.count, 1U);
  EXPECT_EQ(seen.sites[0].raw.return_pc[0], loaded + 16);
  ring_->add(touched(1, 7000, loaded + 0x1010), 8);
  EXPECT_EQ(look(*faults), "fine");
  EXPECT_EQ(std::ranges::count(files.opened, maps), 2);
  EXPECT_EQ(told(*faults).sites[0].raw.count, 0U);
  // A process at its end has no code; the known ranges are kept.
  for (const bool refused : {false, true}) {
    files.texts[maps] = "";
    if (refused) files.errors[maps] = EACCES;
    ring_->add(touched(1, refused ? 9000 : 8000, 0x99), 8);
    EXPECT_EQ(look(*faults), "fine");
  }
  ring_->add(touched(0, 10'000, loaded + 8), 8);
  EXPECT_EQ(look(*faults), "fine");
  EXPECT_EQ(told(*faults).sites[0].raw.count, 2U);
}

TEST_F(WatchedFaults, WhatCannotBeWatchedIsSaid) {
  kernel_.refusal = [](const auto&) { return EIO; };
  EXPECT_EQ(error_text(watch()),
            fmt::format("3 cannot watch the page faults of process {}: perf_event_open: "
                        "Input/output error",
                        ::getpid()));
  EXPECT_EQ(error_text(page_faults::watch(5'000'000, 62)), "3 there is no process 5000000");
  EXPECT_EQ(error_text(page_faults::watch(::getpid(), 40)),
            fmt::format("3 process {} runs on a CPU (ELF machine 40) whose registers this program "
                        "does not know",
                        ::getpid()));
  testing::bast_stacks_fake_anchor.registry = 0;
  EXPECT_THAT(error_text(watch()),
              ::testing::StartsWith(fmt::format(
                  "3 process {} has bast, but its registry is not made yet", ::getpid())));
}

}  // namespace
}  // namespace bast_stacks
