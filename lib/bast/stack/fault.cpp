// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/fault.hpp"

#include <algorithm>
#include <atomic>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/stack/directory.hpp"
#include "bast/stack/report.hpp"
#include "bast/stack/site.hpp"

namespace bast::inline BAST_ABI {
namespace {

constinit std::atomic<overflow_hook> hook_in_force{nullptr};

std::uintptr_t address_of(const std::byte* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

void count_growth(slot& s) noexcept {
  const std::uint16_t grows = s.grows.load(std::memory_order_relaxed);
  if (grows != UINT16_MAX) s.grows.store(grows + 1, std::memory_order_relaxed);
  // Forces a measurement at the next release, because the stack is deeper than its window and must
  // be trimmed. The period shrinks with the countdown, so that the number of pending uses is
  // unchanged.
  const std::uint16_t left = s.countdown.load(std::memory_order_relaxed);
  s.period = static_cast<std::uint16_t>(s.period - left + 1);
  s.countdown.store(1, std::memory_order_relaxed);
}

/// Opens from the page of `target` up, and more if the doubling rule requires it and budgets allow.
slab::outcome grow(slab& home, slot& s, std::byte* target) noexcept {
  std::byte* const floor = home.low(s) + home.geometry.guard;
  BAST_ASSERT(target >= floor || BAST_MUTANT(guard_grows));
  std::byte* const old_low = home.open_low(s);
  const std::size_t offset =
      internal::round_down(static_cast<std::size_t>(target - floor), home.geometry.page);
  std::byte* const needed =
      floor + offset + (BAST_MUTANT(grow_one_page_short) ? home.geometry.page : 0);
  const auto room = static_cast<std::size_t>(old_low - floor);
  std::byte* const doubled = old_low - std::min(room, home.open_bytes(s));
  const bool just_what_is_needed =
      BAST_MUTANT(grow_one_page_short) || watch::every_page_is_a_growth();
  std::byte* const generous = just_what_is_needed ? needed : std::min(needed, doubled);
  slab::outcome done = home.open_down_to(s, generous);
  if (done != slab::outcome::opened && generous != needed) done = home.open_down_to(s, needed);
  if (done == slab::outcome::opened) count_growth(s);
  return done;
}

overflow_cause cause_of(slab::outcome refusal) noexcept {
  switch (refusal) {
    case slab::outcome::over_pool_budget: return overflow_cause::pool_budget;
    case slab::outcome::over_process_budget: return overflow_cause::process_budget;
    case slab::outcome::opened:
    case slab::outcome::refused: break;
  }
  return overflow_cause::kernel;
}

struct interrupted : arch::interrupted {
  std::uintptr_t fault = 0;
};

void note_depth(const slab& home, const slot& s, const interrupted& at) noexcept {
  watch::note_growth(home.owner->sites->entry_of(s.site), {.touched = at.fault,
                                                           .pc = at.pc,
                                                           .sp = at.sp,
                                                           .fp = at.fp,
                                                           .readable = address_of(home.open_low(s)),
                                                           .top = address_of(s.top)});
}

overflow_info describe(slab& home, slot& s, const interrupted& at, overflow_cause cause) noexcept {
  const std::uintptr_t deepest = std::min(at.fault, at.sp);
  const std::uintptr_t top = address_of(home.high(s));
  return {.cause = cause,
          .name = s.state == slot_state::live ? s.name : nullptr,
          .site = (*home.owner->sites)[s.site].key,
          .fault_address = at.fault,
          .stack_pointer = at.sp,
          .program_counter = at.pc,
          .limit = {home.geometry.limit()},
          .open = {home.open_bytes(s)},
          .depth = {deepest < top ? top - deepest : 0},  // After a skipped guard it may be above.
          .grows = s.grows.load(std::memory_order_relaxed)};
}

void report(const overflow_info& info) noexcept {
  const overflow_hook hook = hook_in_force.load(std::memory_order_relaxed);
  if (hook != nullptr) hook(info);
  write_overflow_report(info);
}

/// Records it in the registry: this stack is never released and measured.
void overflow(slab& home, slot& s, const interrupted& at, overflow_cause cause) noexcept {
  // After a skipped guard the stack pointer is in another stack and tells nothing about this depth.
  if (cause != overflow_cause::guard_skipped) note_depth(home, s, at);
  watch::note_overflow(home.owner->sites->entry_of(s.site));
  report(describe(home, s, at, cause));
}

/// A signal arrived whose handler runs on the interrupted stack (no SA_ONSTACK), but its frame did
/// not fit. The kernel sends SIGSEGV without an address instead, and the first signal is lost.
/// Nothing can be saved, but the reader of the core file should know.
void explain_lost_signal(slab& home, const slot& s, std::uintptr_t sp) noexcept {
  if (sp - address_of(home.open_low(s)) > probe_distance) return;
  text note;
  note << "bast: a signal whose handler was installed without SA_ONSTACK arrived near the end of "
          "the open part of a coroutine's stack; the kernel could not deliver it\n";
  os::write_diagnostic(note.view().data(), note.view().size());
}

/// In the slot, and not open.
bool is_closed(slot& s, std::uintptr_t address) noexcept {
  const slab& home = slab::of(s);
  return address >= address_of(home.low(s)) && address < address_of(home.open_low(s));
}

/// The stack that this thread runs on, if known, when its stack pointer is in `at`.
slot* running_instead_of(slab& home, slot& at) noexcept {
  if (BAST_MUTANT(any_stack_grows)) return &at;
  if (at.state != slot_state::live) return nullptr;
  const slab_owner& owner = *home.owner;
  if (owner.running == nullptr) return &at;
  return owner.running(owner.user.load(std::memory_order_relaxed), at);
}

bool on_fault(siginfo_t* info, void* context) noexcept {
  if (info->si_code <= 0) return false;  // Sent by a process.
  const interrupted at{arch::interrupted::of(context),
                       reinterpret_cast<std::uintptr_t>(info->si_addr)};
  // Found by the stack pointer, not the address: this thread runs on that slab, so the slab exists.
  slab* const home = directory_find(at.sp);
  if (home == nullptr) return false;
  slot* const s = home->slot_at(at.sp);
  if (s == nullptr) return false;
  if (info->si_code == SI_KERNEL) {
    explain_lost_signal(*home, *s, at.sp);
    return false;
  }
  const bool wild = at.fault + probe_distance < at.sp;
  if (wild && !BAST_MUTANT(wild_write_grows)) return false;
  slot* const running = running_instead_of(*home, *s);
  if (running != s) {
    slot& named = running != nullptr ? *running : *s;
    // The frame begins in one stack and ends in the other.
    if (is_closed(*s, at.fault) || is_closed(named, at.fault))
      overflow(slab::of(named), named, at, overflow_cause::guard_skipped);
    return false;
  }
  if (!is_closed(*s, at.fault)) return false;  // An open address: not an overflow.
  const bool in_guard = at.fault < address_of(home->low(*s)) + home->geometry.guard;
  if (in_guard && !BAST_MUTANT(guard_grows)) {
    overflow(*home, *s, at, overflow_cause::limit);
    return false;
  }
  std::byte* const target = home->low(*s) + (at.fault - address_of(home->low(*s)));
  const slab::outcome done = grow(*home, *s, target);
  if (done == slab::outcome::opened) {
    // Otherwise the same instruction would fault endlessly.
    BAST_CHECK(at.fault >= address_of(home->open_low(*s)), "growth reaches the faulting address");
    note_depth(*home, *s, at);
    return true;
  }
  overflow(*home, *s, at, cause_of(done));
  return false;
}

}  // namespace

overflow_hook set_overflow_hook(overflow_hook hook) noexcept {
  return hook_in_force.exchange(hook);
}

result<void> install_growth_handler() noexcept { return os::install_fault_filter(on_fault); }

result<void> ensure_open(slot& s, const std::byte* down_to) noexcept {
  slab& home = slab::of(s);
  if (down_to >= home.open_low(s)) return {};
  if (down_to < home.low(s) + home.geometry.guard) {
    return fail(errc::limit, "ensure_stack", "more than the stack's limit, in bytes",
                static_cast<std::int64_t>(home.geometry.limit()));
  }
  std::byte* const target = home.low(s) + (down_to - home.low(s));
  switch (grow(home, s, target)) {
    case slab::outcome::opened: return {};
    case slab::outcome::over_pool_budget:
      return fail(errc::limit, "ensure_stack", "the pool's budget of open stack bytes is spent");
    case slab::outcome::over_process_budget:
      return fail(errc::limit, "ensure_stack", "the process's budget of open stack bytes is spent");
    case slab::outcome::refused: break;
  }
  return fail(errc::no_memory, "ensure_stack", "the kernel refused to open more of the stack");
}

result<void> ensure_stack(bytes wanted) noexcept {
  const auto* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
  const stack_view view = find_stack(here);
  if (view.record == nullptr) return {};
  if (wanted.count > static_cast<std::size_t>(here - view.low)) {
    return fail(errc::limit, "ensure_stack", "more than the stack has left, in bytes",
                here - view.low);
  }
  return ensure_open(*view.record, here - wanted.count);
}

stack_view find_stack(const void* address) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  slab* const home = directory_find(at);
  if (home == nullptr) return {};
  slot* const s = home->slot_at(at);
  if (s == nullptr) return {};
  return {s, home->low(*s) + home->geometry.guard, home->open_low(*s), s->top};
}

}  // namespace bast::inline BAST_ABI
