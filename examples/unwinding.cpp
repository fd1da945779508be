// SPDX-License-Identifier: Apache-2.0
//
// The end of a coroutine that is not resumed any more: releasing it, or destroying its handle or
// its pool, unwinds its stack and destroys every local, as an exception would. Nothing that a
// suspended coroutine owns is lost.

#include <bast/coro.hpp>
#include <cstdio>

namespace {

// Stands for a file, a lock, a buffer: any resource.
class held {
 public:
  explicit held(const char* what) : what_(what) { std::printf("take %s\n", what_); }
  ~held() { std::printf("give back %s\n", what_); }
  held(const held&) = delete;
  held& operator=(const held&) = delete;

 private:
  const char* what_;
};

}  // namespace

int main() {
  auto pool = bast::coro_pool::create().value();
  auto worker = pool.acquire().value();
  auto step = worker.start([](bast::yielder<>& others) {
    const held file("the file");
    const held lock("the lock");
    others.yield();
    std::printf("never printed\n");
  });
  std::printf("suspended: %s\n", step.yielded() ? "yes" : "no");

  if (auto released = worker.release(); !released) {
    std::fprintf(stderr, "%s\n", released.error().message().c_str());
    return 1;
  }
  // The handle is now stale: its operations fail.
  std::printf("resume again: %s\n", worker.resume().error().message().c_str());
}
