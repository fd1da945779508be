// SPDX-License-Identifier: Apache-2.0
//
// `fault_schedule`: the kernel failures of a program. They are chosen by the program's own `fault`
// operations or by its runner: the fault loops fail one call after the other.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>

#include "bast/os.hpp"
#include "bast/stack.hpp"

namespace bast::model {

class fault_schedule {
 public:
  /// With a plan, that applies to the whole run, and the program's own operations are ignored.
  explicit fault_schedule(const std::optional<os::fault_plan>& imposed)
      : imposed_(imposed.has_value()) {
    if (imposed) scope_.emplace(*imposed);
    was_rough_ = imposed_;
  }

  /// From here on the call that `value` chooses fails: its number from 1 to 128, then whether all
  /// later ones do, then with which errno.
  void spoil(std::uint16_t value) {
    if (imposed_) return;
    scope_.reset();
    was_rough_ = true;
    scope_.emplace(os::fault_plan{.kind = os::call::any,
                                  .nth = (value & 127U) + 1,
                                  .persistent = (value & 128) != 0,
                                  .error_number = (value & 256) != 0 ? EINVAL : ENOMEM});
  }
  void mend() {
    if (!imposed_) scope_.reset();
  }
  /// From here on `budget` has `pages` - 1 pages left; 0: no limit.
  void tighten(stack_budget& budget, std::uint16_t pages) {
    tight_ = pages != 0;
    was_rough_ |= tight_;
    const std::size_t more = tight_ ? (pages - 1U) * os::page_bytes() : 0;
    budget.set_limit(tight_ ? bytes{budget.open().count + more} : unlimited_bytes);
  }
  /// A new pool begins: without a limit, and without failures by the program.
  void clear_up() {
    tight_ = false;
    mend();
  }
  /// Ends all failures, of either origin. The counts stay.
  void end() {
    if (!scope_) return;
    seen_ = scope_->seen();
    injected_ = scope_->injected();
    scope_.reset();
  }
  /// The same, and tells a run_result of them.
  template <class Result>
  void end(Result& out) {
    end();
    out.calls = seen();
    out.injected = injected();
    out.rough = was_rough();
  }
  /// True while memory or room may be short.
  bool is_rough() const { return scope_.has_value() || tight_; }
  /// The same for any time since the beginning.
  bool was_rough() const { return was_rough_; }
  std::uint64_t seen() const { return scope_ ? scope_->seen() : seen_; }
  std::uint64_t injected() const { return scope_ ? scope_->injected() : injected_; }

 private:
  bool imposed_;
  bool tight_ = false;
  bool was_rough_ = false;
  std::optional<os::fault_scope> scope_;
  std::uint64_t seen_ = 0;
  std::uint64_t injected_ = 0;
};

}  // namespace bast::model
