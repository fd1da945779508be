// SPDX-License-Identifier: Apache-2.0
//
// `backoff`: the pauses of a loop that tries again until another thread has done something.
//
//   for (bast::backoff wait; !ring.push(std::move(value)); wait.pause()) {}
//
// The first pauses spin, the later ones yield the processor, then sleep up to 1 ms (os/atomics.hpp
// has the numbers and their reason). For short waits: it polls, and a thread that sleeps is not
// woken.
#pragma once

#include <bast/config.hpp>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

class backoff {
 public:
  void pause() noexcept { os::real_atomics::relax(rounds_++); }
  /// The next pause is a first one.
  void reset() noexcept { rounds_ = 0; }
  unsigned rounds() const noexcept { return rounds_; }

 private:
  unsigned rounds_ = 0;
};

}  // namespace bast::inline BAST_ABI
