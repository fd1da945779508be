// SPDX-License-Identifier: Apache-2.0
//
// Registries in a file, of an ended program: the first, the following ones, and the text after
// each.
#include "read/shared_registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "model/test_record_text.hpp"
#include "read/modules.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/reading.hpp"

namespace bast_stacks {
namespace {

using bast::watch::shared_stride;
using test::error_text;
using ::testing::ElementsAre;
using testing::fake_registry;
using testing::find_site;

/// A file that is mostly a hole, of any size.
class sparse_source final : public source {
 public:
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= size_) return 0;
    const std::size_t count = std::min<std::uint64_t>(into.size(), size_ - offset);
    std::ranges::fill(into.first(count), std::byte{});
    for (const auto& [at, bytes] : parts_) {
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (at + i >= offset && at + i - offset < count) into[at + i - offset] = bytes[i];
      }
    }
    return count;
  }
  void put(std::uint64_t at, std::span<const std::byte> bytes) {
    parts_[at].assign(bytes.begin(), bytes.end());
    size_ = std::max(size_, at + bytes.size());
  }
  void cut(std::uint64_t size) { size_ = size; }

 private:
  std::map<std::uint64_t, std::vector<std::byte>> parts_;
  std::uint64_t size_ = 0;
};

/// A file that holds copies of a fake registry.
class registry_file {
 public:
  registry_file() {
    fake_.header().pid = 700;
    fake_.site(1).uses = 3;
  }

  fake_registry& fake() { return fake_; }
  void put_registry(std::uint64_t at) {
    file_->put(at, {reinterpret_cast<const std::byte*>(&fake_.header()), fake_registry::bytes});
  }
  void put_text(std::uint64_t at, std::string_view text) {
    file_->put(at + fake_registry::bytes, std::as_bytes(std::span(text)));
  }
  void cut(std::uint64_t size) { file_->cut(size); }
  std::shared_ptr<const source> file() const { return file_; }

 private:
  fake_registry fake_;
  std::shared_ptr<sparse_source> file_ = std::make_shared<sparse_source>();
};

/// A line of /proc/self/maps, for this program's file.
std::string own_line() {
  const mapping own = parse_maps(read_proc("/proc/self/maps", 1 << 20).value()).front();
  return fmt::format("{:x}-{:x} r--p 00000000 00:00 1 {}\n", own.where.low, own.where.high,
                     own.path);
}

TEST(SharedRegistry, HasWhatTheProgramLeft) {
  registry_file all;
  all.fake().use(2, 1, 3000);
  all.put_registry(0);
  const auto seen = open_shared_registry(all.file(), "a\x1bprogram");
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(test::record_text(*seen),
            "from=" + std::to_string(static_cast<int>(source_kind::shared_registry)) +
                " what=a\ufffdprogram pid=700 program= library=bast 0.0.fake compiler=gcc 12.2.0 "
                "machine=62 page=4096 built=0x0 modes=0 runtime=0\n"
                "pool 1 thread=0  limit=196608 guard=65536 window=32768 retain=0 budget=0 scrub=0 "
                "growth=0 measured=true stacks=8 live=0 resident=0\n"
                "site 2 worker 0:0 uses=3 pending=0 samples=0 grows=0 max=0 age=0 [] live=0 held=0 "
                "limit=196608 window=32768 pools=[1]\n"
                "not seen: Pools that were still there at the end: 1; uses of their stacks since "
                "they were last measured are not counted.\n");
}

TEST(SharedRegistry, WithoutOneTheProgramMadeNoPool) {
  const std::string none =
      "3 it made no pool of bast | build it with bast, and let it start a coroutine";
  registry_file all;
  EXPECT_EQ(error_text(open_shared_registry(all.file(), "it")), none);
  all.put_registry(0);
  EXPECT_TRUE(holds_registry(*all.file(), 0));
  EXPECT_FALSE(holds_registry(*all.file(), 8));
  EXPECT_FALSE(holds_registry(*all.file(), fake_registry::bytes));
  EXPECT_EQ(error_text(open_shared_registry(all.file(), "it")), "fine");
  all.cut(sizeof(bast::watch::header) - 1);
  EXPECT_TRUE(holds_registry(*all.file(), 0));
  EXPECT_EQ(error_text(open_shared_registry(all.file(), "it")), none);
  all.cut(7);
  EXPECT_FALSE(holds_registry(*all.file(), 0));
  // One whose sites are cut off is read as far as possible.
  all.put_registry(0);
  all.cut(fake_registry::bytes - fake_registry::page);
  EXPECT_EQ(error_text(open_shared_registry(all.file(), "it")), "fine");
  all.fake().header().version_major = 9;
  all.put_registry(0);
  EXPECT_EQ(error_text(open_shared_registry(all.file(), "it")),
            fmt::format("3 the registry at {:#x} has version 9.{}; this program reads version 1 | "
                        "use the bast-stacks of the program's own version of bast",
                        all.fake().header().self, bast::watch::version_minor));
}

TEST(SharedRegistry, ItsFilesAreWrittenBehindItUpToTheFirstZero) {
  const auto modules = [](const std::string& text, std::uint64_t at = 0) {
    registry_file all;
    all.put_registry(at);
    all.put_text(at, text);
    const auto seen = open_shared_registry(all.file(), "it", at);
    EXPECT_TRUE(seen);
    return seen ? seen->modules.size() : 99;
  };
  const std::string line = own_line();
  EXPECT_EQ(modules(line), 1U);
  EXPECT_EQ(modules(line, shared_stride), 1U);
  EXPECT_EQ(modules(line.substr(0, line.size() - 1)), 1U);
  EXPECT_EQ(modules(line.substr(0, line.size() - 1) + std::string(5, '\0') + line), 1U);
  EXPECT_EQ(modules(std::string(1, '\0') + line), 0U);
  EXPECT_EQ(modules(""), 0U);
  // At most what the library writes.
  constexpr std::size_t most = 1 << 20;
  EXPECT_EQ(modules(std::string(most - line.size(), '\n') + line), 1U);
  EXPECT_EQ(modules(std::string(most, '\n') + line), 0U);
}

TEST(SharedRegistry, OthersFollowUntilOneHasNoOwner) {
  registry_file all;
  all.put_registry(0);
  const auto texts = [&] {
    std::vector<std::string> found;
    for (const snapshot& each : open_further_registries(all.file())) {
      found.push_back(fmt::format("{} pid={} sites={} [{}]", each.what, each.pid, each.sites.size(),
                                  fmt::join(each.not_seen, "|")));
    }
    return found;
  };
  const std::string there =
      "Pools that were still there at the end: 1; uses of their stacks since they were last "
      "measured are not counted.";
  EXPECT_THAT(texts(), ElementsAre());
  bast::watch::header& header = all.fake().header();
  header.pid = 701;
  all.put_registry(shared_stride);
  header.pid = 702;
  header.magic = 0;  // It was being created.
  all.put_registry(2 * shared_stride);
  header.pid = 703;
  header.magic = bast::watch::magic;
  header.pointer_bytes = 4;
  all.put_registry(3 * shared_stride);
  header.pid = 704;
  header.pools.used = 0;  // Nothing is lost with it.
  all.put_registry(4 * shared_stride);
  header.pid = 705;
  header.pools.used = 1;
  header.pointer_bytes = 8;
  all.put_registry(5 * shared_stride);
  header.pid = 0;
  all.put_registry(6 * shared_stride);
  header.pid = 707;
  all.put_registry(7 * shared_stride);
  EXPECT_THAT(
      texts(),
      ElementsAre("process 701 pid=701 sites=1 [" + there + "]",
                  fmt::format(" pid=0 sites=0 [process 703: the registry at {:#x} is damaged: "
                              "pointer_bytes is 4.]",
                              header.self),
                  "process 705 pid=705 sites=1 [" + there + "]"));
}

}  // namespace
}  // namespace bast_stacks
