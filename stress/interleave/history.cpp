// SPDX-License-Identifier: Apache-2.0
#include "interleave/history.hpp"

#include <algorithm>
#include <bit>

#include "bast/base.hpp"

namespace bast::interleave::internal {

namespace {

// True if somebody saw the store at a time that `by` has behind it.
bool was_seen(const store& s, const clock& by) noexcept {
  for (unsigned i = 0; i < threads_max; ++i) {
    if (s.seen_by[i] != 0 && s.seen_by[i] <= by.at[i]) return true;
  }
  return false;
}

}  // namespace

bool history::hides(const store& s, const past& p) const noexcept {
  if (was_seen(s, p.seen)) return true;  // H1
  if (p.seen.fences != 0) {
    if (was_seen(s, p.fences[p.seen.fences - 1])) return true;                  // H2
    if (s.seq_cst_since != 0 && s.seq_cst_since <= p.seen.fences) return true;  // H3
  }
  if (p.seq_cst) {
    if (s.seq_cst_since != 0) return true;                               // H4
    if (!p.fences.empty() && was_seen(s, p.fences.back())) return true;  // H5
  }
  return s.step <= p.fresh;  // H6
}

unsigned history::floor(const past& p) const noexcept {
  unsigned index = latest();
  while (index > 0 && !hides(stores_[index], p)) --index;
  return index;
}

void history::see(unsigned index, const past& p) noexcept {
  store& s = stores_[index];
  if (s.seen_by[p.thread] == 0) s.seen_by[p.thread] = p.seen.at[p.thread];
  if (p.seq_cst && s.seq_cst_since == 0) {
    s.seq_cst_since = static_cast<std::uint32_t>(p.fences.size()) + 1;
  }
}

unsigned history::insert_behind(unsigned index) noexcept {
  BAST_ASSERT(is_open(index));
  std::uint32_t used = 0;
  for (unsigned i = 0; i < count_; ++i) used |= 1U << stores_[i].slot;
  unsigned place = index + 1;
  std::copy_backward(stores_.begin() + place, stores_.begin() + count_,
                     stores_.begin() + count_ + 1);
  stores_[place] = {};
  stores_[place].slot = static_cast<std::uint8_t>(std::countr_one(used));
  if (++count_ > history_max) {
    std::copy(stores_.begin() + 1, stores_.begin() + count_, stores_.begin());
    --count_;
    --place;
  }
  return place;
}

}  // namespace bast::interleave::internal
