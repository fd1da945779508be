// SPDX-License-Identifier: Apache-2.0
#include "bast/process/driver.hpp"

#include <cerrno>
#include <utility>

namespace bast::inline BAST_ABI {

void process_driver::ring(void* self) noexcept {
  // An eventfd that cannot be written to is full: the loop will wake anyway.
  (void)os::set_event(static_cast<process_driver*>(self)->wake_.get());
}

process_driver* process_driver::of_this_thread() noexcept {
  for (ready_queue* each = ready_queue::latest(); each != nullptr; each = each->outer_) {
    if (each->hook_.wake == ring) return static_cast<process_driver*>(each->hook_.context);
  }
  return nullptr;
}

result<void> process_driver::check_owner(static_string operation) const noexcept {
  if (is_forked()) return internal::failed_forked(operation);
  if (ready_.is_of_this_thread()) return {};
  return fail(errc::wrong_thread, operation, "it belongs to another thread");
}

void process_driver::require_owner() const noexcept {
  BAST_CHECK(is_forked() || ready_.may_be_used_here(),
             "a process driver is used on a thread other than its own");
}

void process_driver::require_last_owner() const noexcept {
  if (is_forked()) return;
  BAST_CHECK(ready_.may_be_used_here(),
             "a process driver is destroyed by another thread while its own still runs");
  BAST_CHECK(!is_within_loop(), "a process driver is destroyed by code that its own loop called");
}

result<void> process_driver::has_room() const noexcept {
  if (auto mine = check_owner("process_driver.start"); !mine) return mine;
  return machine_->has_room();
}

result<internal::executor*> process_driver::continues() noexcept {
  if (auto mine = check_owner("process_driver.start"); !mine) return std::unexpected(mine.error());
  internal::executor* const scheduler = internal::this_thread.scheduler;
  return scheduler != nullptr ? scheduler : &ready_;
}

// Not inlined: stack analysis then finds the call through the pointer in one place only
// (tools/bast-stacks/code/annotations.txt).
[[gnu::noinline]] void process_driver::advance() noexcept { machine_changed(); }

template <class F>
auto process_driver::change(static_string operation, F f) noexcept -> decltype(f()) {
  if (auto mine = check_owner(operation); !mine) return std::unexpected(mine.error());
  machine_->tick(now());
  auto done = f();
  advance();
  return done;
}

result<process_id> process_driver::start(process_child&& child) noexcept {
  return change("process_driver.start", [&] {
    auto id =
        machine_->start({static_cast<const process_policy&>(child),
                         static_cast<const process_follower&>(child), child.pid, child.pidfd.get(),
                         child.output_pipe.get(), child.errors_pipe.get(), child.input_pipe.get()});
    if (!id) return id;
    // From here on the machine requests their close operations.
    process_child taken = std::move(child);
    for (os::descriptor* const given :
         {&taken.pidfd, &taken.output_pipe, &taken.errors_pipe, &taken.input_pipe}) {
      (void)given->release();
    }
    return id;
  });
}

result<void> process_driver::cancel(process_id id) noexcept {
  return change("process_driver.cancel", [&] { return machine_->cancel(id); });
}

result<std::size_t> process_driver::take(process_id id, output_stream which,
                                         std::span<std::byte> into) noexcept {
  return change("process_driver.take", [&] { return machine_->take(id, which, into); });
}

result<std::size_t> process_driver::write(process_id id,
                                          std::span<const std::byte> bytes) noexcept {
  constexpr static_string operation = "process_driver.write";
  if (auto mine = check_owner(operation); !mine) return std::unexpected(mine.error());
  const auto input = machine_->input(id);
  if (!input) return std::unexpected(input.error());
  auto written = os::write_some(*input, bytes);
  if (written || written.error() != errc::would_block) return written;
  const auto wanted = change(operation, [&] { return machine_->want_input(id); });
  if (!wanted) return std::unexpected(wanted.error());
  return 0;
}

result<void> process_driver::close_input(process_id id) noexcept {
  return change("process_driver.close_input", [&] { return machine_->close_input(id); });
}

result<void> process_driver::hang_up(process_id id) noexcept {
  return change("process_driver.hang_up", [&] { return machine_->hang_up(id); });
}

result<void> process_driver::signal(process_id id, int number) noexcept {
  constexpr static_string operation = "process_driver.signal";
  if (auto mine = check_owner(operation); !mine) return mine;
  const process_start* const started = machine_->find_start(id);
  if (started == nullptr || started->pidfd < 0) {
    return fail(errc::stale_handle, operation, "the process has ended");
  }
  auto sent = os::signal_process(started->pidfd, number);
  if (!sent && sent.error().error_number() == ESRCH) {
    return fail(errc::stale_handle, operation, "the process has ended");
  }
  return sent;
}

void process_driver::cancel_from_anywhere(process_id id) noexcept {
  if (machine_->request_cancel(id)) ring(this);
}

}  // namespace bast::inline BAST_ABI
