// SPDX-License-Identifier: Apache-2.0
//
// The content of a memory_image, piece by piece, for invented slabs and control blocks.
#include "bast/watch/memory_image.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <utility>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/visitor.hpp"
#include "bast/watch/registry.hpp"

extern "C" const bast::watch::anchor bast_watch_anchor;

namespace bast::watch {
namespace {

using places = std::vector<std::pair<std::uint64_t, std::size_t>>;

std::uint64_t address_of(const void* what) { return reinterpret_cast<std::uintptr_t>(what); }

/// A slot with a layout that no layer uses.
struct made_up_slot {
  std::uint64_t before = 0;
  std::uint64_t name = 0;
  std::uint8_t state = 0;
  std::uint8_t padding[15] = {};
};
static_assert(sizeof(made_up_slot) == 32);

slot_layout layout_of_made_up_slots() {
  slot_layout layout{};
  layout.record_bytes = sizeof(made_up_slot);
  layout.name = offsetof(made_up_slot, name);
  layout.state = offsetof(made_up_slot, state);
  return layout;
}

class MemoryImage : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(open_registry());
    layout_before = registry()->slots;
    coros_before = registry()->coros;
    coros_bytes_before = registry()->coros_bytes;
    describe(layout_of_made_up_slots());
    describe_coros(blocks, sizeof blocks);
  }
  void TearDown() override {
    give(slab);
    describe(layout_before);
    describe_coros(reinterpret_cast<const void*>(coros_before), coros_bytes_before);
  }
  void make_slab(std::uint32_t opened) {
    slab = take_slab();
    ASSERT_NE(slab, nullptr);
    slab->slots = address_of(slots);
    set_opened(*slab, opened);
    publish(*slab);
  }
  places always() const {
    const header& head = *registry();
    return {{address_of(&bast_watch_anchor), sizeof bast_watch_anchor},
            {address_of(&head), head.sites.offset + head.sites.used * sizeof(site_entry)}};
  }
  places with_slab(std::uint32_t opened) const {
    places all = always();
    all.emplace_back(address_of(slots), opened * sizeof(made_up_slot));
    return all;
  }
  std::pair<std::uint64_t, std::size_t> coros() const {
    return {address_of(blocks), sizeof blocks};
  }

  alignas(64) char name[64] = "a name of which sixty-four bytes are copied";
  made_up_slot slots[4] = {};
  std::uint64_t blocks[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  slab_entry* slab = nullptr;
  slot_layout layout_before{};
  std::uint64_t coros_before = 0;
  std::uint64_t coros_bytes_before = 0;
};

constexpr auto live = static_cast<std::uint8_t>(slot_state::live);
constexpr auto idle = static_cast<std::uint8_t>(slot_state::idle);

TEST_F(MemoryImage, HoldsEveryPieceOnceWithItsBytes) {
  slots[0] = {.name = address_of(name), .state = live};
  slots[1] = {.name = address_of(name), .state = idle};  // of the previous user
  slots[2] = {.name = 0, .state = live};
  slots[3] = {.name = address_of(name), .state = live};  // not opened
  make_slab(3);
  const auto file = make_memory_image();
  ASSERT_TRUE(file);
  const test::opened_memory_image all(file->get());
  EXPECT_EQ(std::memcmp(all.head.magic, memory_image_magic, sizeof all.head.magic), 0);
  EXPECT_EQ(all.head.version, memory_image_version);
  EXPECT_EQ(all.head.anchor, address_of(&bast_watch_anchor));
  places expected = with_slab(3);
  expected.emplace_back(address_of(name), sizeof name);
  expected.push_back(coros());
  ASSERT_EQ(all.places(), expected);
  EXPECT_EQ(all.end, all.size) << "nothing follows the last piece";
  EXPECT_EQ(std::memcmp(all.pieces[0].bytes.data(), &bast_watch_anchor, sizeof(anchor)), 0);
  header copied{};
  std::memcpy(&copied, all.pieces[1].bytes.data(), sizeof copied);
  EXPECT_EQ(std::memcmp(&copied, registry(), sizeof copied), 0);
  EXPECT_EQ(std::memcmp(all.pieces[2].bytes.data(), slots, 3 * sizeof *slots), 0);
  EXPECT_EQ(std::memcmp(all.pieces[3].bytes.data(), name, sizeof name), 0);
  EXPECT_EQ(std::memcmp(all.pieces[4].bytes.data(), blocks, sizeof blocks), 0);
}

TEST_F(MemoryImage, IsSealedAndClosedOnExec) {
  const auto file = make_memory_image();
  ASSERT_TRUE(file);
  EXPECT_EQ(::fcntl(file->get(), F_GET_SEALS),
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  EXPECT_EQ(::fcntl(file->get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(MemoryImage, ForALiveSlotWithoutANameNothingIsWritten) {
  make_slab(4);
  const auto writes = [] {
    const os::fault_scope counted({.kind = os::call::write});
    EXPECT_TRUE(make_memory_image());
    return counted.seen();
  };
  const std::uint64_t without = writes();
  slots[1].state = live;
  EXPECT_EQ(writes(), without);
  slots[1].name = address_of(name);
  EXPECT_EQ(writes(), without + 2) << "the piece and its header";
}

TEST_F(MemoryImage, LeavesOutSlabsThatAreNotOpenAndTablesThatAreEmpty) {
  slots[0] = {.name = address_of(name), .state = live};
  make_slab(0);
  describe_coros(blocks, 0);
  EXPECT_EQ(test::opened_memory_image(make_memory_image()->get()).places(), always())
      << "nothing is opened";
  set_opened(*slab, 1);
  slab->state = static_cast<std::uint32_t>(entry_state::closed);  // taken, and not published
  EXPECT_EQ(test::opened_memory_image(make_memory_image()->get()).places(), always());
  give(std::exchange(slab, nullptr));
  EXPECT_EQ(test::opened_memory_image(make_memory_image()->get()).places(), always());
}

TEST_F(MemoryImage, AnOpenSlabBehindAFreeOneIsFound) {
  slab_entry* const gone = take_slab();
  make_slab(2);
  give(gone);
  places expected = with_slab(2);
  expected.push_back(coros());
  EXPECT_EQ(test::opened_memory_image(make_memory_image()->get()).places(), expected);
}

TEST_F(MemoryImage, WhatCannotBeReadIsLeftOutAndTheRestIsWhole) {
  const std::size_t page = os::page_bytes();
  std::byte* const hole = *os::reserve(page, page);
  slots[0] = {.name = address_of(hole), .state = live};
  slots[1] = {.name = address_of(name), .state = live};
  make_slab(2);
  const auto file = make_memory_image();
  ASSERT_TRUE(file);
  const test::opened_memory_image all(file->get());
  places expected = with_slab(2);
  expected.emplace_back(address_of(name), sizeof name);
  expected.push_back(coros());
  EXPECT_EQ(all.places(), expected);
  EXPECT_EQ(std::memcmp(all.pieces.back().bytes.data(), blocks, sizeof blocks), 0);
  os::release(hole, page);
}

TEST_F(MemoryImage, X6_AWriteThatFailsCostsItsPieceAlone) {
  slots[0] = {.name = address_of(name), .state = live};
  make_slab(1);
  places whole = with_slab(1);
  whole.emplace_back(address_of(name), sizeof name);
  whole.push_back(coros());
  const test::leak_baseline before;
  // Two writes for each piece, and one for the header.
  for (std::uint64_t nth = 1; nth <= 2 * whole.size(); ++nth) {
    const os::fault_scope fault({.kind = os::call::write, .nth = nth, .error_number = ENOSPC});
    const auto file = make_memory_image();
    ASSERT_TRUE(file) << nth;
    EXPECT_EQ(fault.injected(), 1U);
    places expected = whole;
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>((nth - 1) / 2));
    EXPECT_EQ(test::opened_memory_image(file->get()).places(), expected) << nth;
  }
  {
    const os::fault_scope fault(
        {.kind = os::call::write, .nth = 2 * whole.size() + 1, .error_number = ENOSPC});
    const auto file = make_memory_image();
    ASSERT_FALSE(file);
    EXPECT_EQ(test::kind_of(file), errc::no_memory);
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_F(MemoryImage, X6_WithoutAFileThereIsAnErrorOfItsKind) {
  const test::leak_baseline before;
  const std::pair<int, errc> answers[] = {
      {EMFILE, errc::limit}, {ENFILE, errc::limit}, {ENOMEM, errc::no_memory}};
  for (const auto& [cause, kind] : answers) {
    const os::fault_scope fault({.kind = os::call::memory_file, .nth = 1, .error_number = cause});
    const auto file = make_memory_image();
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().kind(), kind) << cause;
  }
  EXPECT_EQ(before.differences(), "");
}

TEST(CapsuleOfNothing, BeforeTheFirstPoolThereIsNone) {
  test::expect_in_fresh_process([] {
    const auto file = make_memory_image();
    if (file || file.error().kind() != errc::bad_state) return 1;
    return registry() == nullptr ? 0 : 2;
  });
}

}  // namespace
}  // namespace bast::watch
