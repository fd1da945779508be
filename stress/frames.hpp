// SPDX-License-Identifier: Apache-2.0
//
// `descend`: frames that know their expected contents.
#pragma once

#include <cstddef>

namespace bast::stress {

struct descent {
  unsigned frames;
  std::size_t frame_bytes;
  unsigned char pattern;  // of the outermost frame; the next one's is one more
};

/// Recurses, fills every frame, calls `bottom`, and checks every frame on the way back. False if
/// one was changed.
bool descend_to(const descent& how, void (*bottom)(void* context), void* context);

template <class F>
bool descend(const descent& how, F&& bottom) {
  return descend_to(how, [](void* erased) { (*static_cast<F*>(erased))(); }, &bottom);
}

}  // namespace bast::stress
