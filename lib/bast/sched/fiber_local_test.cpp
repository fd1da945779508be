// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "bast/sched.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

const fiber_local<std::string> request_name;
const fiber_local<int> call_depth;

std::string name_here() { return request_name.get() != nullptr ? *request_name : "-"; }

TEST(FiberLocal, IsSeenInsideItsBindingOnly) {
  const auto seen = run([] {
    std::string all = name_here();
    {
      const auto outer = request_name.bind("a").value();
      all += name_here();
      {
        const auto other = call_depth.bind(1).value();
        const auto inner = request_name.bind("b").value();
        all += name_here() + std::to_string(*call_depth);
      }
      all += name_here();
      EXPECT_EQ(call_depth.get(), nullptr);
    }
    return all + name_here();
  });
  EXPECT_EQ(seen.value(), "-ab1a-");
}

TEST(FiberLocal, AChildInheritsWhatWasBoundAtItsSpawn) {
  const auto seen = run([] {
    fiber<std::string> child;
    {
      const auto bound = request_name.bind("parent").value();
      child = spawn([] {
                const std::string before = name_here();
                const auto own = request_name.bind("child").value();
                auto grandchild = spawn([] { return name_here(); }).value();
                return before + "," + grandchild.join().value();
              }).value();
    }
    // The binding has ended, and the child has not run yet.
    const auto later = request_name.bind("later").value();
    return child.join().value() + "," + name_here();
  });
  EXPECT_EQ(seen.value(), "parent,child,later");
}

TEST(FiberLocal, EachFiberHasItsOwn) {
  const auto seen = run(
      [] {
        const auto bind_and_wait = [](const char* own) {
          const auto bound = request_name.bind(own).value();
          for (int i = 0; i < 10; ++i) (void)yield_now();
          return name_here();
        };
        auto a = spawn([&] { return bind_and_wait("a"); }).value();
        auto b = spawn([&] { return bind_and_wait("b"); }).value();
        return a.join().value() + b.join().value();
      },
      {.workers = 2});
  EXPECT_EQ(seen.value(), "ab");
}

TEST(FiberLocal, AThreadOutsideHasItsOwn) {
  const auto bound = request_name.bind("thread").value();
  EXPECT_EQ(name_here(), "thread");
  test::joined_thread([] { EXPECT_EQ(name_here(), "-"); });
  EXPECT_EQ(run([] { return name_here(); }).value(), "-") << "main is no child of the thread";
  EXPECT_EQ(name_here(), "thread");
}

TEST(FiberLocal, AValueLivesUntilTheLastFiberThatInheritedIt) {
  static const fiber_local<std::shared_ptr<int>> shared;
  const auto value = std::make_shared<int>(7);
  ASSERT_TRUE(run([&] {
                auto child = spawn([] {}).value();
                {
                  const auto bound = shared.bind(value).value();
                  EXPECT_EQ(value.use_count(), 2);
                  child = spawn([&] {
                            (void)yield_now();
                            EXPECT_EQ(value.use_count(), 2);
                            return;
                          }).value();
                }
                EXPECT_EQ(value.use_count(), 2) << "the child holds it";
                EXPECT_TRUE(child.join());
                EXPECT_EQ(value.use_count(), 1);
              }).has_value());
}

TEST(FiberLocalDeath, BindingsEndInnermostFirst) {
  EXPECT_DEATH(
      {
        auto outer = std::make_unique<fiber_local<int>::binding>(call_depth.bind(1).value());
        const auto inner = call_depth.bind(2).value();
        outer.reset();
      },
      "bindings of fiber_locals must end innermost first");
}

}  // namespace
}  // namespace bast
