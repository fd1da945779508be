// SPDX-License-Identifier: Apache-2.0
//
// `combined_model`: the required results of a `combined` program, by the laws of four layers at
// once: the results of each coroutine and its end (F-1 .. F-17), which callbacks run, in which
// order (C-4 .. C-11), the end of each process and what remains of it (P-11 .. P-16). Its only
// input is which memory was not available.
//
// Abandoning a coroutine leaks the user's objects on its stack, and ends the library's links there
// (F-12): its binding's hook no longer runs, and the process that it waited for is asked to end, as
// by unwinding.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "model/cancel_model.hpp"
#include "model/combined_child.hpp"

namespace bast::model {

/// The memory that the real objects got during one operation, by place where that matters:
/// processes end in any order.
struct combined_memory {
  bool made = true;      // the source or coroutine
  bool read_all = true;  // the bytes written
  std::array<std::deque<bool>, coro_places> ran;
  std::array<std::deque<std::array<bool, 2>>, coro_places> lacked;  // streams, at each end
};

/// The visible results. `main` has results, callbacks and unwindings in order; each coroutine has
/// its own.
struct combined_notes {
  std::vector<std::string> main;
  std::array<std::vector<std::string>, coro_places> coros;
};

class combined_model {
 public:
  explicit combined_model(const coro_pool_options& pool);
  combined_model(const combined_model&) = delete;
  combined_model& operator=(const combined_model&) = delete;
  ~combined_model() = default;

  /// False for operations that would create too many processes.
  bool permits(const op& o) const;
  /// Follows an operation, until nothing more happens spontaneously.
  void perform(const op& o, combined_memory memory);

  combined_notes notes;  // of the latest operation
  // Visible at any time.
  coro_state state_of(std::size_t place) const { return coros_[place].state; }
  std::size_t count(coro_state state) const;
  const cancel_model& cancellation() const { return cancel_; }
  /// In the order of their starts.
  const std::vector<std::size_t>& children_of(std::size_t place) const { return by_owner_[place]; }
  const std::deque<combined_child>& children() const { return children_; }
  std::size_t live_children() const;
  bool hears(std::size_t place) const { return cancel_.has_callback(place); }
  std::uint64_t swallowed() const { return swallowed_; }
  std::uint64_t abandoned() const { return abandoned_; }
  std::uint64_t unhandled() const { return unhandled_; }
  /// Since the driver was created.
  std::uint64_t started() const { return started_; }

 private:
  static constexpr int nobody = -1;
  struct coroutine {
    coro_state state = coro_state::free;
    combined_script does{};
    int bound = nobody;       // node
    int own_token = nobody;   // node, of the process that it waits for
    int waits_for = nobody;   // child
    unsigned yielded = 0;     // since its latest process
    unsigned handed_out = 0;  // values, ever
    unsigned processes = 0;
    std::string latest = {};  // its latest yielded value
    bool has_outcome = false;
    bool stopped = false;  // at a checkpoint
    std::uint64_t sequence = 0;
  };

  bool permits_one(const op& o) const;
  bool is_marked(int node) const { return node >= 0 && cancel_.at(node)->marked; }
  void say(std::string what) { notes.main.push_back(std::move(what)); }
  void perform_one(const op& o);
  void listen(std::size_t place, std::uint16_t value);
  void heard(int place, const told& why);
  std::string start(std::size_t place, std::uint16_t value);
  std::string resume(std::size_t place, const op* inner = nullptr);
  std::string go_on(std::size_t place);
  bool run(std::size_t place);
  std::string take(std::size_t place);
  std::string peek(std::size_t place) const;
  std::string release(std::size_t place, bool abandoning);
  void finish(std::size_t place);
  void end_what_is_linked(std::size_t place);
  void unwind(std::size_t place);
  void act(std::size_t place, const op& o);
  void tick();
  void settle(std::int64_t later_ns = 0);
  void restart();
  void reboot();

  std::size_t max_;
  cancel_model cancel_;
  std::array<combined_deed, coro_places> deeds_{};
  std::array<combined_order, coro_places> orders_;
  std::array<coroutine, coro_places> coros_;
  std::deque<combined_child> children_;
  std::array<std::vector<std::size_t>, coro_places> by_owner_;
  combined_memory memory_;
  std::uint64_t acquired_ = 0;
  std::uint64_t swallowed_ = 0;
  std::uint64_t abandoned_ = 0;
  std::uint64_t unhandled_ = 0;
  std::uint64_t started_ = 0;
  long clock_ = 0;
  bool shut_down_ = false;
};

/// "refused: ..." with the error's kind.
std::string refusal_text(errc kind);

}  // namespace bast::model
