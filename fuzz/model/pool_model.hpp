// SPDX-License-Identifier: Apache-2.0
//
// `pool_model`: what a pool of coroutines is according to the laws F-1 .. F-18, in a few lines and
// without a stack. It says what the answer to every operation must be. A plain value: it can be
// copied, compared and thrown away.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "model/pool_language.hpp"

namespace bast::model {

/// What came of one operation. `value` is what was yielded or taken.
struct reply {
  bool done = false;
  errc refused = errc::invalid;  // when not done
  int value = 0;

  static reply of(int value) { return {.done = true, .value = value}; }
  static reply refusal(errc kind) { return {.done = false, .refused = kind}; }
  friend bool operator==(const reply&, const reply&) = default;
};
std::string to_text(const reply& r);

/// In place of a value: it finished; it rethrew; it yielded from an `inside`; nothing to tell.
inline constexpr int finished_value = -1;
inline constexpr int thrown_value = -2;
inline constexpr int inside_value = -3;
inline constexpr int no_value = -4;

/// The answer to an operation, and to the one that it performed inside a coroutine, if it did.
struct answer {
  reply outer;
  std::optional<reply> inner;
  friend bool operator==(const answer&, const answer&) = default;
};
std::string to_text(const answer& a);

class pool_model {
 public:
  explicit pool_model(const coro_pool_options& options) : max_(options.max_coros) {}

  /// What must come of `o`, were nothing to fail. Changes nothing.
  answer expect(const op& o) const;
  /// Takes over what did come of it. An answer that no run may give is the caller's to refuse.
  void follow(const op& o, const answer& seen);
  /// May `o` fail for want of memory or room, when there is too little of either?
  static bool may_lack(const op& o);

  // What can be compared with a real pool at any time.
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

/// One more law, for those who want to see whether a broken one is found: null when it holds.
using pool_law = const char* (*)(const pool_model& state);
inline const char* no_further_law(const pool_model&) { return nullptr; }
/// A wrong one: never are three coroutines suspended while two are finished. Whoever looks for bugs
/// must find that they can be.
const char* canary_law(const pool_model& state);

}  // namespace bast::model
