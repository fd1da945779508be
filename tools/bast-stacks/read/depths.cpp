// SPDX-License-Identifier: Apache-2.0
#include "read/depths.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

// Neighbours are queried together: a query costs more than the pages between two stacks.
constexpr std::uint64_t gap_max = 1 << 20;
constexpr std::uint64_t question_max = 256 << 20;  // bytes of address space

constexpr std::size_t batch_bytes = 4 << 20;
constexpr std::uint64_t first_step = 4096;
constexpr std::uint64_t step_max = 256 << 10;

// The byte that stack_scrub::poison leaves.
constexpr unsigned char poison_byte = 0xfb;

/// The index of the first written byte, or bytes.size().
std::size_t first_used(std::span<const std::byte> bytes, bool poisoned) {
  std::size_t i = 0;
  while (bytes.size() - i >= 64) {
    std::uint64_t words[8];
    std::memcpy(words, bytes.data() + i, sizeof words);
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) any |= word;
    if (any != 0) break;
    i += sizeof words;
  }
  for (; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte != 0 && !(poisoned && byte == poison_byte)) break;
  }
  return i;
}

class scanner {
 public:
  scanner(memory& target, std::span<live_stack> stacks, std::span<const slot_place> places)
      : target_(target), stacks_(stacks), places_(places), order_(stacks.size()) {}

  depth_losses run() {
    sort();
    for (std::size_t first = 0; first < order_.size() && !target_.broken();) {
      const std::size_t behind = end_of_group(first);
      find_resident(first, behind);
      search(first, behind);
      first = behind;
    }
    return losses_;
  }

 private:
  /// A stack whose deepest byte is still searched for: at `at`, in part `part` of resident_.
  struct search_state {
    std::size_t stack = 0;
    std::size_t part = 0;
    std::size_t parts_end = 0;
    std::uint64_t at = 0;
    std::uint64_t step = first_step;
  };

  /// By address. Overlapping stacks are invalid and could make us read the same pages forever.
  void sort() {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, {}, [&](std::size_t i) { return stacks_[i].top; });
    std::uint64_t end = 0;
    losses_.unknown += std::erase_if(order_, [&](std::size_t i) {
      if (stacks_[i].open_low < end) return true;
      end = stacks_[i].top;
      return false;
    });
  }

  std::size_t end_of_group(std::size_t first) const {
    const std::uint64_t low = stacks_[order_[first]].open_low;
    std::size_t behind = first + 1;
    while (behind < order_.size()) {
      const live_stack& last = stacks_[order_[behind - 1]];
      const live_stack& next = stacks_[order_[behind]];
      if (next.open_low - last.top > gap_max || next.top - low > question_max) break;
      ++behind;
    }
    return behind;
  }

  /// Queries the present pages of stacks [first, behind) of order_, and starts their searches.
  void find_resident(std::size_t first, std::size_t behind) {
    resident_.clear();
    searches_.clear();
    pages_.clear();
    const extent all{.low = stacks_[order_[first]].open_low,
                     .high = stacks_[order_[behind - 1]].top};
    if (!target_.residency(all, pages_)) {
      losses_.unknown += behind - first;
      return;
    }
    if (BAST_STACKS_MUTANT(absent_page_read)) pages_ = {{.where = all}};
    auto page = pages_.begin();
    for (std::size_t i = first; i < behind; ++i) {
      live_stack& stack = stacks_[order_[i]];
      while (page != pages_.end() && page->where.high <= stack.open_low) ++page;
      const std::size_t parts = resident_.size();
      for (auto part = page; part != pages_.end() && part->where.low < stack.top; ++part)
        add_part(stack, *part);
      stack.scanned = true;
      if (resident_.size() == parts) continue;
      stack.depth_at_most = stack.top - resident_[parts].low;
      if (BAST_STACKS_MUTANT(upper_bound_one_page_short)) stack.depth_at_most -= smallest_page;
      searches_.push_back({.stack = order_[i],
                           .part = parts,
                           .parts_end = resident_.size(),
                           .at = resident_[parts].low});
    }
  }

  void add_part(live_stack& stack, const resident_extent& part) {
    const extent cut{.low = std::max(part.where.low, stack.open_low),
                     .high = std::min(part.where.high, stack.top)};
    if (cut.low >= cut.high) return;
    resident_.push_back(cut);
    // The page that holds the top counts in full, whatever part of it the colour leaves.
    const std::uint64_t bytes = (cut.bytes() + smallest_page - 1) / smallest_page * smallest_page;
    if (part.swapped) {
      losses_.swapped_pages += bytes / smallest_page;
    } else {
      stack.resident += bytes;
    }
  }

  /// Reads upward from the lowest resident byte of each stack, all stacks at once, in steps that
  /// double: the first page nearly always suffices.
  void search(std::size_t first, std::size_t behind) {
    while (!searches_.empty() && !target_.broken()) {
      std::erase_if(searches_, [&](search_state& each) { return !settle_part(each); });
      for (std::size_t next = 0; next < searches_.size() && !target_.broken();)
        next = read_batch(next);
      std::erase_if(searches_, [](const search_state& each) { return each.step == 0; });
    }
    for (std::size_t i = first; i < behind; ++i) {
      live_stack& stack = stacks_[order_[i]];
      if (stack.sp == 0) continue;
      const std::uint64_t in_use = stack.top - stack.sp;
      stack.depth = std::max(stack.depth, in_use);
      if (!stack.scanned || in_use <= stack.depth_at_most) continue;
      // A page in use is absent: the writer of this core left it out.
      ++losses_.missing;
      stack.scanned = false;
    }
  }

  /// Moves to the next resident part once this one is read. False if there is none.
  bool settle_part(search_state& each) const {
    if (each.at < resident_[each.part].high) return true;
    if (++each.part == each.parts_end) return false;
    each.at = resident_[each.part].low;
    return true;
  }

  /// Reads a step of searches [next, ...) as far as the buffer reaches; returns the first left out.
  std::size_t read_batch(std::size_t next) {
    batch_.clear();
    buffer_.resize(batch_bytes);
    std::size_t used = 0;
    const std::size_t begin = next;
    for (; next < searches_.size(); ++next) {
      const search_state& each = searches_[next];
      const std::uint64_t bytes =
          std::min(each.step - each.at % smallest_page, resident_[each.part].high - each.at);
      if (used + bytes > buffer_.size()) break;
      batch_.push_back({.address = each.at, .into = std::span(buffer_).subspan(used, bytes)});
      used += bytes;
    }
    target_.read(batch_);
    for (std::size_t i = 0; i < batch_.size(); ++i) take(searches_[begin + i], batch_[i]);
    return next;
  }

  void take(search_state& search, const piece& read) {
    live_stack& stack = stacks_[search.stack];
    if (!read.present) {
      ++losses_.unreadable;
      stack.scanned = false;
      search.step = 0;
      return;
    }
    const std::size_t used = first_used(read.into, places_[search.stack].poisoned);
    if (used < read.into.size()) {
      stack.depth = stack.top - (search.at + used);
      if (BAST_STACKS_MUTANT(depth_one_word_short))
        stack.depth -= std::min<std::uint64_t>(stack.depth, 8);
      search.step = 0;
      return;
    }
    search.at += read.into.size();
    search.step = std::min(search.step * 2, step_max);
  }

  memory& target_;
  std::span<live_stack> stacks_;
  std::span<const slot_place> places_;
  std::vector<std::size_t> order_;  // by address
  std::vector<resident_extent> pages_;
  std::vector<extent> resident_;  // of the group's stacks, in order
  std::vector<search_state> searches_;
  std::vector<piece> batch_;
  std::vector<std::byte> buffer_;
  depth_losses losses_;
};

}  // namespace

depth_losses scan_depths(memory& target, std::span<live_stack> stacks,
                         std::span<const slot_place> places) {
  return scanner(target, stacks, places).run();
}

}  // namespace bast_stacks
