// SPDX-License-Identifier: Apache-2.0
//
// Ops without an object, and what combines ops:
//
//   always(v), never_ready<T>(), fail_with<T>(error)
//   choice(a, b, ...), choice(range), choice_biased(...), first_ready(a, b, ...)
//   wrap(op, f)
//
// Laws, where `==` means: cannot be told apart, but for the order in which arms are looked at
// (O-4):
//
//   choice() == never        choice(x) == x        choice(x, never) == x
//   choice(a, choice(b, c)) == choice(a, b, c), also in fairness
//   wrap(choice(a, b), f) == choice(wrap(a, f), wrap(b, f))
//   wrap(wrap(a, g), f) == wrap(a, f after g)      wrap(always(x), f) == always(f(x))
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bast/op/perform.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// Commits whenever it is looked at.
template <class Traits>
class ready_leaf final : public basic_leaf<Traits> {
 public:
  bool looks_ready() const noexcept override { return true; }
  progress attempt(basic_performer<Traits>& who) override { return enlist(who); }
  progress enlist(basic_performer<Traits>& who) override {
    return who.commit_self(*this) ? progress::committed : progress::lost;
  }
  void delist() noexcept override {}
};

template <class T>
struct unwrapped {
  using type = T;
};
template <class T>
struct unwrapped<result<T>> {
  using type = T;
};

// By std::begin: <ranges> would cost each user 4,000 preprocessed lines for one concept.
template <class Range>
using element_of = std::remove_cvref_t<decltype(*std::begin(std::declval<Range&>()))>;

/// f(index, element) of each. The elements of a vector that is given away are moved.
template <class Range, class F>
auto vector_of(Range&& range, F f) {
  using element = element_of<Range>;
  std::vector<decltype(f(std::size_t{}, std::declval<element>()))> out;
  std::size_t index = 0;
  if constexpr (std::same_as<Range, std::vector<element>>) {
    std::vector<element> own = std::forward<Range>(range);
    for (element& each : own) out.push_back(f(index++, std::move(each)));
  } else {
    for (auto&& each : range) out.push_back(f(index++, element(each)));
  }
  return out;
}

}  // namespace internal

/// Commits at once with this result.
template <class T>
class always_op {
 public:
  using value_type = T;
  explicit always_op(result<T> value) : value_(std::move(value)) {}

  template <class Traits>
  class plan : public internal::leaf_plan<internal::ready_leaf<Traits>> {
   public:
    explicit plan(always_op op) : value_(std::move(op.value_)) {}
    [[nodiscard]] result<T> take(const internal::basic_leaf<Traits>* /*leaf*/) {
      return std::move(value_);
    }

   private:
    result<T> value_;
  };

 private:
  result<T> value_;
};

/// Never commits.
template <class T>
struct never_op {
  using value_type = T;

  template <class Traits>
  struct plan {
    explicit plan(never_op /*op*/) {}
    void gather(internal::basic_branch_list<Traits>& /*list*/) {}
    bool has(const internal::basic_leaf<Traits>* /*leaf*/) const { return false; }
    [[nodiscard]] result<T> take(const internal::basic_leaf<Traits>* /*leaf*/) {
      std::unreachable();
    }
  };
};

template <class T>
always_op<std::decay_t<T>> always(T&& value) {
  return always_op<std::decay_t<T>>(std::forward<T>(value));
}
inline always_op<void> always() { return always_op<void>(result<void>()); }
template <class T>
never_op<T> never_ready() {
  return {};
}
/// Commits at once, with this error as the result of the perform.
template <class T>
always_op<T> fail_with(const error& why) {
  return always_op<T>(std::unexpected(why));
}

/// `f` runs after the commit, on the performing fiber or thread, once (O-10): with the value, or
/// without one for an op of void. Its result, or the value of its result<U>, is that of the op. An
/// error of the op passes by it.
template <performable Op, class F>
class wrap_op {
  template <class T>
  struct returned : std::invoke_result<F&, T> {};
  template <class T>
    requires std::is_void_v<T>
  struct returned<T> : std::invoke_result<F&> {};
  using raw = typename returned<value_of<Op>>::type;

 public:
  using value_type = typename internal::unwrapped<raw>::type;
  wrap_op(Op op, F f) : op_(std::move(op)), f_(std::move(f)) {}

  template <class Traits>
  class plan {
   public:
    explicit plan(wrap_op op) : inner_(std::move(op.op_)), f_(std::move(op.f_)) {}
    void gather(internal::basic_branch_list<Traits>& list) { inner_.gather(list); }
    bool has(const internal::basic_leaf<Traits>* leaf) const { return inner_.has(leaf); }
    auto& only() noexcept
      requires requires(typename Op::template plan<Traits>& inner) { inner.only(); }
    {
      return inner_.only();
    }
    [[nodiscard]] result<value_type> take(const internal::basic_leaf<Traits>* leaf) {
      auto value = inner_.take(leaf);
      if (!value) return std::unexpected(value.error());
      if constexpr (std::is_void_v<value_of<Op>>) {
        return call([this]() -> decltype(auto) { return f_(); });
      } else {
        return call([&]() -> decltype(auto) { return f_(*std::move(value)); });
      }
    }

   private:
    template <class Call>
    [[nodiscard]] static result<value_type> call(Call f) {
      if constexpr (std::is_void_v<raw>) {
        f();
        return {};
      } else {
        return f();
      }
    }
    typename Op::template plan<Traits> inner_;
    F f_;
  };

 private:
  Op op_;
  F f_;
};

template <performable Op, class F>
wrap_op<Op, std::decay_t<F>> wrap(Op op, F&& f) {
  return {std::move(op), std::forward<F>(f)};
}

/// One of several ops, of one value type.
template <bool Biased, performable First, performable... Ops>
class choice_op {
 public:
  using value_type = value_of<First>;
  static_assert((std::same_as<value_type, value_of<Ops>> && ...),
                "the ops of a choice have one value type: wrap the others");
  explicit choice_op(First first, Ops... ops) : ops_(std::move(first), std::move(ops)...) {}

  template <class Traits>
  class plan {
    using leaf = internal::basic_leaf<Traits>;

   public:
    explicit plan(choice_op op) : plan(op.ops_, std::index_sequence_for<First, Ops...>{}) {}

    void gather(internal::basic_branch_list<Traits>& list) {
      auto& here = Biased ? in_order_.inner : list;
      std::apply([&](auto&... p) { (p.gather(here), ...); }, plans_);
      if (Biased) list.append(in_order_);
    }
    bool has(const leaf* chosen) const {
      return std::apply([&](const auto&... p) { return (p.has(chosen) || ...); }, plans_);
    }
    [[nodiscard]] result<value_type> take(const leaf* chosen) { return take_from<0>(chosen); }

   private:
    struct group final : internal::basic_group<Traits> {};

    template <std::size_t... I>
    plan(std::tuple<First, Ops...>& ops, std::index_sequence<I...> /*all*/)
        : plans_(std::get<I>(std::move(ops))...) {}

    template <std::size_t I>
    [[nodiscard]] result<value_type> take_from(const leaf* chosen) {
      auto& p = std::get<I>(plans_);
      if constexpr (I == sizeof...(Ops)) {
        return p.take(chosen);
      } else {
        return p.has(chosen) ? p.take(chosen) : take_from<I + 1>(chosen);
      }
    }

    std::tuple<typename First::template plan<Traits>, typename Ops::template plan<Traits>...>
        plans_;
    group in_order_;
  };

 private:
  std::tuple<First, Ops...> ops_;
};

/// One of the ops of a range, whose number is known only now. Empty, it never commits.
template <performable Op>
class choice_of_range_op {
 public:
  using value_type = value_of<Op>;
  explicit choice_of_range_op(std::vector<Op> ops) : ops_(std::move(ops)) {}

  template <class Traits>
  class plan {
    using leaf = internal::basic_leaf<Traits>;
    using inner = typename Op::template plan<Traits>;
    static_assert(alignof(inner) <= alignof(std::max_align_t));

   public:
    // Delegates, so that what is made is destroyed if the next op's move throws.
    explicit plan(choice_of_range_op op) : plan(op.ops_.size()) {
      if (plans_ == nullptr) return;
      for (Op& each : op.ops_) {
        std::construct_at(plans_ + count_, std::move(each));
        ++count_;
      }
    }
    plan(const plan&) = delete;
    plan& operator=(const plan&) = delete;
    ~plan() {
      std::destroy_n(plans_, count_);
      os::deallocate(plans_);
    }

    void gather(internal::basic_branch_list<Traits>& list) {
      if (plans_ == nullptr) list.append(no_memory_);
      for (std::size_t i = 0; i < count_; ++i) plans_[i].gather(list);
    }
    bool has(const leaf* chosen) const { return find(chosen) != count_; }
    [[nodiscard]] result<value_type> take(const leaf* chosen) {
      return plans_[find(chosen)].take(chosen);
    }

   private:
    explicit plan(std::size_t count)
        : plans_(static_cast<inner*>(os::allocate(count * sizeof(inner)))) {}

    /// Fails the perform.
    struct failing final : internal::basic_group<Traits> {
      bool looks_ready() const noexcept override { return true; }
      internal::progress attempt(internal::basic_performer<Traits>& who) override {
        who.fail_with({errc::no_memory, "choice", "no memory for the ops of a range"});
        return internal::progress::failed;
      }
    };
    std::size_t find(const leaf* chosen) const {
      std::size_t i = 0;
      while (i < count_ && !plans_[i].has(chosen)) ++i;
      return i;
    }

    inner* plans_;
    std::size_t count_ = 0;
    failing no_memory_;
  };

 private:
  std::vector<Op> ops_;
};

/// Any of the ops that are ready, each with the same probability (O-13); else the first that gets
/// ready. Nested choices count as if their ops stood here.
template <performable First, performable... Ops>
choice_op<false, First, Ops...> choice(First first, Ops... ops) {
  return choice_op<false, First, Ops...>(std::move(first), std::move(ops)...);
}
/// Allocates: the vector here, and when it is performed one block before it waits (no_memory).
template <class Range>
  requires performable<internal::element_of<Range>>
choice_of_range_op<internal::element_of<Range>> choice(Range&& range) {
  using op = internal::element_of<Range>;
  return choice_of_range_op<op>(internal::vector_of(
      std::forward<Range>(range), [](std::size_t /*index*/, op each) { return each; }));
}
/// The first of the ops that is ready; else the first that gets ready. One arm of an outer choice.
template <performable First, performable... Ops>
choice_op<true, First, Ops...> choice_biased(First first, Ops... ops) {
  return choice_op<true, First, Ops...>(std::move(first), std::move(ops)...);
}
/// The index of the op that committed; its value is dropped.
template <performable... Ops>
auto first_ready(Ops... ops) {
  std::size_t index = 0;
  // Braces: from left to right.
  auto numbered = std::tuple{wrap(std::move(ops), [i = index++](auto&&...) { return i; })...};
  return std::apply([](auto&&... each) { return choice(std::move(each)...); }, std::move(numbered));
}

}  // namespace bast::inline BAST_ABI
