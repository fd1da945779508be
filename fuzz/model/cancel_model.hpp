// SPDX-License-Identifier: Apache-2.0
//
// The laws C-1 .. C-19 for a cancellation program: nodes, marks and callbacks in plain vectors,
// searched linearly. It knows nothing of lists, locks or memory; its only input is whether an
// allocation succeeded.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <set>
#include <vector>

#include "bast/cancel.hpp"
#include "model/cancel_language.hpp"

namespace bast::model {

/// A reason; `origin` is a node's number in the model.
struct told {
  cancel_code code = cancel_code::requested;
  cancel_code cause = cancel_code::requested;
  int origin = -1;
  friend bool operator==(const told&, const told&) = default;
};

/// One run of a callback.
struct cancel_event {
  int place;
  told why;
  friend bool operator==(const cancel_event&, const cancel_event&) = default;
};

class cancel_model {
 public:
  static constexpr long model_never = std::numeric_limits<long>::max();

  struct node {
    int parent = -1;
    int tree = -1;  // its root's number
    bool shielded = false;
    bool marked = false;
    told why{};
    long deadline = model_never;
    unsigned refused = 0;
    std::array<int, 2> joins{-1, -1};  // the parts of a joined token
    // Of a root: the tree's time, and whether a source with a deadline is gone.
    long now = std::numeric_limits<long>::min();
    bool lost_sight = false;
  };

  /// Follows an operation. `allocations` are the results of those that the real one made, in order.
  void perform(const op& o, std::deque<bool> allocations);

  const node* source(std::size_t place) const { return at(sources_[place]); }
  const node* joined(std::size_t place) const { return at(joined_[place]); }
  bool has_callback(std::size_t place) const { return callbacks_[place] >= 0; }
  /// The earliest deadline of its own and its unshielded ancestors (C-14), or of its joined parts.
  long deadline_of(int number) const;
  /// The earliest deadline in effect of that source and of all below it; not known once
  /// `lost_sight`.
  long next_deadline(std::size_t place) const;
  bool lost_sight(std::size_t place) const;

  std::vector<cancel_event> events;  // of the latest operation
  std::vector<int> created;          // sources of the latest operation, by number
  int cancels_won = 0;               // of the latest operation's own cancel

  // Parts for a model that contains this one. `ran` may call all of them.

  /// Called with the place of each callback when it runs; performs the callback's action.
  std::function<void(int place, const told& why)> ran;
  /// The number of the node in that place, or -1.
  int number_of(std::size_t place) const { return sources_[place]; }
  int joined_number(std::size_t place) const { return joined_[place]; }
  const node* at(int number) const {
    return number >= 0 ? &nodes_[static_cast<std::size_t>(number)] : nullptr;
  }
  void make_source(std::size_t place, int parent, bool shielded);
  void drop(std::size_t place);
  void enlist(std::size_t place, int on, const cancel_plan& plan);
  void delist(std::size_t place);
  bool cancel(int n, const told& why);
  void set_shield(int n, bool on);
  void set_deadline(int n, long time);
  void advance(int n, long now);

 private:
  enum class phase { waiting, running, over };
  struct record {
    int place;  // or -1: it belongs to a joined token
    int on;     // node
    cancel_plan plan;
    int target;  // the joined node that it cancels
    phase state;
  };
  node& the(int number) { return nodes_[static_cast<std::size_t>(number)]; }

  bool allocated();
  void join(std::size_t place, const cancel_pair& of);
  using fresh = std::set<int>;  // nodes that one operation marked
  void mark(int n, const told& why, fresh& marked);
  void run_marked(int top, const fresh& marked);
  bool is_below(int number, int top) const;
  void run(std::size_t which);

  std::vector<node> nodes_;
  std::vector<record> records_;  // in the order of their registration
  // The contents of each place: the number of a node or record, or -1.
  std::vector<int> sources_ = std::vector<int>(cancel_places, -1);
  std::vector<int> joined_ = std::vector<int>(cancel_places, -1);
  std::vector<int> callbacks_ = std::vector<int>(cancel_places, -1);
  long clock_ = 0;
  std::deque<bool> allocations_;
};

}  // namespace bast::model
