// SPDX-License-Identifier: Apache-2.0
//
// `command_harness`: real commands beside their models. After each operation the resulting execve
// is compared with the model; a started child must report the same about itself.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/command_fixture.hpp"
#include "model/command_language.hpp"
#include "model/command_model.hpp"
#include "model/fault_schedule.hpp"

namespace bast::model {

/// Replaces the environment of this process while it exists. Not thread-safe.
class our_environment {
 public:
  our_environment();
  our_environment(const our_environment&) = delete;
  our_environment& operator=(const our_environment&) = delete;
  ~our_environment();

  /// Entries may be anything: without a name, without '=', duplicates.
  void add(std::string entry);
  void clear();
  const strings& entries() const { return entries_; }

 private:
  void install();
  strings entries_;
  std::vector<char*> pointers_;
  char** before_;
};

class command_harness {
 public:
  explicit command_harness(fault_schedule& faults) : faults_(faults) {}

  void perform(const op& o);
  /// Compares the execve of every place.
  void compare_all();
  const std::string& complaint() const { return complaint_; }
  /// The visible state of that place: see lives.hpp.
  std::string seen(std::size_t at) const {
    if (!places_[at]) return "nothing";
    const command& real = places_[at]->real;
    const auto checked = real.verify();
    const spawn_failure& failure = real.failure();
    return std::string(real.started() ? "started " : "") + name_of(failure.stage) + " " +
           std::to_string(failure.error_number) + " " + (checked ? "" : checked.error().message());
  }

 private:
  struct place {
    command real;
    command_model expected;
    program_choice chosen;
    bool safe = true;  // to execute
  };

  void complain(std::string what) {
    if (complaint_.empty()) complaint_ = std::move(what);
  }
  void make_program(std::optional<place>& at, std::uint16_t value);
  void change(place& at, const op& o);
  void add_ours(std::uint16_t value);
  void move(std::uint8_t from, std::uint8_t to);
  void compare(place& at);
  void compare_image(place& at);
  void start(place& at);
  void compare_failure(place& at, const error& seen, const spawn_failure& wanted);
  std::string report_of(const place& at) const;

  std::string take_string() { return std::exchange(string_, {}); }

  fault_schedule& faults_;
  const command_fixture& fixture_ = command_fixture::get();
  our_environment ours_;
  std::string string_;  // in hand
  std::array<std::optional<place>, subjects_max> places_;
  int starts_ = 0;
  std::string complaint_;
};

}  // namespace bast::model
