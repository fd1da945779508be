// SPDX-License-Identifier: Apache-2.0
//
// What an arm holds ends with it: the resource of a bracket, the state of a nack.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/heap_growth.hpp"

namespace bast {
namespace {

using texts = std::vector<std::string>;

/// Notes its end, once however often it was moved.
class noted_end {
 public:
  explicit noted_end(texts& notes) noexcept : notes_(&notes) {}
  noted_end(noted_end&& other) noexcept : notes_(std::exchange(other.notes_, nullptr)) {}
  noted_end& operator=(noted_end&&) = delete;
  noted_end(const noted_end&) = delete;
  noted_end& operator=(const noted_end&) = delete;
  ~noted_end() {
    if (notes_ != nullptr) notes_->push_back("end");
  }

 private:
  texts* notes_;
};

TEST(OpResources, O9_ABracketsResourceEndsWithItsRelease) {
  texts notes;
  const auto bracketed = [&](auto op) {
    return bracket(
        [&] { return result<noted_end>(noted_end(notes)); },
        [&, op](noted_end&) {
          notes.push_back("use");
          return op;
        },
        [&](noted_end&, bool aborted) noexcept { notes.push_back(aborted ? "abort" : "release"); });
  };
  const auto outer = [&](int n) {
    notes.push_back("outer wrap");
    return n;
  };
  EXPECT_EQ(perform(wrap(bracketed(always(1)), outer)), 1);
  EXPECT_EQ(notes, (texts{"use", "release", "end", "outer wrap"}));
  notes.clear();
  EXPECT_EQ(perform(choice_biased(bracketed(never_ready<int>()), wrap(always(2), outer))), 2);
  EXPECT_EQ(notes, (texts{"use", "abort", "end", "outer wrap"}));
  notes.clear();
  EXPECT_FALSE(poll(bracketed(never_ready<int>())));
  EXPECT_EQ(notes, (texts{"use", "abort", "end"}));
  notes.clear();
  // The guard within it fails when the resource is there.
  const auto got = perform(bracketed(
      guard([]() -> result<always_op<int>> { return fail(errc::busy, "test", "taken"); })));
  EXPECT_EQ(got.error(), errc::busy);
  EXPECT_EQ(notes, (texts{"use", "abort", "end"}));
}

TEST(OpResources, ANackFreesItsState) {
  // Of an arm that commits, of one that loses, and of copies that outlive the perform.
  EXPECT_LT(test::heap_growth_of([] {
              std::optional<nack> kept, moved;
              const auto asks = [&](auto op) {
                return with_nack([&kept, op](const nack& n) {
                  kept = n;
                  return op;
                });
              };
              (void)perform(asks(always(1)));
              EXPECT_FALSE(kept->has_fired());
              (void)perform(choice_biased(asks(never_ready<int>()), always(2)));
              EXPECT_TRUE(kept->has_fired());
              moved = std::move(kept);
              moved = *std::as_const(moved);
              EXPECT_TRUE(perform(moved->fired()));
            }),
            test::heap_caches);
}

}  // namespace
}  // namespace bast
