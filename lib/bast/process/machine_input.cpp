// SPDX-License-Identifier: Apache-2.0
//
// The pipe to the standard input of a process. The host writes, because only it makes system calls;
// the machine waits until it can, and closes the pipe.
#include <cerrno>

#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

void process_machine::steer_input(slot& s) noexcept {
  input_stream& input = s.life.input;
  operation_record& io = s.operations[role::input];
  // Nobody whom this process supervises reads it any more.
  if (s.life.leader == leader_state::gone) input.ended = true;
  if (!input.open() && io.in_flight()) io.unwanted = true;
  if (input.awaited() && now_ >= input.retry_at) {
    s.operations.want(role::input, operation_kind::poll_to_write);
  }
}

void process_machine::input_completed(slot& s, std::int64_t status) noexcept {
  input_stream& input = s.life.input;
  if (status == 0 || status == -EINTR || status == -EAGAIN || status == -ECANCELED) return;
  if (status < 0 && input.tries < tries_max) {
    input.retry_at = retry_after(now_, input.tries);
    return;
  }
  // What cannot be polled for ever is told as if it were writable: the host's write has the error.
  input.wanted = false;
  input.tries = 0;
  s.life.progressed = true;
}

result<int> process_machine::input(process_id id) const noexcept {
  constexpr static_string operation = "process_machine.input";
  if (mark_.is_forked()) return failed_forked(operation);
  const slot* const s = find(id);
  if (s == nullptr) return fail(errc::stale_handle, operation, "the process has ended", id.slot);
  if (!s->life.input.open()) return fail(errc::closed, operation, "no pipe leads to its input");
  return s->life.input.fd;
}

result<void> process_machine::want_input(process_id id) noexcept {
  offered_ = nullptr;
  if (const auto open = input(id); !open) return std::unexpected(open.error());
  slot& s = *find(id);
  s.life.input.wanted = true;
  advance(s);
  return {};
}

result<void> process_machine::close_input(process_id id) noexcept {
  return close_pipes(id, "process_machine.close_input", false);
}

result<void> process_machine::hang_up(process_id id) noexcept {
  return close_pipes(id, "process_machine.hang_up", true);
}

result<void> process_machine::close_pipes(process_id id, static_string operation,
                                          bool outputs) noexcept {
  offered_ = nullptr;
  if (mark_.is_forked()) return failed_forked(operation);
  slot* const s = find(id);
  if (s == nullptr) return fail(errc::stale_handle, operation, "the process has ended", id.slot);
  s->life.input.ended = true;
  s->life.input.wanted = false;
  for (captured_stream& stream : s->life.streams) {
    if (outputs && stream.keeps_all()) stream.ended = true;
  }
  advance(*s);
  return {};
}

}  // namespace bast::inline BAST_ABI
