// SPDX-License-Identifier: Apache-2.0
//
// Cancellation against libstdc++'s <stop_token>: registering, checking, and cancelling sources with
// many callbacks, flat and as a tree.
#include <bast/cancel.hpp>
#include <memory>
#include <optional>
#include <stop_token>

#include "support.hpp"

namespace {

struct count_one {
  std::size_t* counter;
  void operator()() const noexcept { ++*counter; }
};

// The needs of both sides of a comparison, so that one template measures both.
struct bast_side {
  using source = bast::cancel_source;
  using callback = bast::cancel_callback<count_one>;
  static source make() { return bench::must(source::create(), "create"); }
  static auto token(const source& s) { return s.token(); }
  static void cancel(source& s) { s.cancel(); }
  static bool look(const bast::cancel_token& t) { return t.is_cancelled(); }

  struct node {
    source own;
    std::optional<callback> work;
    node() : own(make()) {}
    explicit node(const node& parent) : own(bench::must(parent.own.child(), "child")) {}
  };
};

struct std_side {
  using source = std::stop_source;
  using callback = std::stop_callback<count_one>;
  static source make() { return {}; }
  static auto token(const source& s) { return s.get_token(); }
  static void cancel(source& s) { s.request_stop(); }
  static bool look(const std::stop_token& t) { return t.stop_requested(); }

  struct stop_below {
    source* below;
    void operator()() const noexcept { below->request_stop(); }
  };
  struct node {
    source own;
    std::optional<std::stop_callback<stop_below>> link;
    std::optional<callback> work;
    node() = default;
    explicit node(const node& parent) { link.emplace(parent.own.get_token(), stop_below{&own}); }
  };
};

template <class Side>
void callback(benchmark::State& state) {
  auto source = Side::make();
  const auto token = Side::token(source);
  std::size_t counter = 0;
  bench::repeat(state, [&] {
    const typename Side::callback registered(token, count_one{&counter});
    benchmark::DoNotOptimize(registered);
  });
}

template <class Side>
void look(benchmark::State& state) {
  auto source = Side::make();
  const auto token = Side::token(source);
  bench::repeat(state, [&] { benchmark::DoNotOptimize(Side::look(token)); });
}

/// Cancels what `make(counter)` returns, and divides by the number of callbacks.
template <class Make, class Cancel>
void cancelling(benchmark::State& state, Make make, Cancel cancel) {
  const auto count = static_cast<std::size_t>(state.range(0));
  // Small ones are done many at a time: otherwise the clock would dominate.
  const std::size_t copies = std::max<std::size_t>(1, 2000 / count);
  for (auto _ : state) {
    std::size_t counter = 0;
    using made = decltype(make(count, counter));
    std::vector<made> all;
    for (std::size_t i = 0; i < copies; ++i) all.push_back(make(count, counter));
    bench::timed(state, count * copies, [&] {
      for (made& one : all) cancel(one);
    });
    if (counter != count * copies) bench::give_up("cancelling everybody");
  }
}

template <class Side>
void flat(benchmark::State& state) {
  struct set {
    typename Side::source source = Side::make();
    std::vector<std::unique_ptr<typename Side::callback>> callbacks;
  };
  cancelling(
      state,
      [](std::size_t count, std::size_t& counter) {
        auto made = std::make_unique<set>();
        for (std::size_t i = 0; i < count; ++i) {
          made->callbacks.push_back(std::make_unique<typename Side::callback>(
              Side::token(made->source), count_one{&counter}));
        }
        return made;
      },
      [](std::unique_ptr<set>& s) { Side::cancel(s->source); });
}

template <class Side>
void tree(benchmark::State& state) {
  using node = typename Side::node;
  cancelling(
      state,
      [](std::size_t count, std::size_t& counter) {
        std::vector<std::unique_ptr<node>> nodes;
        nodes.push_back(std::make_unique<node>());
        while (nodes.size() < count) {
          nodes.push_back(std::make_unique<node>(*nodes[(nodes.size() - 1) / 8]));
        }
        for (auto& each : nodes) each->work.emplace(Side::token(each->own), count_one{&counter});
        return nodes;
      },
      [](std::vector<std::unique_ptr<node>>& nodes) { Side::cancel(nodes.front()->own); });
}

void bast_callback(benchmark::State& state) { callback<bast_side>(state); }
void std_callback(benchmark::State& state) { callback<std_side>(state); }
void bast_look(benchmark::State& state) { look<bast_side>(state); }
void std_look(benchmark::State& state) { look<std_side>(state); }
void bast_flat(benchmark::State& state) { flat<bast_side>(state); }
void std_flat(benchmark::State& state) { flat<std_side>(state); }
void bast_tree(benchmark::State& state) { tree<bast_side>(state); }
void std_tree(benchmark::State& state) { tree<std_side>(state); }

void sizes(benchmark::internal::Benchmark* made) {
  made->Arg(10)->Arg(1000)->Arg(100000)->UseManualTime()->Iterations(8);
}

BENCHMARK(bast_callback);
BENCHMARK(std_callback);
BENCHMARK(bast_look);
BENCHMARK(std_look);
BENCHMARK(bast_flat)->Apply(sizes);
BENCHMARK(std_flat)->Apply(sizes);
BENCHMARK(bast_tree)->Apply(sizes);
BENCHMARK(std_tree)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
