// SPDX-License-Identifier: Apache-2.0
#include "model/command_harness.hpp"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "bast/process/image.hpp"
#include "bast/process/spawn.hpp"
#include "bast/testing/emulation.hpp"
#include "model/command_child.hpp"

namespace bast::model {

namespace {

// A little more than the limit of a string.
constexpr std::size_t string_bytes_max = 132 << 10;
// Far below execve's limit for the sum, which depends on the limits of this process.
constexpr std::size_t command_bytes_max = 1 << 20;
constexpr std::size_t our_entry_bytes_max = 1000;
constexpr std::size_t our_entries_max = 64;

/// True if the dynamic linker or the C library of the child would read it: programs must not set it
/// by chance.
bool is_dangerous(const std::string& name) {
  return name.starts_with("LD_") || name.starts_with("GLIBC_") || name.starts_with("MALLOC_");
}

strings strings_at(char* const* from) {
  strings all;
  for (; *from != nullptr; ++from) all.emplace_back(*from);
  return all;
}

bool same_file(const char* one, const char* other) {
  struct stat first{};
  struct stat second{};
  if (::stat(one, &first) != 0) return ::stat(other, &second) != 0;
  return ::stat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::string counted(const strings& all) {
  std::string text;
  for (const std::string& each : all) text += std::to_string(each.size()) + ":" + each;
  return text;
}

}  // namespace

our_environment::our_environment() : before_(environ) {
  entries_ = {"HOME=/", "PATH=/usr/bin:/bin", "A=1"};
  install();
}

our_environment::~our_environment() { environ = before_; }

void our_environment::add(std::string entry) {
  if (entries_.size() >= our_entries_max) return;
  entry.resize(std::min({entry.size(), entry.find('\0'), our_entry_bytes_max}));
  if (is_dangerous(entry)) return;
  entries_.push_back(std::move(entry));
  install();
}

void our_environment::clear() {
  entries_.clear();
  install();
}

void our_environment::install() {
  pointers_.clear();
  for (std::string& entry : entries_) pointers_.push_back(entry.data());
  pointers_.push_back(nullptr);
  environ = pointers_.data();
}

// --- operations ----------------------------------------------------------------------------------

void command_harness::perform(const op& o) {
  std::optional<place>& at = places_[o.who];
  switch (static_cast<command_op>(o.kind)) {
    case command_op::program: make_program(at, o.value); break;
    case command_op::bytes:
      string_ += static_cast<char>(o.value);
      string_ += static_cast<char>(o.value >> 8);
      break;
    case command_op::repeat: {
      const std::string once = string_;
      for (int i = 0; i < o.value && string_.size() < string_bytes_max; ++i) string_ += once;
      break;
    }
    case command_op::ours: add_ours(o.value); break;
    case command_op::move:
      if (at && o.who != o.value) move(o.who, static_cast<std::uint8_t>(o.value));
      break;
    case command_op::start:
      if (at) start(*at);
      break;
    case command_op::fault: faults_.spoil(o.value); break;
    case command_op::mend: faults_.mend(); break;
    case command_op::check: return compare_all();
    default:
      if (at && at->expected.size() + string_.size() < command_bytes_max) change(*at, o);
  }
  if (at) compare(*at);
}

void command_harness::make_program(std::optional<place>& at, std::uint16_t value) {
  const program_choice chosen = program_choice::of(value);
  const std::size_t number = chosen.program % command_fixture::programs;
  const auto [text, safe] = fixture_.program(number, string_);
  if (!safe) string_.clear();
  const bool is_shell = number == command_fixture::shell;
  at.emplace(is_shell ? command::shell(text) : command::argv({text}), command_model(), chosen,
             safe);
  command_model& expected = at->expected;
  expected.arg(is_shell ? "/bin/sh" : text);
  if (is_shell) {
    expected.arg("-c");
    expected.arg(text);
    return;
  }
  const auto step = [&](bool wanted, const char* name) {
    if (!wanted) return;
    at->real.arg(name);
    expected.arg(name);
  };
  step(chosen.tells_cwd, "cwd");
  step(chosen.tells_environment, "env");
  step(chosen.copies_input, "cat");
  step(true, "argv");
}

void command_harness::change(place& at, const op& o) {
  std::string name = o.value == name_in_hand ? "" : command_fixture::name(o.value);
  switch (static_cast<command_op>(o.kind)) {
    case command_op::argument: {
      const std::string argument = take_string();
      at.real.arg(argument);
      return at.expected.arg(argument);
    }
    case command_op::env: {
      if (o.value == name_in_hand) {
        name = string_.substr(0, string_.size() / 2);
        string_.erase(0, name.size());
      }
      const std::string value = take_string();
      at.safe &= !is_dangerous(name);
      at.real.env(name, value);
      return at.expected.env(name, value);
    }
    case command_op::unset_env:
      if (o.value == name_in_hand) name = take_string();
      at.real.unset_env(name);
      return at.expected.unset_env(name);
    case command_op::clear_env: at.real.clear_env(); return at.expected.clear_env();
    case command_op::cwd: {
      const std::string directory = fixture_.directory(o.value, string_);
      at.real.cwd(directory);
      return at.expected.cwd(directory);
    }
    case command_op::path: {
      const std::string path = fixture_.search_path(o.value);
      at.real.env("PATH", path);
      return at.expected.env("PATH", path);
    }
    case command_op::stdin_is: {
      const std::string input = take_string();
      at.real.in(from::bytes{input});
      return at.expected.stdin_bytes(input);
    }
    default: return;
  }
}

void command_harness::add_ours(std::uint16_t value) {
  if (value == ours_emptied) return ours_.clear();
  std::string entry = take_string();
  if (value == ours_without_name) entry.insert(0, "=");
  if (value == ours_without_value) entry = "A";
  if (value < ours_without_name) entry.insert(0, command_fixture::name(value) + "=");
  ours_.add(std::move(entry));
}

void command_harness::move(std::uint8_t from, std::uint8_t to) {
  place& source = *places_[from];
  const bool was_usable = !source.expected.started() && !source.expected.problem();
  if (places_[to]) {
    *places_[to] = std::move(source);
  } else {
    places_[to].emplace(std::move(source));
  }
  // A moved-from command has nothing to run and fails.
  if (was_usable && source.real.verify().has_value()) complain("P-3: two commands came of one");
  if (internal::spawn(source.real)) complain("P-3: what was moved away was started");
  places_[from].reset();
  compare(*places_[to]);
}

// --- comparison ----------------------------------------------------------------------------------

void command_harness::compare(place& at) {
  const auto seen = at.real.verify();
  // Then the first failure is that of the setter without memory.
  if (faults_.is_rough() && !seen && seen.error() == errc::no_memory) at.expected.no_memory();
  const auto wanted = at.expected.problem();
  if (seen.has_value() != wanted.has_value() && (seen || seen.error() == *wanted)) {
    if (!wanted || at.real.started()) compare_image(at);
    return;
  }
  complain(seen ? "P-1: nothing is refused" : "P-1: refused: " + seen.error().message());
}

void command_harness::compare_image(place& at) {
  internal::image built;
  const auto done = built.build(internal::command_access::settings(at.real));
  if (!done && faults_.is_rough()) return;
  if (!built.has_strings()) return complain("P-1: no image: " + done.error().message());
  const strings& ours = ours_.entries();
  if (strings_at(built.arguments()) != at.expected.arguments()) complain("P-1: other arguments");
  if (strings_at(built.environment()) != at.expected.environment(ours)) {
    complain("P-2: another environment");
  }
  const auto program = at.expected.program(ours);
  if (done.has_value() != program.has_value()) {
    return complain(done ? "P-1: a program is found" : "P-1: " + done.error().message());
  }
  if (!done) {
    if (done.error().error_number() != program.error()) complain("P-8: another errno");
    return;
  }
  if (!same_file(built.program(), program->c_str())) complain("P-1: another program is found");
  if (at.expected.directory() && built.program()[0] != '/') {
    complain("P-2: the program is relative to the child's directory");
  }
}

void command_harness::compare_all() {
  for (auto& each : places_) {
    if (each) compare(*each);
  }
}

// --- starting ------------------------------------------------------------------------------------

void command_harness::start(place& at) {
  const auto refused = at.expected.problem();
  if (!refused && (!at.safe || starts_ == starts_max || test::emulated)) return;
  if (!refused) ++starts_;
  at.real.out(to::pipe{}).err(to::null{});
  const auto child = internal::spawn(at.real);
  const spawn_failure seen = at.real.failure();
  if (refused) {
    if (child || child.error() != *refused) complain("P-3: it is not refused");
    if (!at.expected.started() && seen.stage != spawn_stage::prepare) complain("P-8: the stage");
    return;
  }
  const spawn_failure wanted = at.expected.failure(ours_.entries());
  if (!child) return compare_failure(at, child.error(), wanted);
  at.expected.start();
  const child_report told = follow(*child);
  if (wanted.stage != spawn_stage::none) {
    return complain("P-8: what cannot start did: " + std::string(name_of(wanted.stage)));
  }
  if (!at.real.started()) complain("P-3: a command that runs was not started");
  if (!told.ended_well) complain("P-8: the child did not end as it should");
  if (told.output != report_of(at)) complain("P-1: the child reports something else");
}

void command_harness::compare_failure(place& at, const error& seen, const spawn_failure& wanted) {
  if (at.real.started()) complain("P-9: a start that failed started");
  if (faults_.is_rough()) return;
  const spawn_failure& told = at.real.failure();
  if (told.stage != wanted.stage || told.error_number != wanted.error_number ||
      seen.error_number() != wanted.error_number) {
    complain("P-8: not " + std::string(name_of(wanted.stage)) + " with " +
             std::to_string(wanted.error_number) + ": " + seen.message());
  }
}

/// What the child must write.
std::string command_harness::report_of(const place& at) const {
  std::string text;
  if (at.chosen.tells_cwd) {
    const auto here = std::filesystem::canonical(at.expected.directory().value_or("."));
    text += here.string() + "\n";
  }
  if (at.chosen.tells_environment) text += counted(at.expected.environment(ours_.entries()));
  if (at.chosen.copies_input) text += at.expected.input();
  return text + counted(at.expected.arguments());
}

}  // namespace bast::model
