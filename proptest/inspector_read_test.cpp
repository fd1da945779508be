// SPDX-License-Identifier: Apache-2.0
//
// Reading: the depths of live stacks, against the bytes written to them; and combining looks.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "inspector_samples.hpp"
#include "model/recording.hpp"
#include "read/accumulate.hpp"
#include "read/collect.hpp"
#include "read/process_memory.hpp"
#include "read/testing/fake_registry.hpp"

// No note leads to it: these tests pass their registry's address.
extern "C" bast::watch::anchor bast_stacks_fake_anchor;
bast::watch::anchor bast_stacks_fake_anchor{};

namespace bast_stacks::test {
namespace {

// --- depths --------------------------------------------------------------------------------------

constexpr std::uint32_t slots = 6;
constexpr std::uint64_t stride = 256 << 10;
constexpr std::uint64_t usable = stride - (64 << 10);  // without the guard
constexpr std::uint64_t page = testing::fake_registry::page;

/// A written byte of a stack, `down` bytes from its top.
struct written {
  std::uint64_t down = 1;
  std::uint8_t value = 0;
};
void showValue(const written& w, std::ostream& out) { out << w.down << ": " << int{w.value}; }

rc::Gen<written> writes() {
  return rc::gen::exec([] {
    const std::uint64_t any = 1 + *below(usable);
    const std::uint64_t near_a_page = std::min(usable, 1 + any / page * page + *below(2));
    // Zeros are written too: they make a page resident and do not show in the depth.
    return written{.down = *rc::gen::element(any, near_a_page),
                   .value = *rc::gen::element<std::uint8_t>(0, 0, 1, 0x5a, 0xfb, 0xff)};
  });
}

/// The true depth of a stack, as far as its memory can show.
struct truth {
  std::uint64_t least = 0;  // to the deepest nonzero byte
  std::uint64_t most = 0;   // to the end of the lowest page that was written
};

std::vector<unsigned char> resident_pages(testing::fake_registry& fake) {
  std::vector<unsigned char> pages(slots * stride / page);
  RC_ASSERT(::mincore(fake.stacks(), slots * stride, pages.data()) == 0);
  return pages;
}

// Oracle: the test's own writes, and the kernel's list of pages (mincore).
RC_GTEST_PROP(InspectorDepths, TheTruthIsInTheIntervalAndNoPageIsTouched, ()) {
  testing::fake_registry fake({.slots = slots, .stride = stride});
  std::vector<truth> expected(slots);
  for (std::size_t i = 0; i < slots; ++i) {
    fake.use(i, 1, 0);
    fake.slot(i).frontier = (stride - usable) / page;  // fully open
    for (const written& each : list_of(writes())) {
      *const_cast<volatile std::byte*>(fake.top(i) - each.down) = std::byte{each.value};
      expected[i].most = std::max(expected[i].most, (each.down + page - 1) / page * page);
    }
    // A later write may have replaced a nonzero byte by zero.
    for (std::uint64_t down = expected[i].most; down != 0 && expected[i].least == 0; --down)
      if (*(fake.top(i) - down) != std::byte{0}) expected[i].least = down;
  }
  const auto before = resident_pages(fake);
  process_memory own(::getpid());
  snapshot seen;
  RC_ASSERT(collect(own, {fake.header().self}, {}, seen).has_value());
  const auto after = resident_pages(fake);
  RC_ASSERT(seen.stacks.size() == slots);
  for (std::size_t i = 0; i < slots; ++i) {
    RC_ASSERT(seen.stacks[i].scanned);
    RC_ASSERT(seen.stacks[i].depth == expected[i].least);
    RC_ASSERT(seen.stacks[i].depth_at_most == expected[i].most);
    RC_ASSERT(seen.stacks[i].resident <= usable);
  }
  // The search for the least above read present pages, and touched no absent one.
  RC_ASSERT(before == after);
}

// --- several looks -------------------------------------------------------------------------------

const site* find(const snapshot& in, const site& wanted) {
  const auto found = std::ranges::find_if(in.sites, [&](const site& each) {
    return each.where == wanted.where && each.line == wanted.line && each.column == wanted.column &&
           each.kind == wanted.kind;
  });
  return found == in.sites.end() ? nullptr : &*found;
}

// Oracle: the largest of all looks, computed separately; in any order.
RC_GTEST_PROP(InspectorAccumulate, TheLargestOfAllLooksIsKept, ()) {
  std::vector<likely_snapshot> looks = list_of(rc::gen::arbitrary<likely_snapshot>(), 3);
  looks.push_back(*rc::gen::arbitrary<likely_snapshot>());
  snapshot all = looks.front().it;
  snapshot backwards = looks.back().it;
  for (std::size_t i = 1; i < looks.size(); ++i) {
    all = accumulate(all, looks[i].it);
    backwards = accumulate(backwards, looks[looks.size() - 1 - i].it);
  }
  RC_ASSERT(all.sites.size() == backwards.sites.size());
  for (const site& each : all.sites) {
    std::uint64_t max = 0;
    std::uint64_t live = 0;
    std::uint64_t uses = 0;
    for (const likely_snapshot& look : looks) {
      const site* const then = find(look.it, each);
      if (then == nullptr) continue;
      max = std::max(max, then->max);
      live = std::max(live, then->live);
      uses = std::max(uses, then->uses);
    }
    const site* const other = find(backwards, each);
    RC_ASSERT(other != nullptr);
    for (const site* const one : {&each, other}) {
      RC_ASSERT(one->max == max);
      RC_ASSERT(one->live == live);
      RC_ASSERT(one->held >= live);
      RC_ASSERT(one->uses == uses);
      RC_ASSERT(one->pending <= one->uses);
    }
  }
}

RC_GTEST_PROP(InspectorAccumulate, TheSameLookTwiceIsThatLook, (const likely_snapshot& s)) {
  snapshot twice = accumulate(s.it, s.it);
  twice.overhead_ns = s.it.overhead_ns;  // of both
  RC_ASSERT(to_json(twice) == to_json(s.it));
}

}  // namespace
}  // namespace bast_stacks::test
