// SPDX-License-Identifier: Apache-2.0
#include "read/fault_words.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

namespace bast_stacks {
namespace {

using bast::watch::deepest_stack;

constexpr std::uint64_t word_bytes = 8;
constexpr std::size_t chunk_words = 8192;
// One may belong to a function that starts every coroutine; three in a row identify the stack.
constexpr std::size_t witnesses_most = 3;
// Functions are rarely larger.
constexpr std::uint64_t function_bytes = 4096;
// The number of outermost words that the library keeps in a record when there are too many.
constexpr std::size_t outermost = 24;
constexpr std::size_t innermost = bast::watch::return_count - outermost;

std::uint64_t up_to_word(std::uint64_t address) {
  return (address + word_bytes - 1) & ~(word_bytes - 1);
}

/// The words that a record keeps of those added, deepest first.
class kept_words {
 public:
  explicit kept_words(std::uint64_t top) : top_(top) {}

  void add(std::uint64_t at, std::uint64_t value) {
    if (inner_.size() < innermost) return inner_.push_back({at, value});
    outer_.push_back({at, value});
    if (outer_.size() <= outermost) return;
    outer_.pop_front();
    ++omitted_;
  }

  void write_to(deepest_stack& record) const {
    for (const pair& each : inner_) write(record, each);
    record.first = record.count;
    for (const pair& each : outer_) write(record, each);
    if (omitted_ == 0) record.first = record.count;
    record.omitted = omitted_;
  }

 private:
  struct pair {
    std::uint64_t at;
    std::uint64_t value;
  };
  void write(deepest_stack& record, const pair& each) const {
    record.return_pc[record.count] = each.value;
    record.return_at[record.count] = static_cast<std::uint32_t>(top_ - each.at);
    ++record.count;
  }

  std::uint64_t top_;
  std::vector<pair> inner_;
  std::deque<pair> outer_;
  std::uint32_t omitted_ = 0;
};

}  // namespace

code_ranges::code_ranges(std::vector<extent> ranges) : ranges_(std::move(ranges)) {
  std::ranges::sort(ranges_, {}, &extent::low);
}

bool code_ranges::holds(std::uint64_t address) const {
  const auto above = std::ranges::upper_bound(ranges_, address, {}, &extent::low);
  return above != ranges_.begin() && (above - 1)->holds(address);
}

fault_words::fault_words(memory& target, const fault_sample& fault, extent bounds,
                         const code_ranges& code)
    : target_(target), fault_(fault), bounds_(bounds), code_(code) {
  const std::size_t usable = std::min<std::uint64_t>(fault.stack.size(), bounds.high - fault.sp);
  for (std::uint64_t at = up_to_word(fault.sp); at + word_bytes <= fault.sp + usable;
       at += word_bytes) {
    word next{.at = at};
    std::memcpy(&next.value, fault.stack.data() + (at - fault.sp), word_bytes);
    came_.push_back(next);
  }
  const std::uint64_t from = std::min(fault.sp - word_bytes, fault.address) & ~(smallest_page - 1);
  if (!target.residency({.low = std::max(bounds.low, from), .high = bounds.high}, resident_))
    resident_.clear();
  // Reading them in would change the process.
  std::erase_if(resident_, [](const resident_extent& each) { return each.swapped; });
}

bool fault_words::is_there(std::uint64_t address) const {
  return std::ranges::any_of(resident_, [&](const resident_extent& each) {
    return each.where.low <= address && word_bytes <= each.where.high - address &&
           address < each.where.high;
  });
}

/// The words to compare: the outermost return addresses, or all nonzero words if there are none.
std::vector<fault_words::word> fault_words::witnesses() const {
  std::vector<word> found;
  for (auto each = came_.rbegin(); each != came_.rend() && found.size() < witnesses_most; ++each) {
    if (code_.may_return_to(each->value)) found.push_back(*each);
  }
  if (!found.empty()) return found;
  std::ranges::copy_if(came_, std::back_inserter(found),
                       [](const word& each) { return each.value != 0; });
  return found;
}

bool fault_words::are_equal(const std::vector<word>& expected) {
  std::vector<std::uint64_t> now(expected.size());
  std::vector<piece> pieces;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!is_there(expected[i].at)) return false;
    pieces.push_back(
        {.address = expected[i].at, .into = std::as_writable_bytes(std::span(&now[i], 1))});
  }
  target_.read(pieces);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!pieces[i].present || now[i] != expected[i].value) return false;
  }
  return true;
}

/// The calls of one frame store their return addresses at one place, each over the last: right
/// below the stack pointer on x86-64. On aarch64 the callee stores them, and the place is known
/// only if that store was the fault.
bool fault_words::has_return_address() {
  const auto is_at = [&](std::uint64_t address, std::uint64_t near) {
    std::uint64_t found = 0;
    return is_there(address) && target_.read(address, found) && code_.may_return_to(found) &&
           std::max(found, near) - std::min(found, near) <= function_bytes;
  };
  if (fault_.link == 0) return is_at(fault_.sp - word_bytes, fault_.pc);
  const std::uint64_t touched = fault_.address & ~(word_bytes - 1);
  return is_at(touched, fault_.link) || is_at(touched + word_bytes, fault_.link);
}

bool fault_words::are_still_there() {
  const std::vector<word> expected = witnesses();
  return expected.empty() ? has_return_address() : are_equal(expected);
}

deepest_stack fault_words::record() {
  deepest_stack made{};
  made.top = bounds_.high;
  made.pc = fault_.pc;
  made.fp = fault_.fp;
  made.sp_depth = bounds_.high - fault_.sp;
  made.depth = bounds_.high - fault_.address;
  kept_words kept(bounds_.high);
  const auto consider = [&](std::uint64_t at, std::uint64_t value) {
    if (code_.may_return_to(value)) kept.add(at, value);
  };
  for (const word& each : came_) consider(each.at, each.value);
  std::uint64_t next = came_.empty() ? up_to_word(fault_.sp) : came_.back().at + word_bytes;
  std::array<std::uint64_t, chunk_words> chunk;
  for (const resident_extent& each : resident_) {
    next = std::max(next, up_to_word(each.where.low));
    while (next < each.where.high && word_bytes <= each.where.high - next) {
      const std::uint64_t count =
          std::min<std::uint64_t>((each.where.high - next) / word_bytes, chunk.size());
      const auto some = std::span(chunk).first(count);
      if (!target_.read(next, std::as_writable_bytes(some))) break;
      for (std::size_t i = 0; i < count; ++i) consider(next + i * word_bytes, some[i]);
      next += count * word_bytes;
    }
  }
  kept.write_to(made);
  return made;
}

}  // namespace bast_stacks
