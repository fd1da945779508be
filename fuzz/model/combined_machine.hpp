// SPDX-License-Identifier: Apache-2.0
//
// `combined_machine`: performs the operations of `combined` on a real pool, real cancel sources and
// a real process driver in a simulated world, and records the visible results.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "bast/cancel.hpp"
#include "bast/coro.hpp"
#include "model/combined_loop.hpp"
#include "model/combined_model.hpp"
#include "model/fault_schedule.hpp"

namespace bast::model {

class combined_machine {
 public:
  combined_machine(const combined_choice& chosen, fault_schedule& faults);
  combined_machine(const combined_machine&) = delete;
  combined_machine& operator=(const combined_machine&) = delete;
  ~combined_machine() { end(); }

  /// False if pool or driver could not be created.
  bool ready() const { return pool_.has_value() && loop_.is_open(); }
  /// Performs an operation; returns which memory was available.
  combined_memory perform(const op& o);
  /// The first difference; empty if there is none.
  std::string compare(const combined_model& expected);
  /// Destroys everything: the pool first, with all that waits in it.
  void end();

  /// Adds the visible state: see lives.hpp.
  void trace(std::vector<std::string>& out);
  std::string complaint() const { return complaint_.empty() ? loop_.complaint() : complaint_; }

 private:
  using handle = coro_ref<int, int, int>;
  class body;
  struct function {
    combined_machine* machine;
    std::size_t place;
    combined_deed deed;
    void operator()(const cancel_reason& why) noexcept;
  };
  using callback = cancel_callback<function>;
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = what;
  }
  void say(std::string what) { notes_.main.push_back(std::move(what)); }
  bool lacks(const error& e);
  bool make_pool();
  void make_driver();
  void perform_one(const op& o);
  void make_source(std::size_t place, std::uint16_t value);
  void listen(std::size_t place, std::uint16_t value);
  void deafen(std::size_t place);
  std::string start(std::size_t place, std::uint16_t value);
  std::string resume(std::size_t place);
  std::string take(std::size_t place);
  std::string peek(std::size_t place);
  void tick();
  void restart();
  void reboot();
  void write(std::size_t place, const op& o);
  std::string heard(std::size_t callback_place, const cancel_reason& why);

  int run_body(std::size_t place, const combined_script& does, yielder<int, int>& out);
  int play(std::size_t place, const combined_script& does, yielder<int, int>& out);
  bool yield(int value, bool cancellable, yielder<int, int>& out);
  void run(std::size_t place);

  /// Of a result or a step that failed.
  template <class T>
  static std::string refusal(const T& came) {
    return refusal_text(came.error().kind());
  }
  std::string answer(const step<int>& came);
  std::string compare_notes(const combined_notes& expected) const;
  std::string compare_coros(const combined_model& expected) const;
  std::string compare_sources(const combined_model& expected) const;
  std::string compare_processes(const combined_model& expected) const;

  coro_pool_options options_;
  fault_schedule& faults_;
  combined_loop loop_;
  std::optional<coro_pool> pool_;
  std::array<handle, coro_places> coros_;
  std::array<bool, coro_places> held_{};
  std::array<std::optional<cancel_source>, subjects_max> sources_;
  std::array<cancel_token, coro_places> own_tokens_;  // of the command that each runs
  std::array<std::unique_ptr<callback>, coro_places> callbacks_;
  std::array<combined_order, coro_places> orders_;
  std::unordered_map<std::uint64_t, int> numbers_;  // of sources, by id
  int next_number_ = 0;
  long clock_ = 0;
  std::optional<op> to_perform_inside_;
  const combined_loop::followed* wrote_ = nullptr;  // in the latest operation
  std::size_t wrote_to_ = 0;                        // the stream
  combined_memory memory_;
  combined_notes notes_;
  std::size_t sunk_ = 0;    // exceptions that the pool's sink took
  std::size_t bodies_ = 0;  // started, with live locals
  std::size_t leaked_ = 0;  // of them, abandoned ones
  std::string complaint_;
};

}  // namespace bast::model
