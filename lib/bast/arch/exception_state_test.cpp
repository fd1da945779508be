// SPDX-License-Identifier: Apache-2.0
//
// Law F-7: the C++ runtime's exception state belongs to a flow of control. These tests exchange the
// words around each switch, as layer `coro` does.
#include "bast/arch/exception_state.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "bast/testing/random.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

using test::for_each_mixture;
using test::form;
using test::raw_fiber;

TEST(ExceptionState, TheWordsHaveOneAddressForEachThread) {
  exception_state* const mine = exception_state_of_thread();
  EXPECT_EQ(exception_state_of_thread(), mine);
  exception_state* others = nullptr;
  std::thread([&] {
    others = exception_state_of_thread();
    EXPECT_TRUE(others->empty());
  }).join();
  EXPECT_NE(others, mine);
}

TEST(ExceptionState, OutsideOfExceptionsBothWordsAreZero) {
  EXPECT_TRUE(exception_state_of_thread()->empty());
  EXPECT_TRUE(exception_state{}.empty());
  EXPECT_FALSE((exception_state{.caught = nullptr, .uncaught = 1}).empty());
  int object = 0;
  EXPECT_FALSE((exception_state{.caught = &object, .uncaught = 0}).empty());
}

#if BAST_EXCEPTIONS

/// Clears the thread's words for its lifetime.
class set_aside {
 public:
  set_aside() : mine_(*exception_state_of_thread()) { *exception_state_of_thread() = {}; }
  ~set_aside() { *exception_state_of_thread() = mine_; }
  set_aside(const set_aside&) = delete;
  set_aside& operator=(const set_aside&) = delete;

 private:
  exception_state mine_;
};

template <form Form>
void resume(raw_fiber& fiber) {
  const set_aside mine;
  fiber.resume<Form>();
}
template <form Form>
void suspend(raw_fiber& self) {
  const set_aside mine;
  self.suspend<Form>();
}

/// Calls a function in its destructor, with the number of exceptions in flight.
template <class F>
struct on_unwinding {
  explicit on_unwinding(F f) : run(f) {}
  ~on_unwinding() { run(); }
  on_unwinding(const on_unwinding&) = delete;
  on_unwinding& operator=(const on_unwinding&) = delete;
  F run;
};

TEST(ExceptionState, TheWordsAreThoseThatTheRuntimeUses) {
  const exception_state& words = *exception_state_of_thread();
  try {
    const on_unwinding check([&] {
      EXPECT_EQ(words.uncaught, 1U);
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    });
    throw 1;
  } catch (int) {
    EXPECT_EQ(words.uncaught, 0U);
    EXPECT_NE(words.caught, nullptr) << "the exception being handled";
    const set_aside mine;
    EXPECT_EQ(std::current_exception(), nullptr) << "set aside, nothing is being handled";
  }
  EXPECT_TRUE(words.empty());
}

TEST(ExceptionState, F7_ARethrowAfterASwitchRethrowsItsOwnException) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    std::vector<std::string> trace;
    const auto body = [&](const char* name) {
      return [&trace, name](raw_fiber& self) {
        try {
          try {
            throw std::string(name);
          } catch (const std::string&) {
            suspend<Fiber>(self);  // inside the handler
            throw;
          }
        } catch (const std::string& e) {
          trace.push_back(std::string(name) + " got " + e);
        }
      };
    };
    raw_fiber first(Fiber, body("first"));
    raw_fiber second(Fiber, body("second"));
    try {
      try {
        throw std::string("main");
      } catch (const std::string&) {
        resume<Resumer>(first);
        resume<Resumer>(second);
        resume<Resumer>(first);
        resume<Resumer>(second);
        throw;
      }
    } catch (const std::string& e) {
      trace.push_back("main got " + e);
    }
    EXPECT_EQ(trace,
              (std::vector<std::string>{"first got first", "second got second", "main got main"}));
    EXPECT_TRUE(exception_state_of_thread()->empty());
  });
}

TEST(ExceptionState, F7_SuspendingInADestructorWhileUnwindingHidesTheCountFromOthers) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    std::vector<int> inside;
    raw_fiber fiber(Fiber, [&](raw_fiber& self) {
      try {
        const on_unwinding suspends([&] {
          inside.push_back(std::uncaught_exceptions());
          suspend<Fiber>(self);
          inside.push_back(std::uncaught_exceptions());
        });
        throw 1;
      } catch (int) {
        inside.push_back(std::uncaught_exceptions());
      }
    });
    resume<Resumer>(fiber);
    EXPECT_EQ(std::uncaught_exceptions(), 0) << "another fiber's exception is not counted";
    try {
      const on_unwinding resumes([&] {
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        resume<Resumer>(fiber);
        EXPECT_EQ(std::uncaught_exceptions(), 1);
      });
      throw 2;
    } catch (int value) {
      EXPECT_EQ(value, 2);
    }
    EXPECT_TRUE(fiber.finished());
    EXPECT_EQ(inside, (std::vector{1, 1, 0}));
    EXPECT_TRUE(exception_state_of_thread()->empty());
  });
}

/// Throws and rethrows at random depths, suspending wherever it can; `wrong` counts failures.
template <form Form>
void wander(raw_fiber& self, test::random_numbers& random, int name, int depth, int& wrong) {
  try {
    const int in_flight = std::uncaught_exceptions();
    const on_unwinding suspends([&] {
      if (random.below(2) == 0) suspend<Form>(self);
      wrong += std::uncaught_exceptions() == in_flight + 1 ? 0 : 1;
    });
    throw name;
  } catch (int& caught) {
    if (random.below(2) == 0) suspend<Form>(self);
    if (depth > 0) wander<Form>(self, random, name + 1000, depth - 1, wrong);
    try {
      throw;
    } catch (int& again) {
      wrong += again == name && &again == &caught ? 0 : 1;
    }
  }
}

TEST(ExceptionState, F7_ManyInterleavedHandlersNeverMeet) {
  auto random = test::random_numbers::of_this_test();
  for_each_mixture([&]<form Resumer, form Fiber>() {
    constexpr int count = 6;
    int wrong = 0;
    std::vector<std::unique_ptr<raw_fiber>> fibers;
    for (int name = 0; name < count; ++name) {
      fibers.push_back(std::make_unique<raw_fiber>(Fiber, [&, name](raw_fiber& self) {
        for (int round = 0; round < 40; ++round) wander<Fiber>(self, random, name, 3, wrong);
      }));
    }
    for (int left = count; left > 0;) {
      raw_fiber& next = *fibers[random.below(count)];
      if (next.finished()) continue;
      resume<Resumer>(next);
      left -= next.finished() ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(exception_state_of_thread()->empty());
  });
}

#endif

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
