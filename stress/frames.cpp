// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <algorithm>
#include <cstring>

namespace bast::stress {

[[gnu::noinline]] bool descend_to(const descent& how, void (*bottom)(void* context),
                                  void* context) {
  if (how.frames == 0) {
    bottom(context);
    return true;
  }
  // On the stack itself: a local array may be on a sanitizer's fake one.
  auto* const mine = static_cast<unsigned char*>(__builtin_alloca(how.frame_bytes));
  std::memset(mine, how.pattern, how.frame_bytes);
  const descent next{.frames = how.frames - 1,
                     .frame_bytes = how.frame_bytes,
                     .pattern = static_cast<unsigned char>(how.pattern + 1)};
  const bool deeper = descend_to(next, bottom, context);
  return std::all_of(mine, mine + how.frame_bytes,
                     [&](unsigned char b) { return b == how.pattern; }) &&
         deeper;
}

}  // namespace bast::stress
