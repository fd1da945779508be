// SPDX-License-Identifier: Apache-2.0
//
// F-10: how the unwinding appears to code that catches it: streams, catch-all handlers, handlers
// for the unwinding of a cancelled thread.
#include <gtest/gtest.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <iterator>
#include <streambuf>
#include <string>
#include <typeinfo>

#include "bast/coro.hpp"

#if BAST_EXCEPTIONS

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace bast {
namespace {

#ifdef __GLIBCXX__
using passed_as = abi::__forced_unwind;
constexpr bool streams_may_swallow = false;
#else
using passed_as = forced_unwind;
constexpr bool streams_may_swallow = true;
#endif

/// A buffer that suspends in every operation.
struct suspending_buffer : std::streambuf {
  yielder<>& out;
  explicit suspending_buffer(yielder<>& y) : out(y) {}
  int overflow(int c) override { return out.yield(), c; }
  int underflow() override { return out.yield(), traits_type::eof(); }
  int sync() override { return out.yield(), 0; }
};

TEST(Unwind, F10_StreamsLetItPassOrSwallowIt) {
  using use = void (*)(std::iostream&);
  const use uses[] = {
      [](std::iostream& stream) { stream << "text" << 7 << 1.5; },
      [](std::iostream& stream) { stream.put('x').flush(); },
      [](std::iostream& stream) { stream.write("text", 4); },
      [](std::iostream& stream) { stream.flush(); },
      [](std::iostream& stream) { (void)stream.get(); },
      [](std::iostream& stream) { (void)stream.peek(); },
      [](std::iostream& stream) {
        int n = 0;
        stream >> n;
      },
      [](std::iostream& stream) {
        std::string line;
        std::getline(stream, line);
      },
      // The last: on request, every stream lets it pass.
      [](std::iostream& stream) {
        stream.exceptions(std::ios::badbit);
        stream << "text";
      },
  };
  coro_pool pool = *coro_pool::create();
  for (const use each : uses) {
    auto c = pool.acquire();
    int after = 0;
    bool destroyed = false;
    ASSERT_TRUE(c->start([&](yielder<>& out) {
                   struct tells {
                     bool& told;
                     ~tells() { told = true; }
                   };
                   const tells local{destroyed};
                   suspending_buffer buffer(out);
                   std::iostream stream(&buffer);
                   each(stream);
                   ++after;
                   out.yield();
                   ADD_FAILURE() << "a suspension while unwinding must throw";
                 }).yielded());
    ASSERT_TRUE(c->release());
    EXPECT_TRUE(destroyed);
    const bool may_swallow = streams_may_swallow && each != uses[std::size(uses) - 1];
    EXPECT_LE(after, may_swallow ? 1 : 0) << "use " << std::find(uses, std::end(uses), each) - uses;
    EXPECT_EQ(pool.stats().free, 1U);
    // Even then the next suspension threw it again.
    EXPECT_EQ(pool.stats().swallowed_unwinds, 0U);
  }
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  pool.check_invariants();
}

TEST(Unwind, F10_WhoeverCatchesItByAnyNameSeesTheSame) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  std::string seen;
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  try {
                    try {
                      try {
                        out.yield();
                      } catch (forced_unwind& by_reference) {
                        seen += typeid(by_reference) == typeid(forced_unwind) ? "reference "
                                                                              : "another ";
                        throw;
                      }
                    } catch (...) {
                      const std::exception_ptr kept = std::current_exception();
                      seen += "anything ";
                      std::rethrow_exception(kept);
                    }
                  } catch (passed_as&) {
                    seen += "cancellation";
                    throw;
                  }
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(seen, "reference anything cancellation");
  EXPECT_EQ(pool.stats().swallowed_unwinds, 0U);
}

}  // namespace
}  // namespace bast

#endif
