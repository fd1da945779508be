// SPDX-License-Identifier: Apache-2.0
//
// `elsewhere(f)`: runs `f` on another thread and waits for it, so that the program stays
// deterministic. It is the same thread each time: making one would cost more than all the rest of a
// program. Not reentrant; threads that run programs at the same time take turns.
#pragma once

namespace bast::model {

namespace internal {
void run_elsewhere(void (*call)(void* errand), void* errand);
}

template <class F>
void elsewhere(F&& errand) {
  internal::run_elsewhere([](void* erased) { (*static_cast<F*>(erased))(); }, &errand);
}

}  // namespace bast::model
