// SPDX-License-Identifier: Apache-2.0
//
// Records the deepest stack of a site in the fault that deepened it. Unwinding there would need the
// unwind tables of every library, their locks, and stack space. So the handler only keeps the words
// that point into code, with their positions; the inspector, which has the tables, selects the
// return addresses.
#include <link.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "bast/os.hpp"
#include "bast/watch/site.hpp"
#include "bast/watch/writer.hpp"

namespace bast::watch {
namespace {

struct code_range {
  std::atomic<std::uintptr_t> low{0};
  std::atomic<std::uintptr_t> high{0};
};

// Of a program with more executable segments, the first are kept. A range that is read while it
// changes may admit a wrong word or reject a right one, which is harmless.
constexpr std::size_t ranges_max = 256;
constinit code_range ranges[ranges_max];
constinit std::atomic<std::size_t> ranges_used{0};

int note_object(dl_phdr_info* object, std::size_t, void* used_so_far) {
  auto& used = *static_cast<std::size_t*>(used_so_far);
  for (int i = 0; i < object->dlpi_phnum && used < ranges_max; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const std::uintptr_t low = object->dlpi_addr + segment.p_vaddr;
    ranges[used].low.store(low, std::memory_order_relaxed);
    ranges[used].high.store(low + segment.p_memsz, std::memory_order_relaxed);
    ++used;
  }
  return 0;
}

/// Remembers the code range of the previous match: calls come in runs.
struct code_finder {
  std::size_t last = 0;
  std::size_t used = std::min(ranges_used.load(std::memory_order_relaxed), ranges_max);

  static bool holds(const code_range& range, std::uintptr_t word) noexcept {
    return word > range.low.load(std::memory_order_relaxed) &&
           word <= range.high.load(std::memory_order_relaxed);
  }
  bool operator()(std::uintptr_t word) noexcept {
    if (used == 0) return false;
    if (holds(ranges[last], word)) return true;
    for (std::size_t i = 0; i < used; ++i) {
      if (!holds(ranges[i], word)) continue;
      last = i;
      return true;
    }
    return false;
  }
};

// The number of words kept from the outer end of a stack if not all fit: enough to identify the
// coroutine's callee and its recursion.
constexpr std::uint32_t outermost = 24;
constexpr std::uint32_t innermost = return_count - outermost;

void keep(deepest_stack& stack, std::uintptr_t word, std::uint32_t at) noexcept {
  if (stack.count == return_count) {
    // The outermost words are a sliding window; the oldest is dropped.
    std::memmove(stack.return_pc + innermost, stack.return_pc + innermost + 1,
                 (outermost - 1) * sizeof *stack.return_pc);
    std::memmove(stack.return_at + innermost, stack.return_at + innermost + 1,
                 (outermost - 1) * sizeof *stack.return_at);
    --stack.count;
    ++stack.omitted;
  }
  stack.return_pc[stack.count] = word;
  stack.return_at[stack.count] = at;
  ++stack.count;
}

}  // namespace

void refresh_code_ranges() noexcept {
  std::size_t used = 0;
  ::dl_iterate_phdr(note_object, &used);
  ranges_used.store(used, std::memory_order_relaxed);
}

void note_growth(site_entry& entry, const growth& at) noexcept {
  const std::uint64_t depth = at.top - std::min(at.touched, at.sp);
  deepest_stack& stack = entry.deepest;
  if (depth <= stack.depth && !BAST_MUTANT(shallow_growth_remembered)) return;
  const writing now(stack.sequence);
  stack.depth = depth;
  stack.at_ns = static_cast<std::uint64_t>(os::monotonic_ns());
  stack.pc = at.pc;
  stack.sp_depth = at.top - at.sp;
  stack.fp = at.fp;
  stack.top = at.top;
  stack.count = stack.omitted = 0;
  code_finder is_code;
  const std::uintptr_t from = std::max(at.sp, at.readable);
  for (std::uintptr_t word = (from + 7) & ~std::uintptr_t{7}; word < at.top; word += 8) {
    const std::uintptr_t value = os::word_at(word);
    if (is_code(value)) keep(stack, value, static_cast<std::uint32_t>(at.top - word));
  }
  stack.first = stack.omitted == 0 ? stack.count : innermost;
}

}  // namespace bast::watch
