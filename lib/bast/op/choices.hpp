// SPDX-License-Identifier: Apache-2.0
//
// Choices that say which of their ops has committed, and one that does not wait:
//
//   named_choice(named_arm{"data", data.receive()}, named_arm{"tick", tick.receive()})
//   boolean_choice(if_true, if_false)
//   race(ops, on_win)
//   or_else(op, fallback)
//
// All are wraps of `choice`: inert, fair, and of any arms (O-1, O-4, O-13). first_ready (ops.hpp)
// gives an index.
#pragma once

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "bast/op/ops.hpp"

namespace bast::inline BAST_ABI {

/// An arm of named_choice. The characters of the name outlive the result: a literal, as a rule.
template <performable Op>
struct named_arm {
  std::string_view name;
  Op op;
};
template <class Op>
named_arm(std::string_view, Op) -> named_arm<Op>;

/// Which arm has committed, and with what. For `auto [name, value] = ...`.
template <class T>
struct named_value {
  std::string_view name;
  T value;
};
template <>
struct named_value<void> {
  std::string_view name;
};

namespace internal {

template <class T>
struct indexed_value {
  std::size_t index;
  T value;
};
template <>
struct indexed_value<void> {
  std::size_t index;
};

/// The function of a wrap that puts a mark before a value.
template <class Marked, class Mark>
struct mark_with {
  Mark mark;
  template <class... T>
  Marked operator()(T&&... value) const {
    return Marked{mark, std::forward<T>(value)...};
  }
};

template <performable Op>
auto named(named_arm<Op> arm) {
  using marks = mark_with<named_value<value_of<Op>>, std::string_view>;
  return wrap(std::move(arm.op), marks{arm.name});
}
template <performable Op>
auto indexed(Op op, std::size_t index) {
  using marks = mark_with<indexed_value<value_of<Op>>, std::size_t>;
  return wrap(std::move(op), marks{index});
}

/// Undoes indexed().
template <class T, class F>
struct on_win_with_index {
  F f;
  decltype(auto) operator()(indexed_value<T> won) {
    if constexpr (std::is_void_v<T>) {
      return f(won.index);
    } else {
      return f(won.index, std::move(won.value));
    }
  }
};
template <class T, performable Choice, class F>
auto race_of(Choice indexed_ops, F on_win) {
  return wrap(std::move(indexed_ops), on_win_with_index<T, F>{std::move(on_win)});
}

template <class T, class F>
struct fallback_of {
  F f;
  [[nodiscard]] result<T> operator()() {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      f();
      return {};
    } else {
      return f();
    }
  }
};

}  // namespace internal

/// As choice, and the result has the name of the arm that committed.
template <performable First, performable... Ops>
auto named_choice(named_arm<First> first, named_arm<Ops>... arms) {
  return choice(internal::named(std::move(first)), internal::named(std::move(arms))...);
}
/// Of a range of named_arm. Allocates, as choice does.
template <class Range>
  requires performable<decltype(internal::element_of<Range>::op)>
auto named_choice(Range&& range) {
  return choice(internal::vector_of(std::forward<Range>(range),
                                    [](std::size_t /*index*/, internal::element_of<Range> arm) {
                                      return internal::named(std::move(arm));
                                    }));
}

/// Whether it was the first that committed. The values are dropped, and may be of any types.
template <performable IfTrue, performable IfFalse>
auto boolean_choice(IfTrue if_true, IfFalse if_false) {
  return choice(wrap(std::move(if_true), [](auto&&...) { return true; }),
                wrap(std::move(if_false), [](auto&&...) { return false; }));
}

/// As choice of a range; `on_win(index, value)`, or `on_win(index)` for ops of void, runs for the
/// one that committed, as the function of a wrap (O-10), and gives the value of the whole.
template <class Range, class F>
  requires performable<internal::element_of<Range>>
auto race(Range&& ops, F on_win) {
  using op = internal::element_of<Range>;
  return internal::race_of<value_of<op>>(
      choice(internal::vector_of(
          std::forward<Range>(ops),
          [](std::size_t index, op each) { return internal::indexed(std::move(each), index); })),
      std::move(on_win));
}
/// Of ops of different types and one value type. Allocates nothing.
template <performable First, performable... Ops, class F>
auto race(std::tuple<First, Ops...> ops, F on_win) {
  auto one = [&]<std::size_t... I>(std::index_sequence<I...> /*indices*/) {
    return choice(internal::indexed(std::move(std::get<I>(ops)), I)...);
  }(std::index_sequence_for<First, Ops...>{});
  return internal::race_of<value_of<First>>(std::move(one), std::move(on_win));
}

/// Never waits: `op`, if it is ready at once; else commits to `fallback()`, which runs as the
/// function of a wrap and returns a value of the op's type, or a result of one. Arms of `op` that
/// were tried have lost then. One arm of an outer choice, which always is ready.
template <performable Op, class F>
auto or_else(Op op, F fallback) {
  using value = internal::fallback_of<value_of<Op>, F>;
  return choice_biased(std::move(op), wrap(always(), value{std::move(fallback)}));
}

}  // namespace bast::inline BAST_ABI
