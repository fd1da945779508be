// SPDX-License-Identifier: Apache-2.0
#include "code/function_shape.hpp"

#include <elf.h>

#include <algorithm>
#include <unordered_map>

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

// Offsets are bytes from the CFA down. A larger one comes from a hostile file.
constexpr std::int64_t offset_max = std::int64_t{1} << 40;
// Both psABIs: the stack pointer is a multiple of this at a call.
constexpr std::int64_t cfa_alignment = 16;
// A switch loads from its table a few instructions before it jumps.
constexpr int table_distance = 8;

/// Follows the stack pointer through one function.
class follower {
 public:
  follower(decoder& engine, const elf_file& file, const function_extent& extent,
           const std::vector<frame_row>& rows)
      : engine_(engine), extent_(extent), rows_(rows), at_(rows.begin()) {
    code_ = file.code_at(extent.low, extent.high - extent.low);
    offset_ = file.machine() == EM_AARCH64 ? 0 : 8;
    // A moved part of a function begins with the frame that the main part has made; the main part's
    // bytes below its frame pointer are counted at its jump.
    if (!rows.empty() && rows.front().base == cfa_base::frame_pointer)
      offset_ = rows.front().offset;
  }

  void run(std::optional<std::uint64_t> watched = {}) {
    step now;
    std::size_t done = 0;
    while (done < code_.size()) {
      shape.decoded = engine_.decode(code_.subspan(done), extent_.low + done, now);
      if (!shape.decoded) break;
      enter(now);
      if (watched && *watched >= now.pc && *watched < now.pc + now.bytes) {
        seen = offset_;
        seen_slack = row_ != nullptr && row_->base == cfa_base::stack_pointer ? 0 : slack_;
      }
      look(now);
      leave(now);
      done += now.bytes;
    }
    shape.decoded = shape.decoded && !code_.empty();
  }

  function_shape shape;
  std::optional<std::int64_t> seen;
  std::int64_t seen_slack = 0;  // of `seen`: bytes that rounding may not have taken

 private:
  const frame_row* row_at(std::uint64_t pc) {
    while (at_ != rows_.end() && at_->high <= pc) ++at_;
    return at_ != rows_.end() && at_->low <= pc ? &*at_ : nullptr;
  }

  void enter(const step& now) {
    const auto* const before = row_;
    row_ = row_at(now.pc);
    if (row_ != nullptr && row_->base == cfa_base::stack_pointer) {
      // Exact at the start of a row. Within it inline assembly can push bytes that the tables do
      // not show.
      const bool begins = row_ != before || left_ || lost_;
      offset_ = begins ? row_->offset : std::max(offset_, row_->offset);
      lost_ = false;
    } else {
      const auto jumped = arrivals_.find(now.pc);
      if (left_) {
        offset_ = jumped == arrivals_.end() ? body_ : jumped->second;
      } else if (jumped != arrivals_.end()) {
        offset_ = std::max(offset_, jumped->second);
      }
      if (lost_) shape.dynamic = true;
      lost_ = false;
      body_ = std::max(body_, offset_);
    }
    offset_ = std::clamp<std::int64_t>(offset_, 0, offset_max);
    left_ = false;
    count(offset_);
  }

  void count(std::int64_t bytes) {
    const auto counted = static_cast<std::uint64_t>(std::clamp<std::int64_t>(bytes, 0, offset_max));
    shape.frame_bytes = std::max(shape.frame_bytes, counted);
    shape.touched_bytes = std::max(shape.touched_bytes, counted);
  }

  void look(const step& now) {
    if (now.below_sp != 0) touch(offset_, now.below_sp);
    if (now.below_fp != 0) {
      if (const auto fp = register_offset(engine_.frame_pointer())) touch(*fp, now.below_fp);
    }
    if (now.names_code != 0) shape.named_code.push_back(now.names_code);
    since_table_ = now.reads_table ? 0 : since_table_ + 1;
    const bool inside = now.target_is == target_kind::direct && now.target >= extent_.low &&
                        now.target < extent_.high;
    if (now.leads == flow::jump || now.leads == flow::branch) {
      if (inside) {
        arrivals_.try_emplace(now.target, offset_);
        return;
      }
      // A switch: its targets are inside.
      if (now.target_is == target_kind::unknown && since_table_ < table_distance) return;
      // A context switch: its target is on another stack.
      if (now.target_is == target_kind::unknown && elsewhere_) return;
    } else if (now.leads != flow::call) {
      return;
    }
    shape.calls.push_back({.pc = now.pc,
                           .bytes = now.bytes,
                           .stack_bytes = static_cast<std::uint64_t>(offset_),
                           .target_is = now.target_is,
                           .target = now.target,
                           .tail = now.leads != flow::call});
  }

  void touch(std::int64_t from, std::uint64_t below) {
    // The red zone has 128 bytes; accesses further away belong to other memory.
    const auto reach = from + static_cast<std::int64_t>(std::min<std::uint64_t>(below, offset_max));
    if (reach > offset_ && reach <= offset_ + 128)
      shape.touched_bytes = std::max(shape.touched_bytes, static_cast<std::uint64_t>(reach));
  }

  /// The distance below the CFA of the address in a register.
  std::optional<std::int64_t> register_offset(unsigned number) const {
    if (row_ != nullptr && row_->base == cfa_base::frame_pointer &&
        number == engine_.frame_pointer())
      return row_->offset;
    const auto found = registers_.find(number);
    if (found == registers_.end()) return std::nullopt;
    return found->second;
  }

  void leave(const step& now) {
    // The stack pointer is loaded from a record elsewhere, such as a context, not from this frame.
    elsewhere_ = now.change == sp_change::loaded &&
                 (!now.from_frame || BAST_STACKS_MUTANT(any_load_switches));
    if (now.change == sp_change::from_register && now.amount == 0 && now.alignment == 1) {
      const auto found = loaded_.find(now.from);
      elsewhere_ = found != loaded_.end() && !found->second;
    }
    if (now.leads == flow::jump || now.leads == flow::leaves) left_ = true;
    if (now.compared_with_sp != 0) {
      // The loop that probes a large frame ends when the stack pointer arrives there.
      const auto end = register_offset(now.compared_with_sp);
      if (end && *end > offset_) offset_ = *end;
    }
    change_other(now);
    if (now.change == sp_change::none) return;
    if (now.change == sp_change::loaded ||
        (now.change == sp_change::from_register && loaded_.contains(now.from))) {
      // Saved values are restored, or another stack continues: not part of this frame.
      shape.switches = true;
    } else if (now.change == sp_change::by) {
      offset_ -= std::clamp(now.amount, -offset_max, offset_max);
    } else {
      const auto from =
          now.change == sp_change::from_register ? register_offset(now.from) : std::nullopt;
      if (from) {
        offset_ = *from - std::clamp(now.amount, -offset_max, offset_max);
      } else {
        // Not a dynamic frame if the tables know the stack pointer again at the next instruction.
        lost_ = true;
      }
    }
    if (now.alignment > cfa_alignment) round_down(static_cast<std::int64_t>(now.alignment));
    offset_ = std::clamp<std::int64_t>(offset_, 0, offset_max);
  }

  /// The bytes that rounding takes depend on the CFA, of which only `cfa_alignment` is known: at
  /// most this many. gcc's .su has the least instead.
  void round_down(std::int64_t alignment) {
    shape.realigned = true;
    const auto misfit = (cfa_alignment - offset_ % cfa_alignment) % cfa_alignment;
    offset_ += alignment - cfa_alignment + misfit;
    slack_ = std::max(slack_, alignment - cfa_alignment);
  }

  void change_other(const step& now) {
    // Calls clobber the registers that prologues use.
    if (now.leads == flow::call) {
      const auto kept = register_offset(engine_.frame_pointer());
      registers_.clear();
      if (kept) registers_.emplace(engine_.frame_pointer(), *kept);
    }
    if (now.other == register_change::none) return;
    for (const unsigned number : {now.other_register, now.other_second}) {
      if (now.other == register_change::loaded) {
        loaded_.insert_or_assign(number, now.from_frame);
      } else {
        loaded_.erase(number);
      }
    }
    registers_.erase(now.other_second);
    const auto amount = std::clamp(now.other_amount, -offset_max, offset_max);
    switch (now.other) {
      case register_change::none: return;
      case register_change::copies_sp: registers_[now.other_register] = offset_ - amount; return;
      case register_change::adds: {
        const auto found = registers_.find(now.other_register);
        if (found != registers_.end())
          found->second = std::clamp(found->second - amount, -offset_max, offset_max);
        return;
      }
      case register_change::loaded:
      case register_change::overwritten: registers_.erase(now.other_register); return;
    }
  }

  decoder& engine_;
  function_extent extent_;
  const std::vector<frame_row>& rows_;
  std::vector<frame_row>::const_iterator at_;
  byte_span code_;
  const frame_row* row_ = nullptr;
  std::int64_t offset_ = 0;
  std::int64_t slack_ = 0;
  std::int64_t body_ = 0;  // the most outside of exact rows
  bool left_ = false;      // the instruction before does not continue here
  bool lost_ = false;      // the stack pointer got an unknown value
  int since_table_ = table_distance;
  std::unordered_map<std::uint64_t, std::int64_t> arrivals_;
  std::unordered_map<unsigned, std::int64_t> registers_;
  std::unordered_map<unsigned, bool> loaded_;  // registers, and whether from this frame
  bool elsewhere_ = false;  // the instruction before moved the stack pointer to another stack
};

}  // namespace

function_shape shape_of(decoder& engine, const elf_file& file, const function_extent& extent,
                        const std::vector<frame_row>& rows) {
  follower follows(engine, file, extent, rows);
  follows.run();
  return std::move(follows.shape);
}

std::optional<stack_bytes> stack_bytes_at(decoder& engine, const elf_file& file,
                                          const function_extent& extent,
                                          const std::vector<frame_row>& rows, std::uint64_t pc) {
  follower follows(engine, file, extent, rows);
  follows.run(pc);
  if (!follows.seen || follows.shape.dynamic) return std::nullopt;
  const auto most = static_cast<std::uint64_t>(*follows.seen);
  const auto unknown = static_cast<std::uint64_t>(follows.seen_slack);
  return stack_bytes{.least = most - std::min(most, unknown), .most = most};
}

}  // namespace bast_stacks
