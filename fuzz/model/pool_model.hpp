// SPDX-License-Identifier: Apache-2.0
//
// `pool_model`: a pool of coroutines by the laws F-1 .. F-18, in a few lines and without stacks. It
// gives the required result of every operation. A plain value: it can be copied, compared and
// discarded.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "model/pool_language.hpp"

namespace bast::model {

/// The result of one operation. `value` was yielded or taken.
struct reply {
  bool done = false;
  errc refused = errc::invalid;  // if not done
  int value = 0;

  static reply of(int value) { return {.done = true, .value = value}; }
  static reply refusal(errc kind) { return {.done = false, .refused = kind}; }
  friend bool operator==(const reply&, const reply&) = default;
};
std::string to_text(const reply& r);

/// Instead of a value: it finished; it rethrew; it yielded from an `inside`; nothing.
inline constexpr int finished_value = -1;
inline constexpr int thrown_value = -2;
inline constexpr int inside_value = -3;
inline constexpr int no_value = -4;

/// The result of an operation, and of the one that it performed inside a coroutine, if any.
struct answer {
  reply outer;
  std::optional<reply> inner;
  friend bool operator==(const answer&, const answer&) = default;
};
std::string to_text(const answer& a);

class pool_model {
 public:
  explicit pool_model(const coro_pool_options& options) : max_(options.max_coros) {}

  /// The required result of `o`, if nothing fails. Changes nothing.
  answer expect(const op& o) const;
  /// Follows the actual result. The caller refuses results that are never legal.
  void follow(const op& o, const answer& seen);
  /// Whether `o` may fail when memory or room is short.
  static bool may_lack(const op& o);

  // Comparable with a real pool at any time.
  coro_state state_of(std::size_t handle) const;
  int id_of(std::size_t handle) const { return handles_[handle]; }
  const char* name_of(std::size_t handle) const;
  int data_of(std::size_t handle) const;
  std::size_t count(coro_state state) const;
  std::size_t stacks() const;
  /// Bodies that began and whose locals are not destroyed yet.
  std::size_t bodies() const { return bodies_; }
  std::uint64_t swallowed() const { return swallowed_; }
  std::uint64_t abandoned() const { return abandoned_; }
  std::uint64_t unhandled() const { return unhandled_; }

 private:
  static constexpr int nobody = -1;
  struct coroutine {
    coro_state state = coro_state::ready;
    script does{};
    bool unstarted = false;  // made, and never resumed
    unsigned yielded = 0;
    bool has_outcome = false;
    const char* name = nullptr;
    int data = 0;
  };

  bool stale(std::size_t handle) const {
    return handles_[handle] == nobody || at(handle).state == coro_state::free;
  }
  const coroutine& at(std::size_t handle) const {
    return all_[static_cast<std::size_t>(handles_[handle])];
  }
  coroutine& at(std::size_t handle) { return all_[static_cast<std::size_t>(handles_[handle])]; }
  reply expect_one(const op& o) const;
  void follow_one(const op& o, const reply& seen);
  reply expect_run(std::size_t handle, const script& does, unsigned yielded) const;
  void ran(coroutine& c);
  void free(coroutine& c);
  void end(coroutine& c);

  std::size_t max_;
  std::vector<coroutine> all_;  // by id, in the order of acquisition
  std::array<int, subjects_max> handles_ = [] {
    std::array<int, subjects_max> none{};
    none.fill(nobody);
    return none;
  }();
  std::size_t bodies_ = 0;
  std::uint64_t swallowed_ = 0;
  std::uint64_t abandoned_ = 0;
  std::uint64_t unhandled_ = 0;
};

/// An additional law, to test whether a violation is found: null if it holds.
using pool_law = const char* (*)(const pool_model& state);
inline const char* no_further_law(const pool_model&) { return nullptr; }
/// A wrong law: three coroutines are never suspended while two are finished. A working harness
/// finds a violation.
const char* canary_law(const pool_model& state);

}  // namespace bast::model
