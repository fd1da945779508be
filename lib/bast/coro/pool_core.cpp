// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/pool_core.hpp"

#include <new>
#include <utility>

#include "bast/coro/abandonable.hpp"
#include "bast/coro/held.hpp"
#include "bast/coro/outcome.hpp"
#include "bast/coro/transfer.hpp"
#include "bast/coro/unwind.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

const char* name_of(coro_state state) noexcept {
  static constexpr const char* names[] = {"free",      "ready",    "running",
                                          "suspended", "finished", "retired"};
  return names[static_cast<std::size_t>(state)];
}

namespace internal {
namespace {

#if BAST_EXCEPTIONS
void report_unhandled(void*, std::exception_ptr failure, const char* name) noexcept {
  text line;
  line << "bast: unhandled exception left coroutine " << (name != nullptr ? name : "(unnamed)")
       << ": ";
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& e) {
    line << e.what();
  } catch (...) {
    line << "not a std::exception";
  }
  line << '\n';
  os::write_diagnostic(line.view().data(), line.view().size());
}
#endif

/// Processors forward a store to a load by the low twelve bits of their addresses. A pool, its
/// slots and its control blocks are used together, and each would begin at a page boundary. With
/// different offsets in the page, a life from acquire to release takes a quarter less time (bench:
/// create). Slabs have their own offset.
constexpr std::size_t offset_in_page = 0x200;

std::size_t mapping_bytes() noexcept {
  return round_up(offset_in_page + sizeof(pool_core), os::page_bytes());
}

}  // namespace

constinit stack_budget budget_of_nothing{bytes{0}};

// --- life ----------------------------------------------------------------------------------------

result<pool_core*> pool_core::create(const coro_pool_options& options, site_key where) noexcept {
  if (options.max_coros == 0) {
    return fail(errc::invalid, "coro_pool.create", "max_coros must be at least 1");
  }
  if (auto prepared = prepare_thread(); !prepared) return std::unexpected(prepared.error());
  abandonable::choose_secret();
  const auto memory = os::map(mapping_bytes());
  if (!memory) return std::unexpected(memory.error());
  auto* const pool = new (*memory + offset_in_page) pool_core;
  stack_options stack = options.stack;
  // Valgrind moves the stack pointer before a push faults, and then repeats the push: the stack
  // would be off by a word. So nothing may depend on growth.
  if constexpr (BAST_WITH_VALGRIND != 0) stack.growth = stack_growth::demand;
  if (auto ready = pool->stacks_.init(stack, options.max_coros, where); !ready) {
    pool->~pool_core();
    os::release(*memory, mapping_bytes());
    return std::unexpected(ready.error());
  }
  pool->thread_ = this_thread.tag;
  pool->process_ = os::fork_mark::here();
  pool->stacks_.set_user(running_stack_of, pool->thread_);
  pool->flags_ = options.own_float_control ? flag_own_float : 0;
  pool->max_ = options.max_coros;
  pool->sink_ = options.unhandled;
#if BAST_EXCEPTIONS
  if (pool->sink_.take == nullptr) pool->sink_.take = report_unhandled;
#endif
  return pool;
}

void pool_core::destroy(pool_core* dead) noexcept {
  if (dead->thread_ != this_thread.tag && dead->process_.is_forked()) {
    // The pool's thread does not exist in this child, and its suspended coroutines cannot run here.
    // The memory is the child's own copy and is freed when the child ends.
    return;
  }
  BAST_CHECK(dead->thread_ == this_thread.tag, "a coro_pool was destroyed on another thread");
  BAST_CHECK(dead->visits_ == 0, "a coro_pool was destroyed during for_each_...");
  dead->release_everything();
  for (chunk* next = nullptr; dead->chunks_ != nullptr; dead->chunks_ = next) {
    next = dead->chunks_->next;
    if (!BAST_MUTANT(places_not_given_back)) give_chunk(*dead->chunks_);
  }
  dead->~pool_core();
  os::release(reinterpret_cast<std::byte*>(dead) - offset_in_page, mapping_bytes());
}

// --- acquire and release -------------------------------------------------------------------------

result<void> pool_core::refill() noexcept {
  if (thread_ != this_thread.tag)
    return std::unexpected(elsewhere("coro_pool.acquire", "the pool belongs to another thread"));
  while (free_ == nullptr) {
    if (created_ >= max_ + (BAST_MUTANT(one_coroutine_too_many) ? 1 : 0)) {
      return fail(errc::limit, "coro_pool.acquire", "the pool has its maximum of coroutines",
                  static_cast<std::int64_t>(max_));
    }
    if (next_fresh_ == chunk_blocks) {
      const auto taken = take_chunk(this);
      if (!taken) return std::unexpected(taken.error());
      (*taken)->next = chunks_;
      chunks_ = *taken;
      next_fresh_ = 1;
    }
    coro_block& block = chunks_->block(next_fresh_++);
    // Retired by an earlier pool, so it does not count towards this pool's maximum.
    if (state_of(block.tag) == coro_state::retired) {
      ++inherited_;
      continue;
    }
    ++created_;
    block.tag = make_tag(generation_of(block.tag), thread_, coro_state::free);  // I2
    block.next = nullptr;
    free_ = &block;
  }
  return {};
}

result<void> pool_core::release(coro_block& block) noexcept {
  if ((block.tag & flag_scheduled) != 0) {
    return fail(errc::not_owner, "release", "the coroutine is scheduled: its scheduler ends it");
  }
  switch (state_of(block.tag)) {
    case coro_state::ready: break;
    case coro_state::suspended:
      if ((block.tag & flag_unstarted) != 0) break;
#if BAST_EXCEPTIONS
      unwind(block);
      break;
#else
      return fail(errc::busy, "release",
                  "the coroutine is suspended and this build cannot unwind it: run it to its end, "
                  "or pass bast::abandon");
#endif
    case coro_state::running: return fail(errc::busy, "release", "the coroutine is running");
    case coro_state::finished: break;
    case coro_state::free:
    case coro_state::retired:
      return fail(errc::stale_handle, "release", "the coroutine was released before");
  }
  const bool swallowed = (block.tag & flag_swallowed) != 0;
  if (swallowed && !BAST_MUTANT(swallowed_not_counted)) ++swallowed_unwinds_;
  if ((block.tag & (flag_has_outcome | flag_unstarted)) != 0) dispose_outcome(block);
  recycle(block, block.tag & tag_generation_mask);
  return {};
}

result<void> pool_core::release_abandoning(coro_block& block) noexcept {
  if (state_of(block.tag) != coro_state::suspended ||
      (block.tag & (flag_scheduled | flag_unstarted)) != 0) {
    return release(block);
  }
  ++abandoned_;
  {
    const held ending(block);
    end_abandonables(block);
  }
  recycle(block, block.tag & tag_generation_mask);
  return {};
}

void pool_core::unwind(coro_block& block) noexcept {
  // The destructors on its stack end its wait.
  const coro_tag tag = (block.tag & ~flag_parked) | flag_unwinding;
  block.transfer = nullptr;  // see refuse_suspension
  run(block, this_thread, with_state(tag, coro_state::running));
  // F-10: unwinding cannot suspend, so it returns here only at the end.
  BAST_ASSERT(state_of(block.tag) == coro_state::finished);
}

void pool_core::begin(coro_block& block) noexcept {
  static_cast<outcome_base*>(block.transfer)->destroy_value = nullptr;
}

void pool_core::forget_outcome(coro_block& block) noexcept {
  block.tag = block.tag & ~flag_has_outcome;
  auto& left = *static_cast<outcome_base*>(block.transfer);
  if (const auto destroy = std::exchange(left.destroy_value, nullptr)) destroy(left);
#if BAST_EXCEPTIONS
  left.failure = nullptr;
#endif
}

void pool_core::dispose_outcome(coro_block& block) noexcept {
  const held disposing(block);
#if BAST_EXCEPTIONS
  auto& left = *static_cast<outcome_base*>(block.transfer);
  if (left.failed() && !BAST_MUTANT(outcome_dropped)) {
    ++unhandled_;
    sink_.take(sink_.context, std::move(left.failure), block.stack->name);
  }
#endif
  forget_outcome(block);
}

// --- upkeep --------------------------------------------------------------------------------------

result<void> pool_core::adopt() noexcept {
  bool started = false;
  for_each_block([&](const coro_block& block) {
    const coro_state state = state_of(block.tag);
    const bool has_begun = (block.tag & flag_unstarted) == 0;
    started |= state == coro_state::running || (state == coro_state::suspended && has_begun);
  });
  if (started) {
    return fail(errc::busy, "coro_pool.adopt",
                "a coroutine has started and is not finished; it stays on its thread");
  }
  if (auto prepared = prepare_thread(); !prepared) return prepared;
  thread_ = this_thread.tag;
  process_ = os::fork_mark::here();
  stacks_.set_user(running_stack_of, thread_);
  for_each_block([&](coro_block& block) {
    const coro_tag flags = block.tag & tag_flags_mask;
    block.tag = make_tag(generation_of(block.tag), thread_, state_of(block.tag)) | flags;
  });
  return {};
}

result<void> pool_core::reserve(std::size_t count) noexcept {
  if (thread_ != this_thread.tag)
    return std::unexpected(elsewhere("coro_pool.reserve", "the pool belongs to another thread"));
  if (count > max_) {
    return fail(errc::limit, "coro_pool.reserve", "more than the pool's maximum of coroutines",
                static_cast<std::int64_t>(max_));
  }
  return stacks_.reserve(count);
}

coro_pool_stats pool_core::stats() const noexcept {
  coro_pool_stats all;
  for_each_block([&](const coro_block& block) {
    switch (state_of(block.tag)) {
      case coro_state::free: ++all.free; break;
      case coro_state::ready: ++all.ready; break;
      case coro_state::running: ++all.running; break;
      case coro_state::suspended: ++all.suspended; break;
      case coro_state::finished: ++all.finished; break;
      case coro_state::retired: ++all.retired; break;
    }
  });
  all.retired -= inherited_;
  all.created = created_;
  all.max = max_;
  all.swallowed_unwinds = swallowed_unwinds_;
  all.abandoned = abandoned_;
  all.unhandled = unhandled_;
  all.stacks = stacks_.stats();
  return all;
}

void pool_core::check_invariants() noexcept {
  const coro_pool_stats all = stats();
  const std::size_t sum =
      all.free + all.ready + all.running + all.suspended + all.finished + all.retired;
  BAST_CHECK(all.created == sum, "coro_pool: I1");
  BAST_CHECK(all.created <= all.max, "coro_pool: I1");
  std::size_t stacks = 0;
  for_each_block([&](const coro_block& block) {
    const coro_state state = state_of(block.tag);
    const bool has_stack = state == coro_state::running || state == coro_state::suspended ||
                           state == coro_state::finished;
    BAST_CHECK(has_stack == (block.stack != nullptr), "coro_pool: I3");
    BAST_CHECK(state == coro_state::retired || thread_of(block.tag) == thread_, "coro_pool: I2");
    stacks += has_stack ? 1U : 0U;
  });
  BAST_CHECK(stacks == all.stacks.live, "coro_pool: I3");
  std::size_t listed = 0;
  for (const coro_block* at = free_; at != nullptr; at = at->next) {
    BAST_CHECK(state_of(at->tag) == coro_state::free, "coro_pool: the free list");
    ++listed;
  }
  BAST_CHECK(listed == all.free, "coro_pool: the free list");
  stacks_.check_invariants();
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
