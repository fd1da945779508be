// SPDX-License-Identifier: Apache-2.0
//
// `scope_op`: an arm of a choice that has fibers of its own.
//
//   const auto first = bast::perform(bast::choice(
//       cache.receive(),
//       bast::scope_op([&](bast::scope& s) {
//         auto page = std::make_shared<bast::fiber<page>>(s.spawn(fetch).value());
//         return bast::guard([page] { return page->joined(); });
//       })));
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/scope/scope.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// The scope of one perform, which its fiber is not in.
class arm_scope {
 public:
  explicit arm_scope(const scope_options& options) noexcept : core_(options), handle_(core_) {}
  /// Errors: as of run_scope.
  [[nodiscard]] result<void> open() noexcept { return core_.begin_beside(); }
  scope& handle() noexcept { return handle_; }
  /// Returns when all that is in it has ended. Errors: those of a scope that failed.
  [[nodiscard]] result<void> finish(bool has_lost) noexcept;

 private:
  scope_core core_;
  scope handle_;
};

template <class Build>
struct scope_source {
  using built = typename unwrapped<std::invoke_result_t<Build&, scope&>>::type;
  using value = value_of<built>;
  static auto with_end(built op, const scope& s) {
    return choice(std::move(op), wrap(s.not_ok(), [token = s.token()]() -> result<value> {
                    return std::unexpected(token.check("scope_op").error());
                  }));
  }
  using op = decltype(with_end(std::declval<built>(), std::declval<const scope&>()));

  [[nodiscard]] result<op> make() {
    if (auto may = scope_core::check_fiber("scope_op"); !may) return std::unexpected(may.error());
    auto* const made = os::make<arm_scope>(options);
    if (made == nullptr) return fail(errc::no_memory, "scope_op", "no memory for the scope");
    if (auto opened = made->open(); !opened) {
      os::destroy(made);
      return std::unexpected(opened.error());
    }
    mine.emplace(made);
    result<built> inner = build(made->handle());
    if (!inner) return std::unexpected(inner.error());
    return with_end(std::move(*inner), made->handle());
  }
  void lost() noexcept { end(true); }
  void committed() noexcept { end(false); }
  /// After its end.
  [[nodiscard]] const result<void>& status() const noexcept { return ended; }

  Build build;
  scope_options options;
  of_one_perform<arm_scope*> mine = {};
  result<void> ended = {};

 private:
  void end(bool has_lost) noexcept {
    if (!mine) return;
    ended = (*mine)->finish(has_lost);
    os::destroy(*mine);
    mine.reset();
  }
};

}  // namespace internal

/// `build(scope&)` spawns what the arm needs and makes the op that it waits for, once in each
/// perform, when the arm is first tried; it may not wait. If the arm commits, its scope is awaited
/// before the value is returned; if it loses, the scope is cancelled and awaited before perform
/// returns (O-15). Its grace bounds the defers, and nothing bounds fibers that take no notice. A
/// scope that fails or is cancelled commits the arm with that error; one that fails later replaces
/// the value. Only in a fiber. Allocates. Errors of the perform also: those of run_scope.
template <class Build>
auto scope_op(Build build, const scope_options& options = {}) {
  return internal::lazy_op(
      internal::scope_source<Build>{.build = std::move(build), .options = options});
}

}  // namespace bast::inline BAST_ABI
