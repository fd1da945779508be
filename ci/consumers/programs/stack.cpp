// SPDX-License-Identifier: Apache-2.0

#include <bast/stack.hpp>

int main() {
  bast::stack_pool pool;
  if (!pool.init({}, 8)) return 1;
  return pool.reserve(1) ? 0 : 1;
}
