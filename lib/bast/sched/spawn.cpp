// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/spawn.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

// A record up to its callable; with a block of its own for that, its address lies in the room.
result<fiber_record*> complete(fiber_record& f, fiber_record* parent, domain_attachment* governs,
                               const spawn_options& options, std::uint8_t stack_class,
                               site_key site, const fiber_operations& operations,
                               std::size_t outside_bytes) noexcept {
  set_up(f, parent, governs, site, options.name, operations);
  f.is_daemon = options.daemon;
  f.stack_class = stack_class;
  if (outside_bytes == 0) return &f;
  void* const block = os::allocate(outside_bytes);
  if (block == nullptr) {
    give_back_unstarted(f);
    return fail(errc::no_memory, "spawn", "no memory for the function and its result",
                static_cast<std::int64_t>(outside_bytes));
  }
  ::new (static_cast<void*>(f.room)) void*(block);
  return &f;
}

result<worker_group*> group_of(runtime_core& core, worker_group& current,
                               const spawn_options& options) noexcept {
  if (options.pool == nullptr) return &current;
  worker_group* const named = core.group(options.pool);
  if (named == nullptr) {
    return fail(errc::invalid, "spawn", "run_options::pools has no pool of that name");
  }
  return named;
}

}  // namespace

result<fiber_record*> prepare_spawn(fiber_scope* scope, const spawn_options& options, site_key site,
                                    const fiber_operations& operations,
                                    std::size_t outside_bytes) noexcept {
  worker* const here = this_worker;
  if (here == nullptr) {
    return fail(errc::not_in_fiber, "spawn",
                "this thread runs no fibers: call bast::run, or spawn by a runtime_handle");
  }
  if (here->is_forked()) {
    return fail(errc::forked, "spawn", "the workers of the parent process are not in this child");
  }
  if (const auto group = group_of(here->core(), here->group(), options); !group) {
    return std::unexpected(group.error());
  }
  if (options.pinned && options.pool != nullptr) {
    return fail(errc::invalid, "spawn", "spawn_options: pinned and a pool exclude each other");
  }
  const auto stack_class = here->core().stack_class(options.stack);
  if (!stack_class) return std::unexpected(stack_class.error());
  if (!here->reserve()) {
    return fail(errc::no_memory, "spawn", "no memory for the queue of unstarted fibers");
  }
  domain_attachment* governs = nullptr;
  if (scope != nullptr) {
    if (auto admitted = scope->admit(options.daemon); !admitted) {
      return std::unexpected(admitted.error());
    }
    governs = &scope->domain_of(options.daemon);
  }
  fiber_record* const made = here->slab().take();
  if (made == nullptr) {
    if (scope != nullptr) scope->left(options.daemon);
    return std::unexpected(here->slab().why());
  }
  return complete(*made, here->running(), governs, options, *stack_class, site, operations,
                  outside_bytes);
}

void abandon_spawn(fiber_record& f) noexcept {
  free_storage(f);
  give_back_unstarted(f);
}

void submit_spawn(fiber_record& f, const spawn_options& options) noexcept {
  worker& here = *this_worker;
  if (options.pinned && !BAST_MUTANT(pinned_is_taken)) return here.submit_own(f);
  worker_group& group = **group_of(here.core(), here.group(), options);
  if (&group == &here.group()) return f.stack_class != 0 ? here.submit_of_class(f) : here.submit(f);
  here.count_spawn(f);
  here.core().submit_to(group, f);
}

result<fiber_record*> prepare_guest_spawn(runtime_core& core, const spawn_options& options,
                                          site_key site, const fiber_operations& operations,
                                          std::size_t outside_bytes) noexcept {
  if (core.is_forked()) {
    return fail(errc::forked, "spawn", "the workers of the parent process are not in this child");
  }
  if (const auto group = group_of(core, core.default_group(), options); !group) {
    return std::unexpected(group.error());
  }
  const auto stack_class = core.stack_class(options.stack);
  if (!stack_class) return std::unexpected(stack_class.error());
  error why{errc::no_memory, "spawn", "no memory for the fiber"};
  fiber_record* const made = core.take_guest_record(why);
  if (made == nullptr) return std::unexpected(why);
  return complete(*made, nullptr, nullptr, options, *stack_class, site, operations, outside_bytes);
}

void submit_guest_spawn(runtime_core& core, fiber_record& f,
                        const spawn_options& options) noexcept {
  core.submit_of_guest(**group_of(core, core.default_group(), options), f);
}

}  // namespace bast::inline BAST_ABI::internal
