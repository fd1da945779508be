// SPDX-License-Identifier: Apache-2.0
//
// Many tasks of one kind in a scope: `task_group` gives their results as they complete,
// `parallel_map` those of a range, in its order.
//
//   auto pages = bast::parallel_map(urls, [](const url& u) { return fetch(u); }, {.at_most = 8});
//
//   auto group = bast::task_group<page>::create(s, {.at_most = 8}).value();
//   for (const url& u : urls) {
//     if (auto begun = group.spawn([&u] { return fetch(u); }); !begun) return begun;
//   }
//   while (auto done = group.next().value()) use(**done);
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "bast/scope/scope.hpp"

namespace bast::inline BAST_ABI {

struct group_options {
  /// Tasks that run at the same time; spawn() waits for one to end. Not 0.
  std::size_t at_most = std::numeric_limits<std::size_t>::max();
  /// Of the fibers; static lifetime.
  const char* name = nullptr;
};

namespace internal {

/// Shared by the group and its tasks: a task may end after the group, with its scope.
template <class T>
struct group_state {
  struct completion {
    completion* next = nullptr;
    std::optional<result<T>> outcome = std::nullopt;
  };

  explicit group_state(const group_options& wanted) noexcept : options(wanted) {}
  group_state(const group_state&) = delete;
  group_state& operator=(const group_state&) = delete;
  ~group_state() {
    while (completion* const each = completed.pop()) os::destroy(each);
  }

  const group_options options;
  wait_queue changes;
  std::size_t running = 0;     // by the queue's lock, like the next
  fifo<completion> completed;  // and not taken
};

/// A task's place among those that run, and where its result goes. Frees both at its end.
template <class T>
class group_place {
  using state = group_state<T>;

 public:
  group_place(std::shared_ptr<state> of, typename state::completion& node) noexcept
      : of_(std::move(of)), node_(&node) {}
  group_place(group_place&& other) noexcept
      : of_(std::move(other.of_)), node_(std::exchange(other.node_, nullptr)) {}
  group_place& operator=(group_place&&) = delete;
  group_place(const group_place&) = delete;
  group_place& operator=(const group_place&) = delete;
  ~group_place() {
    if (node_ == nullptr) return;
    const bool is_complete = node_->outcome.has_value();
    if (!is_complete) os::destroy(node_);
    of_->changes.wake_all([&]() noexcept {
      --of_->running;
      if (is_complete) of_->completed.append(*node_);
    });
  }
  std::optional<result<T>>& outcome() noexcept { return node_->outcome; }

 private:
  std::shared_ptr<state> of_;
  typename state::completion* node_;
};

/// What the fiber of a task runs.
template <class T, class F>
struct group_task {
  F function;
  group_place<T> place;

  void operator()() {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      function();
      place.outcome().emplace();
    } else {
      place.outcome().emplace(function());
    }
  }
};

}  // namespace internal

/// Tasks of a scope, each of which returns a T or a result<T>. An error that a task returns is its
/// result; an exception fails the scope (S-3). What a task has used is free when it ends, but for
/// its result until that is taken (S-8). Moves like a shared_ptr. One fiber at a time uses it.
template <class T>
class [[nodiscard]] task_group {
  using state = internal::group_state<T>;

 public:
  /// The scope outlives the last spawn(). Errors: no_memory; `invalid` (at_most is 0).
  [[nodiscard]] static result<task_group> create(scope& in, const group_options& options = {}) {
    if (options.at_most == 0) {
      return fail(errc::invalid, "task_group", "group_options::at_most is 0");
    }
    task_group made(in);
#if BAST_EXCEPTIONS
    try {
#endif
      made.state_ = std::make_shared<state>(options);
#if BAST_EXCEPTIONS
    } catch (...) {
      return fail(errc::no_memory, "task_group", "no memory for the group");
    }
#endif
    return made;
  }

  /// Starts a task; waits while `at_most` run. Allocates. Errors: cancelled; those of scope::spawn;
  /// no_memory: the function is unchanged, if its move does not throw.
  template <class F>
  [[nodiscard]] result<void> spawn(
      F&& function, const std::source_location& where = std::source_location::current()) {
    using task = internal::group_task<T, std::decay_t<F>>;
    state& mine = *state_;
    auto* const node = os::make<typename state::completion>();
    if (node == nullptr) return fail(errc::no_memory, "task_group.spawn", "no memory for a result");
    const auto may = bast::perform(retry_on(mine.changes, [&mine]() noexcept {
      if (mine.running == mine.options.at_most) return false;
      ++mine.running;
      return true;
    }));
    if (!may) {
      os::destroy(node);
      return may;
    }
    internal::group_place<T> place(state_, *node);
    task made{std::forward<F>(function), std::move(place)};
    const auto spawned = in_->spawn(std::move(made), {.name = mine.options.name}, where);
    if (spawned) return {};
    // NOLINTNEXTLINE(bugprone-use-after-move): a spawn that fails has not moved it
    internal::hand_back<F>(function, made.function);
    return std::unexpected(spawned.error());
  }

  /// Waits for the next task to complete, in the order of their ends, and takes its result; empty:
  /// none runs, and all results were taken. Errors: cancelled: nothing was taken.
  [[nodiscard]] result<std::optional<result<T>>> next() {
    using completion = typename state::completion;
    state& mine = *state_;
    const auto got =
        bast::perform(retry_on(mine.changes, [&mine]() noexcept -> std::optional<completion*> {
          if (!mine.completed.empty()) return mine.completed.pop();
          if (mine.running == 0) return nullptr;
          return std::nullopt;
        }));
    if (!got) return std::unexpected(got.error());
    if (*got == nullptr) return std::optional<result<T>>();
    std::optional<result<T>> taken = std::move((*got)->outcome);
    os::destroy(*got);
    return taken;
  }
  /// Tasks that have not ended.
  [[nodiscard]] std::size_t running() const noexcept {
    return state_->changes.locked([this]() noexcept { return state_->running; });
  }

 private:
  explicit task_group(scope& in) noexcept : in_(&in) {}
  scope* in_;
  std::shared_ptr<state> state_;
};

struct map_options {
  /// Items that are worked on at the same time. Not 0.
  std::size_t at_most = 16;
  /// Of the scope.
  scope_options scope = {};
};

namespace internal {

template <class Items, class F>
using mapped = std::invoke_result_t<F&, std::ranges::range_reference_t<Items>>;

/// Calls `call(i)` for each i below `count`, so many at a time, until one fails.
template <class F>
std::expected<void, scope_failure> for_each_index(std::size_t count, const map_options& options,
                                                  F& call) {
  if (options.at_most == 0) {
    return std::unexpected(not_opened({errc::invalid, "parallel_map", "map_options::at_most is 0"},
                                      options.scope.name));
  }
  std::atomic<std::size_t> next = 0;
  const auto work = [&]() -> result<void> {
    // Relaxed: what the items are was written before the fibers were spawned.
    while (true) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) return {};
      if (auto goes_on = this_coro::checkpoint(); !goes_on) return goes_on;
      if (auto done = call(i); !done) return done;
    }
  };
  return run_scope(
      [&](scope& s) -> result<void> {
        for (std::size_t i = 0; i < options.at_most && i < count; ++i) {
          if (auto begun = s.spawn(work, {.name = options.scope.name}); !begun) {
            return std::unexpected(begun.error());
          }
        }
        return {};
      },
      options.scope);
}

}  // namespace internal

/// Calls `f(item)` for each item of a range, in `at_most` fibers of a scope, and returns what it
/// returned, in the order of the items. f returns a value, a result, or nothing; the first error or
/// exception cancels the rest. Runs on all workers of the pool: `f` and the items must be fit for
/// that. Allocates. Errors, as run_scope; `invalid` (at_most is 0).
template <std::ranges::random_access_range Items, class F>
[[nodiscard]] auto parallel_map(Items&& items, F f, const map_options& options = {}) {
  using returned = internal::mapped<Items, F>;
  using value = typename internal::unwrapped<returned>::type;
  const auto count = static_cast<std::size_t>(std::ranges::size(items));
  const auto first = std::ranges::begin(items);
  const auto item = [&](std::size_t i) -> decltype(auto) {
    return first[static_cast<std::ranges::range_difference_t<Items>>(i)];
  };
  if constexpr (std::is_void_v<value>) {
    auto call = [&](std::size_t i) -> result<void> {
      if constexpr (std::is_void_v<returned>) {
        f(item(i));
        return {};
      } else {
        return f(item(i));
      }
    };
    return internal::for_each_index(count, options, call);
  } else {
    std::vector<std::optional<value>> made(count);
    auto call = [&](std::size_t i) -> result<void> {
      result<value> got = f(item(i));
      if (!got) return std::unexpected(got.error());
      made[i].emplace(std::move(*got));
      return {};
    };
    std::expected<std::vector<value>, scope_failure> all;
    if (auto done = internal::for_each_index(count, options, call); !done) {
      all = std::unexpected(std::move(done.error()));
      return all;
    }
    all->reserve(count);
    for (auto& each : made) all->push_back(std::move(*each));
    return all;
  }
}

}  // namespace bast::inline BAST_ABI
