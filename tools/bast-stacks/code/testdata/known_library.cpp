// SPDX-License-Identifier: Apache-2.0
#include "known_library.hpp"

// Named like bast's own class, in some version of it, so that its entry is found; this file does
// not use bast.
namespace bast::inline v9_12::internal {
template <class Callable, class Return>
class activation {
 public:
  __attribute__((noinline)) static void enter(void* self) { static_cast<Callable*>(self)->run(); }
};
}  // namespace bast::inline v9_12::internal

namespace known {
template <class First, class Second>
struct job {
  __attribute__((noinline)) void run() {
    volatile char room[400];
    room[0] = static_cast<char>(seed);
    seed = library_function(room[0]);
  }
  int seed = 0;
};
}  // namespace known

template class bast::internal::activation<known::job<int, char>, void>;

int library_function(int seed) {
  volatile char room[700];
  room[seed & 511] = 1;
  return room[3];
}
