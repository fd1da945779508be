// SPDX-License-Identifier: Apache-2.0
//
// `coro_of<F>`: the coroutine type that a function's parameters and result determine.
//
//   T()                                       coro<void, void, T>
//   T(bast::yielder<Yield>&)                  coro<Yield, void, T>
//   T(Resume, bast::yielder<Yield, Resume>&)  coro<Yield, Resume, T>: the first resume passes the
//                                             first argument; each later one passes the result of
//                                             a yield
#pragma once

#include <type_traits>

#include "bast/coro/coro.hpp"

namespace bast::inline BAST_ABI {
namespace internal {

template <class>
inline constexpr bool never_true = false;

template <class Result>
struct returned {
  static_assert(!std::is_reference_v<Result>, "a coroutine returns a value, not a reference");
  using type = std::remove_cvref_t<Result>;
};
template <class Result>
using returned_value = typename returned<Result>::type;

template <class Result, class... Parameters>
struct coro_for {
  static_assert(never_true<Result>,
                "a coroutine's function takes nothing, (bast::yielder<Yield>&), or "
                "(Resume, bast::yielder<Yield, Resume>&)");
  using type = coro<>;
};
template <class Result>
struct coro_for<Result> {
  using type = coro<void, void, returned_value<Result>>;
};
template <class Result, class Yield>
struct coro_for<Result, yielder<Yield>&> {
  using type = coro<Yield, void, returned_value<Result>>;
};
template <class Result, class Yield, class Resume>
struct coro_for<Result, Resume, yielder<Yield, Resume>&> {
  using type = coro<Yield, Resume, returned_value<Result>>;
};

/// A function or an object with one call operator that is not a template.
template <class F>
struct coro_of_function {
  static_assert(never_true<F>,
                "the types of a coroutine cannot be deduced from this: a generic or overloaded "
                "function needs coro_pool::acquire<Yield, Resume, Return>() and start");
  using type = coro<>;
};
template <class F>
  requires(requires { &F::operator(); })
struct coro_of_function<F> : coro_of_function<decltype(&F::operator())> {};
template <class R, class... P>
struct coro_of_function<R (*)(P...)> : coro_for<R, P...> {};
template <class R, class... P>
struct coro_of_function<R (*)(P...) noexcept> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...)> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) noexcept> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) const> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) const noexcept> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...)&> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) & noexcept> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) const&> : coro_for<R, P...> {};
template <class C, class R, class... P>
struct coro_of_function<R (C::*)(P...) const & noexcept> : coro_for<R, P...> {};

}  // namespace internal

template <class F>
using coro_of = typename internal::coro_of_function<std::decay_t<F>>::type;

}  // namespace bast::inline BAST_ABI
