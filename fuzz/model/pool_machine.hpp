// SPDX-License-Identifier: Apache-2.0
//
// `pool_machine`: performs pool operations on a real pool and returns their results.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "model/fault_schedule.hpp"
#include "model/pool_language.hpp"
#include "model/pool_model.hpp"

namespace bast::model {

class pool_machine {
 public:
  using handle = coro_ref<int, int, int>;

  pool_machine(const coro_pool_options& options, fault_schedule& faults);
  ~pool_machine() { end(); }
  pool_machine(const pool_machine&) = delete;
  pool_machine& operator=(const pool_machine&) = delete;

  /// False if the pool could not be created; `complaint` is set if that is an error.
  bool ready() const { return pool_.has_value(); }
  answer perform(const op& o);
  /// Compares the visible state of the pool with the model. Cheap.
  void compare(const pool_model& expected);
  /// The part of it that concerns the handles, without the counts of earlier events.
  void compare_handles(const pool_model& expected);
  /// Releases every coroutine, those without a handle too, and forgets the handles: for the next
  /// program the pool is like new, except for its counts and its memory.
  void release_everything();
  /// Requires ready().
  coro_pool& pool() { return *pool_; }
  /// True while the pool may lack memory or room.
  bool lacks() const { return faults_.is_rough(); }
  /// Destroys the pool.
  void end();

  const std::string& complaint() const { return complaint_; }
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = what;
  }

 private:
  class body;  // a coroutine's outermost local
  friend class body;

  bool make();
  reply perform_one(const op& o);
  reply acquire(std::size_t who);
  reply start(std::size_t who, std::uint16_t value);
  reply make(std::size_t who, std::uint16_t value);
  reply resume(std::size_t who, int value);
  reply take(std::size_t who);
  reply elsewhere(std::size_t who, std::uint16_t value);
  reply wrong_pool(std::size_t who);
  void restart();
  int run_body(const script& does, int id, yielder<int, int>& out);
  int use_stack(const script& does, int id, yielder<int, int>& out, std::size_t depth);
  int play(const script& does, int id, yielder<int, int>& out);
  void yield_in_play(int value, yielder<int, int>& out);
  reply describe(const step<int>& came);
  template <class T>
  reply describe(const result<T>& came);

  coro_pool_options options_;
  fault_schedule& faults_;
  std::optional<coro_pool> pool_;
  std::optional<coro_pool> other_pool_;
  std::array<handle, subjects_max> handles_;
  std::array<int, subjects_max> ids_{};
  std::vector<handle> acquired_;  // since the pool was made, or everything was released
  int next_id_ = 0;

  // Between a resume and the body that it wakes.
  int handed_ = 0;
  std::optional<op> to_perform_inside_;
  std::optional<reply> performed_inside_;

  std::size_t bodies_ = 0;
  std::size_t taken_by_sink_ = 0;
  int last_unwound_ = -1;  // while the pool dies: F-17
  bool dying_ = false;
  std::string complaint_;
};

}  // namespace bast::model
