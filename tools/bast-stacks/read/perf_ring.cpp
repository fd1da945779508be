// SPDX-License-Identifier: Apache-2.0
#include "read/perf_ring.hpp"

#include <asm/perf_regs.h>
#include <fmt/format.h>
#include <linux/perf_event.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace bast_stacks {
namespace {

static_assert(fault_sample_fields == (PERF_SAMPLE_TID | PERF_SAMPLE_ADDR | PERF_SAMPLE_REGS_USER |
                                      PERF_SAMPLE_STACK_USER));

// The headers define the numbers of the build machine's CPU only.
#ifdef __x86_64__
static_assert(sampled_registers_of[0].bits ==
              (1ULL << PERF_REG_X86_BP | 1ULL << PERF_REG_X86_SP | 1ULL << PERF_REG_X86_IP));
#else
static_assert(sampled_registers_of[1].bits ==
              (1ULL << PERF_REG_ARM64_X29 | 1ULL << PERF_REG_ARM64_LR | 1ULL << PERF_REG_ARM64_SP |
               1ULL << PERF_REG_ARM64_PC));
#endif

/// May be newer than the headers of this build.
constexpr std::uint32_t record_lost_samples = 13;
constexpr std::size_t record_alignment = 8;

/// Copies `into.size()` bytes at a counter; the ring is no smaller.
void copy_out(std::span<const std::byte> ring, std::uint64_t at, std::span<std::byte> into) {
  const std::size_t place = at & (ring.size() - 1);
  const std::size_t first = std::min(into.size(), ring.size() - place);
  std::memcpy(into.data(), ring.data() + place, first);
  std::memcpy(into.data() + first, ring.data(), into.size() - first);
}

/// Reads the fields of one record, from its front.
class fields {
 public:
  explicit fields(std::span<const std::byte> left) : left_(left) {}

  template <class T>
  std::optional<T> take() {
    if (left_.size() < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return value;
  }
  std::optional<std::span<const std::byte>> take_bytes(std::uint64_t count) {
    if (count > left_.size()) return std::nullopt;
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

 private:
  std::span<const std::byte> left_;
};

/// False if the record ends before its fields.
bool parse_stack(fields& from, fault_sample& into) {
  const auto reserved = from.take<std::uint64_t>();
  if (!reserved) return false;
  if (*reserved == 0) return true;
  const auto bytes = from.take_bytes(*reserved);
  const auto used = from.take<std::uint64_t>();
  if (!bytes || !used || *used > *reserved) return false;
  into.stack.assign(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(*used));
  return true;
}

bool parse_sample(fields from, const sampled_registers& registers, fault_records& into) {
  const auto pid = from.take<std::uint32_t>();
  const auto thread = from.take<std::uint32_t>();
  const auto address = from.take<std::uint64_t>();
  const auto abi = from.take<std::uint64_t>();
  if (!pid || !thread || !address || !abi) return false;
  if (*abi != PERF_SAMPLE_REGS_ABI_64) return true;
  fault_sample made{.pid = *pid, .thread = *thread, .address = *address, .stack = {}};
  for (std::uint64_t* const each :
       {&made.fp, registers.has_link ? &made.link : nullptr, &made.sp, &made.pc}) {
    if (each == nullptr) continue;
    const auto value = from.take<std::uint64_t>();
    if (!value) return false;
    *each = *value;
  }
  if (!parse_stack(from, made)) return false;
  into.faults.push_back(std::move(made));
  return true;
}

bool parse_lost(fields from, std::uint32_t type, fault_records& into) {
  if (type == PERF_RECORD_LOST && !from.take<std::uint64_t>()) return false;  // the event's id
  const auto lost = from.take<std::uint64_t>();
  if (!lost) return false;
  if (__builtin_add_overflow(into.lost, *lost, &into.lost)) into.lost = UINT64_MAX;
  return true;
}

std::unexpected<problem> damaged_at(std::uint64_t at, std::string_view what) {
  return std::unexpected(problem{
      .what = fmt::format("the kernel's ring of page faults is damaged at {}: {}", at, what),
      .remedy = {}});
}

}  // namespace

std::expected<void, problem> parse_ring(const ring_part& part, const sampled_registers& registers,
                                        fault_records& into) {
  if (!std::has_single_bit(part.ring.size()))
    return damaged_at(part.tail, fmt::format("a size of {} bytes", part.ring.size()));
  if (part.head - part.tail > part.ring.size())
    return damaged_at(part.tail,
                      fmt::format("{} bytes in {}", part.head - part.tail, part.ring.size()));
  std::vector<std::byte> record;
  for (std::uint64_t at = part.tail; at != part.head;) {
    perf_event_header head{};
    const std::uint64_t left = part.head - at;
    if (left < sizeof head) return damaged_at(at, fmt::format("{} bytes for a record", left));
    copy_out(part.ring, at, std::as_writable_bytes(std::span(&head, 1)));
    if (head.size < sizeof head || head.size > left || head.size % record_alignment != 0)
      return damaged_at(at, fmt::format("a record of {} bytes, {} are left", head.size, left));
    record.resize(head.size);
    copy_out(part.ring, at, record);
    const fields all(std::span<const std::byte>(record).subspan(sizeof head));
    bool whole = true;
    if (head.type == PERF_RECORD_SAMPLE) whole = parse_sample(all, registers, into);
    if (head.type == PERF_RECORD_LOST || head.type == record_lost_samples)
      whole = parse_lost(all, head.type, into);
    if (!whole)
      return damaged_at(at, fmt::format("{} bytes are no record of type {}", head.size, head.type));
    at += head.size;
  }
  return {};
}

}  // namespace bast_stacks
