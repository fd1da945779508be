// SPDX-License-Identifier: Apache-2.0
//
// One pool operation as a command of rapidcheck's state machines: pool_model gives the required
// result, pool_machine the actual one. Commands run on the test's thread and never on a coroutine:
// exceptions of assertions never pass through one.
#pragma once

#include <rapidcheck.h>
#include <rapidcheck/state.h>

#include <array>
#include <memory>
#include <ostream>
#include <string>

#include "model/pool_machine.hpp"
#include "model/pool_model.hpp"

namespace bast::model {

/// The system under test, and its history.
struct pool_under_test {
  explicit pool_under_test(const coro_pool_options& options) : machine(options, faults) {}

  fault_schedule faults{{}};
  pool_machine machine;
  std::array<std::size_t, pool_op_kinds> performed{};  // accepted operations
};

class pool_command : public rc::state::Command<pool_model, pool_under_test> {
 public:
  pool_command(const op& o, pool_law beyond) : op_(o), beyond_(beyond) {}

  void apply(pool_model& state) const override { state.follow(op_, state.expect(op_)); }

  void run(const pool_model& before, pool_under_test& under_test) const override {
    pool_machine& machine = under_test.machine;
    const answer wanted = before.expect(op_);
    const answer seen = machine.perform(op_);
    RC_ASSERT(to_text(seen) == to_text(wanted));
    RC_ASSERT(seen == wanted);
    const pool_model after = nextState(before);
    machine.compare(after);
    if (const char* const broken = beyond_(after)) machine.complain(broken);
    RC_ASSERT(machine.complaint() == "");
    if (seen.outer.done) ++under_test.performed[op_.kind];
  }

  void show(std::ostream& out) const override {
    // The line of the printed program, without its head.
    const std::string text = print({.ops = {op_}}, pool_language);
    const std::size_t line = text.find('\n', text.find("\noptions") + 1) + 1;
    out << text.substr(line, text.size() - line - 1);
  }

 private:
  op op_;
  pool_law beyond_;
};

using any_command = std::shared_ptr<const rc::state::Command<pool_model, pool_under_test>>;

/// Commands that fit the state: mostly an operation that its subject allows, often on a live
/// subject; the rest is arbitrary.
rc::Gen<any_command> commands_for(const pool_model& state, pool_law beyond);

/// Runs a random list of commands on a pool with these options, from its creation to its end.
/// Asserts.
void check_commands(std::uint16_t options, pool_law beyond);

}  // namespace bast::model
