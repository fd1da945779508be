// SPDX-License-Identifier: Apache-2.0
//
// An exception that leaves a coroutine does not propagate into its resumer. It ends the coroutine,
// is kept there, and is rethrown by returned(), where the result is expected.

#include <bast/coro.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

int parse(const std::string& text, bast::yielder<>& others) {
  others.yield();  // Others run meanwhile.
  return std::stoi(text);
}

void try_to_parse(bast::coro_pool& pool, const char* text) {
  auto parser = pool.acquire<void, void, int>().value();
  auto step =
      parser.start([text](bast::yielder<>& others) { return parse(std::string(text), others); });
  while (step.yielded()) step = parser.resume();  // Does not throw.
  try {
    std::printf("'%s' is %d\n", text, parser.returned().value());
  } catch (const std::invalid_argument&) {
    std::printf("'%s' is not a number\n", text);
  }
}

}  // namespace

int main() {
  auto pool = bast::coro_pool::create().value();
  try_to_parse(pool, "42");
  try_to_parse(pool, "forty-two");
}
