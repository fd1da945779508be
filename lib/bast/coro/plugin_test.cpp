// SPDX-License-Identifier: Apache-2.0
//
// A plug-in may contain the library, or be it, and be closed. Code that the process still refers
// to, the signal handler and thread cleanup, must stay loaded.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/fault.hpp"
#include "bast/testing/in_child.hpp"

namespace bast {
namespace {

using run_function = int (*)(int);

void* load_plugin() { return ::dlopen(BAST_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL); }

int run_plugin(void* plugin) {
  return reinterpret_cast<run_function>(::dlsym(plugin, "bast_test_plugin_run"))(100);
}

void ends_with_42(int) { ::_exit(42); }

class Plugin : public testing::Test {
  void SetUp() override {
    if (*BAST_TEST_PLUGIN == '\0') GTEST_SKIP() << "no plug-in can be made of this build";
  }
};

/// The host's own handler receives a fault after the plug-in was closed. It runs on a thread that
/// ends, whose thread_locals would otherwise keep the plug-in loaded.
int close_and_fault(int lives) {
  struct sigaction own{};
  own.sa_handler = ends_with_42;
  test::install_application_handler(own);
  for (int life = 0; life < lives; ++life) {
    void* const plugin = load_plugin();
    if (plugin == nullptr) return 1;
    int frames = 0;
    std::thread([&] { frames = run_plugin(plugin); }).join();
    if (frames != 101) return 2;
    if (::dlclose(plugin) != 0) return 3;
    if (::dlopen(BAST_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD) == nullptr) return 5;
  }
  test::load_from(nullptr);
  return 4;
}

TEST_F(Plugin, D3_AFaultOfTheHostReachesItsHandlerAfterThePluginWasClosed) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  EXPECT_EQ(test::in_child([] { return close_and_fault(1); }), 42);
  EXPECT_EQ(test::in_child([] { return close_and_fault(2); }), 42);
}

TEST_F(Plugin, AThreadThatUsedItEndsAfterItWasClosed) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  EXPECT_EQ(test::in_child([] {
              void* const plugin = load_plugin();
              if (plugin == nullptr) return 1;
              bool right = false;
              std::thread([&] {
                right = run_plugin(plugin) == 101;
                right = ::dlclose(plugin) == 0 && right;
              }).join();
              return right ? 0 : 2;
            }),
            0);
}

TEST_F(Plugin, TwoCopiesOfTheLibraryGrowTheirOwnStacks) {
  EXPECT_EQ(test::in_child([] {
              auto pool = coro_pool::create();
              void* const plugin = load_plugin();
              if (!pool || plugin == nullptr) return 1;
              auto c = pool->acquire<void, void, int>();
              // In one of our coroutines, one of the plug-in's, on the same thread.
              if (c->start("host", [&] { return run_plugin(plugin); }).failed()) return 2;
              return c->returned().value_or(0) == 101 ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace bast
