// SPDX-License-Identifier: Apache-2.0
//
// Runs the operations of `timers` on a real wheel and on the model, and compares them call by call:
// a round's deeds depend on what was handed out.
#pragma once

#include <array>
#include <string>

#include "bast/io.hpp"
#include "model/timers_model.hpp"

namespace bast::model {

class timers_machine {
 public:
  explicit timers_machine(std::uint64_t start);
  timers_machine(const timers_machine&) = delete;
  timers_machine& operator=(const timers_machine&) = delete;
  ~timers_machine();

  /// Performs an operation. Returns the first difference; empty if there is none.
  std::string perform(const op& o);
  /// The visible state: see lives.hpp.
  std::string seen() const;

 private:
  struct subject : bast::internal::timer {
    std::size_t place = 0;
    timers_deed deed{};
  };

  std::string arm(std::size_t who, std::uint64_t at);
  std::string disarm(std::size_t who);
  std::string step(std::uint64_t now, bool& found);
  std::string round(std::uint64_t now);
  std::string do_deed(const subject& handed_out);
  std::string compare() const;

  bast::internal::wheel wheel_;
  timers_model model_;
  std::array<subject, timers_places> subjects_;
  std::uint64_t last_given_[timers_places] = {};
  std::string handed_out_;
  bool exact_ = true;  // no timer was disarmed since the wheel was empty
};

}  // namespace bast::model
