// SPDX-License-Identifier: Apache-2.0
//
// `scope_model`: what scopes must do, by laws S and C, as data: a tree of what can be cancelled,
// and of each scope its phase, its fibers, failures and defers. It knows no scheduler: its caller
// reports each step of each fiber in the order in which they happen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bast/scope.hpp"

namespace bast::model {

/// How code ended, or what a call returned, in a form that can be compared.
struct ending {
  enum class kind : std::uint8_t {
    value,
    failure,  // an error with a number
    cancelled,
    exception,
    stray,      // C-17
    timed_out,  // a limit
    other,      // an error of the library; `number` is its errc
  };
  kind how = kind::value;
  std::int64_t number = 0;

  friend bool operator==(const ending&, const ending&) = default;
};

class scope_model {
 public:
  using number = std::uint32_t;
  static constexpr number none = ~number{0};

  /// What can be cancelled: the runtime, a scope, its daemons, its defers, a limit, a binding.
  struct node {
    number above = none;  // whose cancellation reaches it
    bool is_cancelled = false;
    number origin = none;                       // where that began
    cancel_code code = cancel_code::requested;  // of the origin
    bool ends_with_all = true;                  // the end of the program cancels it
  };
  struct failed {
    ending how;
    number fiber = 0;  // the script
  };
  enum class phase : std::uint8_t { open, joining, finalizing, done };
  struct one_scope {
    number around = none;
    number owner = 0;  // the script
    number self = 0;   // nodes
    number daemons = none;
    number grace = none;
    bool supervise = false;
    bool has_grace = true;
    bool has_report = false;
    bool reports = false;
    bool is_closed = false;
    bool saw_cancelled = false;
    phase at = phase::open;
    int members = 0;
    int daemons_left = 0;
    std::vector<failed> failures;
    std::vector<number> defers;    // registered and not forgotten, the latest last
    std::vector<number> reported;  // scopes within, in the order of their ends
  };

  static constexpr number root = 0;
  scope_model() : nodes_(1) {}

  // --- nodes -------------------------------------------------------------------------------------

  /// C-16: born cancelled below a cancelled one. `above`: `none` if it is shielded, or nothing
  /// governs.
  number add_node(number above, bool ends_with_all);
  /// C-2: false if it was cancelled before.
  bool cancel(number which, cancel_code code = cancel_code::requested);
  bool is_cancelled(number which) const { return which != none && nodes_[which].is_cancelled; }
  /// C-15: by its own request, deadline or failure.
  bool has_cancelled_itself(number which) const {
    return is_cancelled(which) && nodes_[which].origin == which;
  }
  const node& at(number which) const { return nodes_[which]; }
  bool ends_with_all(number which) const { return which != none && nodes_[which].ends_with_all; }

  // --- scopes ------------------------------------------------------------------------------------

  /// False: it is refused, as the one around it was closed. The defers of a closed one open theirs.
  bool may_open(number around) const {
    return around == none || !scopes_[around].is_closed || scopes_[around].at == phase::finalizing;
  }
  /// `governs`: the node of the code that opens it.
  number open(number owner, number around, number governs, unsigned options);
  one_scope& scope_of(number which) { return scopes_[which]; }
  std::size_t scopes() const { return scopes_.size(); }
  /// S-2. `none`: the root.
  bool may_spawn(number into) const;
  /// The node that governs the fiber.
  number spawn(number into, bool is_daemon);
  void body_ended(number which, const ending& how);
  /// The outcome that its joiner sees: S-3.
  ending fiber_ended(number in, number who, bool is_daemon, const ending& how);
  /// The node that governs the defers, which run from here on.
  number finalize(number which);
  void defer_ended(number which, const ending& how);
  /// S-4
  scope_status status(number which) const;
  void close(number which);

  // --- complaints; empty if there is none --------------------------------------------------------

  /// `ids`: of the library, for each scope.
  std::string compare(number which, const scope_failure& got,
                      const std::vector<std::uint64_t>& ids) const;
  std::string compare(number which, const scope_report& got,
                      const std::vector<std::uint64_t>& ids) const;

 private:
  void fail(number which, const failed& why);

  std::vector<node> nodes_;
  std::vector<one_scope> scopes_;
};

#if BAST_EXCEPTIONS
struct scripted_exception {
  std::int64_t number;
};
#endif

/// The name of the fiber that runs a script.
const char* scope_script_name(std::uint32_t which);

ending ending_of(const error& why);
ending ending_of(const failure& why);

}  // namespace bast::model
