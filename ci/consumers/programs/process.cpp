// SPDX-License-Identifier: Apache-2.0

#include <bast/coro.hpp>
#include <bast/process.hpp>
#include <chrono>

namespace {

int exit_code() {
  const auto ended = bast::command::shell("exit 3").run();
  return ended ? ended->status.code : -1;
}

}  // namespace

int main() {
  bast::epoll_adapter loop;
  if (!loop.init()) return 1;
  auto pool = bast::coro_pool::create().value();
  auto waiting = pool.acquire<void, void, int>().value();
  if (!waiting.start(exit_code)) return 1;
  while (!loop.idle()) {
    if (!loop.turn(std::chrono::hours(1))) return 1;
  }
  return waiting.take().value() == 3 ? 0 : 1;
}
