// SPDX-License-Identifier: Apache-2.0
//
// `on_other_thread(f)`: runs `f` on another thread and waits for it, so that the program stays
// deterministic. It is the same thread each time: creating one would cost more than the rest of a
// program. Not reentrant; threads that run programs at the same time take turns.
#pragma once

namespace bast::model {

namespace internal {
void run_on_other_thread(void (*call)(void* argument), void* argument);
}

template <class F>
void on_other_thread(F&& f) {
  internal::run_on_other_thread([](void* erased) { (*static_cast<F*>(erased))(); }, &f);
}

}  // namespace bast::model
