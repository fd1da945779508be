// SPDX-License-Identifier: Apache-2.0
//
// The word is 0 in a process until its first use there, and so in a forked child. Numbers come from
// a counter that a child inherits, so no process has the number of one of its ancestors.
#include "bast/os/fork_mark.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <atomic>

#include "bast/os/fault_injection.hpp"
#include "bast/os/memory.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::system_call;

constinit std::atomic<std::uint64_t> numbers{0};
// Used if there is no page. Only pthread_atfork clears it.
constinit std::atomic<std::uint64_t> ordinary{0};

}  // namespace

constinit std::atomic<fork_mark::word*> fork_mark::in_force{nullptr};

// A page of zeros that the kernel clears in every forked child, or null.
fork_mark::word* fork_mark::map_wiped() noexcept {
  const std::size_t size = page_bytes();
  const auto page = map(size);
  if (!page) return nullptr;
  const int status =
      system_call(call::advise, -1, [&] { return ::madvise(*page, size, MADV_WIPEONFORK); });
  if (status == 0) return reinterpret_cast<word*>(*page);
  release(*page, size);
  return nullptr;
}

// Needed even if the kernel granted the page: an emulator may grant it and ignore the advice.
void fork_mark::empty_in_child() noexcept { in_force.load()->store(0); }

// The word, created on first use.
fork_mark::word& fork_mark::the_word() noexcept {
  word* known = in_force.load(std::memory_order_acquire);  // pairs with the exchange below
  if (known != nullptr) return *known;
  word* const wiped = map_wiped();
  word* const made = wiped != nullptr ? wiped : &ordinary;
  if (in_force.compare_exchange_strong(known, made)) {
    // Fails only without memory for three pointers; then only the page is left.
    (void)::pthread_atfork(nullptr, nullptr, empty_in_child);
    return *made;
  }
  if (wiped != nullptr) release(reinterpret_cast<std::byte*>(wiped), page_bytes());
  return *known;
}

fork_mark fork_mark::here() noexcept {
  word& at = the_word();
  std::uint64_t number = at.load();
  if (number == 0) {
    const std::uint64_t fresh = numbers.fetch_add(1) + 1;
    if (at.compare_exchange_strong(number, fresh)) number = fresh;
  }
  return fork_mark(number);
}

}  // namespace bast::inline BAST_ABI::os
