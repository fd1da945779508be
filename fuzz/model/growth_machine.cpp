// SPDX-License-Identifier: Apache-2.0
#include "model/growth_machine.hpp"

#include <algorithm>

#include "bast/testing/harness.hpp"
#include "model/target.hpp"

namespace bast::model {

namespace {

/// A hole would end the process here, as the pages are not near the stack pointer. A sanitizer's
/// view of frames that lie there does not matter.
[[gnu::no_sanitize_address]] void read_pages(const std::byte* low, const std::byte* high,
                                             std::size_t page) {
  for (; low < high; low += page) (void)*static_cast<const volatile std::byte*>(low);
}

}  // namespace

growth_machine::growth_machine(const coro_pool_options& options, fault_schedule& faults)
    : options_(options), faults_(faults) {
  for (fiber& f : fibers_) forget(f);
  make();
}

void growth_machine::forget(fiber& f) {
  f = fiber();
  f.number = static_cast<std::size_t>(&f - fibers_.data());
}

void growth_machine::make() {
  auto made = coro_pool::create(options_);
  if (made) {
    pool_.emplace(std::move(*made));
  } else if (!lacks() || made.error().operation() == nullptr) {
    complain("the pool could not be made");
  }
}

void growth_machine::end() {
  if (!pool_) return;
  check();
  pool_.reset();
  for (fiber& f : fibers_) {
    const bool unwound = BAST_EXCEPTIONS != 0;
    if (unwound && f.frames != 0) complain("G6: a frame outlived its pool");
    forget(f);
  }
  known_depth_ = 0;
  known_uses_ = 0;
}

void growth_machine::restart() {
  end();
  faults_.clear_up();
  make();
}

void growth_machine::perform(const op& o) {
  fiber& f = fibers_[o.who];
  switch (static_cast<growth_op>(o.kind)) {
    case growth_op::spawn: spawn(f); break;
    case growth_op::unwind: release(f, true); break;
    case growth_op::abandon: release(f, false); break;
    case growth_op::probe: probe(f); break;
    case growth_op::hop:
      if (!lacks()) hop(o.value);
      break;
    case growth_op::shrink: (void)pool_->shrink(); break;
    case growth_op::fault: faults_.spoil(o.value); break;
    case growth_op::mend: faults_.mend(); break;
    case growth_op::budget: faults_.tighten(pool_->budget(), o.value); break;
    case growth_op::restart: restart(); return;
    case growth_op::check: check(); break;
    default: command_to(f, o); break;
  }
  look_at(f);
}

void growth_machine::spawn(fiber& f) {
  if (f.stack != nullptr) return;
  auto got = pool_->acquire<int, command, int>();
  if (!got) {
    if (!lacks()) complain("acquire failed");
    return;
  }
  f.coroutine = got->detach();
  const auto step = f.coroutine.start("growth", [this, &f](commands& out) { return body(f, out); });
  if (!step.failed()) return;
  if (!lacks()) complain("start failed");
  if (!f.coroutine.release()) complain("a coroutine that never ran was not released");
  forget(f);
}

void growth_machine::command_to(fiber& f, const op& o) {
  if (f.stack == nullptr) return;
  const auto step =
      f.coroutine.resume(command{.kind = static_cast<growth_op>(o.kind), .value = o.value});
  if (step.failed()) return complain("resume must not fail");
  if (step.finished()) release(f, true);
}

void growth_machine::release(fiber& f, bool unwinding) {
  if (f.stack == nullptr) return;
  const auto depth = static_cast<std::size_t>(f.stack->top - f.deepest);
  known_depth_ = std::max(known_depth_, depth);
  ++known_uses_;
  if (unwinding && f.coroutine.release()) {
    if (f.frames != 0) complain("G6: a frame was not unwound");
  } else if (!f.coroutine.release(abandon)) {
    complain("release failed");
  }
  forget(f);
}

/// G2, G4, without a kernel call.
void growth_machine::look_at(fiber& f) {
  if (f.stack == nullptr) return;
  const std::byte* const open_low = slab::of(*f.stack).open_low(*f.stack);
  if (f.open_low != nullptr && open_low > f.open_low) complain("G4: the open part shrank");
  if (f.deepest < open_low) complain("G2: bytes in use are not open");
  f.open_low = open_low;
}

/// G2, G3: asks the kernel.
void growth_machine::probe(const fiber& f) {
  if (f.stack == nullptr) return;
  const slab& home = slab::of(*f.stack);
  const stack_view view = find_stack(home.low(*f.stack));
  if (const char* const broken = test::broken_guard(view)) {
    complain(("G3: " + std::string(broken) + " is accessible").c_str());
  }
  read_pages(view.open_low, home.high(*f.stack), home.geometry.page);
}

void growth_machine::check() {
  pool_->check_invariants();
  std::size_t measured = 0;
  std::uint64_t uses = 0;
  pool_->for_each_site([&](const site_stats& s) {
    measured = std::max(measured, s.max.count);
    uses += s.uses;
  });
  if (uses != known_uses_) complain("G7: counted other than what was used");
  if (!options_.stack.measure) return;
  if (measured < known_depth_) complain("G7: measured less than what was used");
}

std::string growth_machine::seen() {
  std::string out = pool_ ? describe_pool(*pool_) : "no pool";
  for (const fiber& f : fibers_) {
    out += "; " + std::string(name_of(f.coroutine.state())) + " " + std::to_string(f.recursions) +
           " " + std::to_string(f.frames);
    if (f.stack == nullptr) continue;
    out += " " + std::to_string(f.stack->top - f.open_low);
  }
  return out;
}

}  // namespace bast::model
