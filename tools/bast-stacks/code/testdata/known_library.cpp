// SPDX-License-Identifier: Apache-2.0
#include "known_library.hpp"

int library_function(int seed) {
  volatile char room[700];
  room[seed & 511] = 1;
  return room[3];
}
