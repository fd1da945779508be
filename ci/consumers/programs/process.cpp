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
  auto loop = bast::epoll_adapter::create().value();
  auto pool = bast::coro_pool::create().value();
  auto waiting = pool.make(exit_code).value();
  if (!waiting.resume().parked()) return 1;
  while (!loop->idle()) {
    if (!loop->turn(std::chrono::hours(1))) return 1;
  }
  return waiting.returned().value() == 3 ? 0 : 1;
}
