// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/abandonable.hpp"

#include <sys/auxv.h>

#include <type_traits>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

static_assert(std::is_standard_layout_v<abandonable>);

constinit shared_word<std::uintptr_t> abandonable::secret = 0;

namespace {

/// Reads one word of an abandoned stack.
std::uintptr_t abandoned_word(const std::byte* at) noexcept {
  return os::word_at(reinterpret_cast<std::uintptr_t>(at));
}

}  // namespace

void abandonable::choose_secret() noexcept {
  // The kernel gives each program 16 random bytes (getauxval(3), AT_RANDOM). The C library derives
  // its stack canary from the first eight. This secret uses all 16, so that neither reveals the
  // other.
  const auto* const random = reinterpret_cast<const std::byte*>(::getauxval(AT_RANDOM));
  if (random == nullptr) return;
  std::uint64_t words[2];
  __builtin_memcpy(words, random, sizeof words);
  secret = (words[0] ^ words[1]) * 0x9E3779B97F4A7C15;  // odd: 2^64 / the golden ratio
}

void abandonable::end_between(const std::byte* low, const std::byte* high) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(low) % sizeof(std::uintptr_t) == 0);
  for (const std::byte* at = low; at < high; at += sizeof(std::uintptr_t)) {
    if (abandoned_word(at) != mark_at(at) || BAST_MUTANT(marks_not_looked_for)) continue;
    auto& found = *reinterpret_cast<abandonable*>(const_cast<std::byte*>(at));
    found.unmark();
    found.end_(found);
  }
}

void end_abandonables(coro_block& suspended) noexcept {
  const auto* const low = static_cast<const std::byte*>(suspended.context.sp);
  const std::byte* const high = suspended.stack->top;
  suspended.hooks.recycle(stack_pool::bounds_of(*suspended.stack));
#if BAST_WITH_ASAN
  for (const std::byte* at = low; at < high; at += sizeof(std::uintptr_t)) {
    const auto frame = suspended.hooks.fake_frame_at(abandoned_word(at));
    abandonable::end_between(frame.base, frame.base + frame.size);
  }
#endif
  abandonable::end_between(low, high);
}

}  // namespace bast::inline BAST_ABI::internal
