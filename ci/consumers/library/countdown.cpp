// SPDX-License-Identifier: Apache-2.0

#include "countdown.hpp"

identities identities_in_library() { return {}; }

bast::coro<int> countdown(bast::coro_pool& pool, int from, bool& unwound) {
  struct local {
    bool& unwound;
    ~local() { unwound = true; }
  };
  auto coro = pool.acquire<int>().value();
  (void)coro.start([from, &unwound](bast::yielder<int>& out) {
    const local destroyed_last{unwound};
    for (int i = from; i > 0; --i) out.yield(i);
    throw too_far{0};
  });
  return coro;
}
