// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that use bast's features: each is a root of the static analysis whose reasons, if any,
// must be this program's own.
#include <bast/cancel.hpp>
#include <bast/coro.hpp>
#include <bast/process.hpp>

namespace known {

int sum = 0;

struct yields {
  void operator()(bast::yielder<int>& out) const {
    for (int i = 0; i < 3; ++i) (void)out.yield(sum + i);
  }
};

struct nests {
  bast::coro_pool* pool;
  void operator()() const {
    auto inner = pool->acquire<int>();
    if (!inner) return;
    auto step = inner->start(yields());
    while (step.yielded()) {
      sum += step.value();
      step = inner->resume();
    }
  }
};

struct cancels {
  bast::cancel_token token;
  void operator()() const {
    auto own = bast::cancel_source::create();
    if (!own) return;
    const bast::cancel_token tokens[] = {token, own->token()};
    const auto joined = bast::cancel_token::any_of(tokens);
    if (!joined) return;
    const bast::cancel_callback count(*joined, []() noexcept { ++sum; });
    (void)own->cancel();
  }
};

struct commands {
  void operator()() const {
    if (const auto ended = bast::command::argv({"true"}).out(bast::to::capture{}).run())
      sum += static_cast<int>(ended->output.bytes.text().size());
  }
};

}  // namespace known

int main() {
  const auto loop = bast::epoll_adapter::create();
  if (!loop) return 1;
  auto pool = bast::coro_pool::create();
  if (!pool) return 1;
  auto source = bast::cancel_source::create();
  if (!source) return 1;
  (void)pool->acquire<int>().value().start(known::yields());
  (void)pool->acquire().value().start(known::nests{&*pool});
  (void)pool->acquire().value().start(known::cancels{source->token()});
  (void)pool->acquire().value().start(known::commands());
  return known::sum < 0 ? 1 : 0;
}
