// SPDX-License-Identifier: Apache-2.0
#include "code/stack_walk.hpp"

#include <elf.h>

#include <algorithm>

#include "code/symbols.hpp"
#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t word_bytes = 8;
// Both psABIs: the stack pointer is a multiple of this at a call.
constexpr std::uint64_t walked_cfa_alignment = 16;

/// The caller's stack pointer, if its return address lies at `position`.
std::uint64_t behind(std::uint64_t position) {
  return position < word_bytes ? 0 : position - word_bytes;
}

}  // namespace

stack_walk::stack_walk(const bast::watch::deepest_stack& raw, module_set& modules)
    : modules_(modules),
      arm_(modules.machine() == EM_AARCH64),
      gap_(0),
      pc_(raw.pc),
      sp_(raw.sp_depth),
      left_(raw.depth),
      cut_(raw.omitted != 0) {
  const auto count = std::min(raw.count, bast::watch::return_count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const word found{.at = raw.return_at[i], .pc = raw.return_pc[i]};
    if (words_.empty() || found.at < words_.back().at) words_.push_back(found);
    if (i < raw.first) gap_ = words_.size();
  }
  if (!cut_) gap_ = words_.size();
  if (raw.fp <= raw.top && raw.top - raw.fp <= raw.sp_depth) fp_ = raw.top - raw.fp;
  result_.depth = raw.depth;
}

backtrace stack_walk::run() {
  for (bool first = true;; first = false) {
    // A return address may be that of the next function, if the call does not return.
    const auto pc = first || BAST_STACKS_MUTANT(call_is_what_follows) ? pc_ : pc_ - 1;
    const auto end = end_of(pc, sp_, fp_);
    const bool last = end.outermost || end.beyond;
    const auto from = last ? std::nullopt : caller_of(end);
    if (!from) {
      add(pc, end.cfa.value_or(last ? 0 : sp_), last);
      break;
    }
    if (from->behind_gap) {
      add_before_gap(pc, end, from->start);
    } else {
      add(pc, from->start, from->confirmed);
    }
    if (!end.fp_kept || !from->confirmed) fp_.reset();
    pc_ = words_[from->index].pc;
    sp_ = from->start;
    next_ = from->index + 1;
  }
  if (cut_ && next_ <= gap_ && gap_ == words_.size() && result_.omitted_bytes == 0) {
    result_.inner = result_.frames.size();
    result_.omitted_bytes = left_;
    left_ = 0;
  }
  if (left_ != 0) {
    auto& start = result_.frames.emplace_back();
    start.function = start_of_stack;
    start.stack_bytes = left_;
  }
  if (result_.omitted_bytes == 0) result_.inner = result_.frames.size();
  return std::move(result_);
}

void stack_walk::add(std::uint64_t pc, std::uint64_t until, bool confirmed) {
  until = std::min(until, left_);
  frame next;
  modules_.describe(pc, next);
  next.stack_bytes = left_ - until;
  next.confirmed = confirmed;
  left_ = until;
  result_.frames.push_back(std::move(next));
}

void stack_walk::add_before_gap(std::uint64_t pc, const frame_end& end, std::uint64_t until) {
  // A frame with an unknown end is taken to end with the last word found.
  const auto last = gap_ == 0 ? left_ : behind(words_[gap_ - 1].at);
  add(pc, std::max(end.cfa.value_or(last), until), false);
  result_.inner = result_.frames.size();
  result_.omitted_bytes = left_ - std::min(left_, until);
  left_ = std::min(left_, until);
}

void stack_walk::set_cfa(frame_end& end, std::uint64_t from, std::int64_t bytes) {
  if (bytes < 0) return;
  end.beyond = static_cast<std::uint64_t>(bytes) > from;
  end.cfa = from - std::min(from, static_cast<std::uint64_t>(bytes));
}

/// Of the sizes that a frame can have, the one with a return address at its end.
std::uint64_t stack_walk::fitting(const stack_bytes& taken, std::uint64_t sp,
                                  const frame_row& row) const {
  for (auto bytes = taken.least; bytes < taken.most; bytes += walked_cfa_alignment) {
    // Unsigned, for the smallest offset has no negative.
    const auto offset = row.return_address == return_rule::saved
                            ? 0 - static_cast<std::uint64_t>(row.return_offset)
                            : word_bytes;
    if (bytes <= sp && word_at(sp - bytes + offset)) return bytes;
  }
  return taken.most;
}

stack_walk::frame_end stack_walk::end_of(std::uint64_t pc, std::uint64_t sp,
                                         std::optional<std::uint64_t> fp) {
  frame_end end;
  const auto where = modules_.at(pc);
  if (where.file == nullptr) return end;
  const auto row = where.file->row_at(where.address);
  end.outermost = row.return_address == return_rule::none;
  end.fp_kept = row.fp_kept && row.base != cfa_base::unknown;
  if (row.base == cfa_base::stack_pointer) {
    set_cfa(end, sp, row.offset);
  } else if (row.base == cfa_base::frame_pointer && fp && *fp <= sp) {
    set_cfa(end, *fp, row.offset);
  } else if (const auto extent = where.file->extent_at(where.address)) {
    const auto taken = stack_bytes_at(where.file->engine(), where.file->elf(), *extent,
                                      where.file->rows_of(*extent), where.address);
    if (taken) set_cfa(end, sp, static_cast<std::int64_t>(fitting(*taken, sp, row)));
  }
  if (!end.cfa) return end;
  if (row.return_address == return_rule::saved && row.return_offset < 0) {
    end.return_at = *end.cfa - static_cast<std::uint64_t>(row.return_offset);
  } else if (!arm_ && row.return_address == return_rule::unknown) {
    end.return_at = *end.cfa + word_bytes;
  }
  return end;
}

std::optional<std::size_t> stack_walk::word_at(std::uint64_t position) const {
  const auto found = std::ranges::lower_bound(words_, position, std::greater<>{}, &word::at);
  if (found == words_.end() || found->at != position) return std::nullopt;
  return static_cast<std::size_t>(found - words_.begin());
}

stack_walk::likelihood stack_walk::judge(const word& candidate) {
  const auto end = end_of(candidate.pc - 1, behind(candidate.at), std::nullopt);
  if (end.beyond) return likelihood::beyond;
  const bool leads = end.outermost || (end.return_at && word_at(*end.return_at).has_value());
  return leads ? likelihood::leads_on : likelihood::possible;
}

std::optional<stack_walk::caller> stack_walk::nearest(std::size_t from, std::size_t to,
                                                      std::uint64_t below) {
  std::optional<caller> best;
  auto known = likelihood::beyond;
  for (auto i = from; i < to; ++i) {
    if (words_[i].at >= below) continue;
    const auto found = judge(words_[i]);
    if (best && found <= known) continue;
    best = caller{.index = i, .start = behind(words_[i].at), .confirmed = false};
    known = found;
    if (known == likelihood::leads_on) break;
  }
  return best;
}

std::optional<stack_walk::caller> stack_walk::caller_of(const frame_end& end) {
  if (end.cfa && end.return_at) {
    const auto found = word_at(*end.return_at);
    if (found && *found >= next_) {
      return caller{.index = *found, .start = *end.cfa, .confirmed = true, .behind_gap = false};
    }
  }
  // Above the known part of the frame; if nothing is known, above the last word.
  const auto below = end.return_at.value_or(end.cfa ? *end.cfa : ~std::uint64_t{0});
  const bool in_gap =
      gap_ < words_.size() && gap_ > 0 && next_ <= gap_ && below < words_[gap_ - 1].at;
  if (next_ < gap_ && !in_gap) {
    if (auto found = nearest(next_, gap_, below)) return found;
  }
  auto found = nearest(std::max(next_, gap_), words_.size(), below);
  if (found) found->behind_gap = next_ <= gap_ && gap_ < words_.size();
  return found;
}

}  // namespace bast_stacks
