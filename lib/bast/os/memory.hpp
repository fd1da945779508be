// SPDX-License-Identifier: Apache-2.0
//
// Address space and memory: thin wrappers that turn an errno into a `result` and know the three
// things the rest of the library needs to know about Linux here:
//   - a reservation is PROT_NONE and MAP_NORESERVE, so that it counts for nothing until opened;
//   - releasing never fails for the caller: an munmap that the kernel refuses (it may have to split
//     a mapping at vm.max_map_count) is remembered and tried again, its memory given back at once;
//   - guard markers (MADV_GUARD_INSTALL, Linux 6.13) are page-table entries, not mappings: they
//     split nothing, survive MADV_DONTNEED, and a touch raises SIGSEGV with SEGV_MAPERR.
// All functions are thread-safe. Those marked so are async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bast/base.hpp"

namespace bast::os {

/// The size of a page in bytes: 4096 on x86-64; 4096, 16384 or 65536 on aarch64.
std::size_t page_bytes() noexcept;

/// Reserves `size` bytes of inaccessible address space aligned to `alignment`, a power of two of at
/// least a page. Errors: no_memory (RLIMIT_AS, vm.max_map_count, address space).
[[nodiscard]] result<std::byte*> reserve(std::size_t size, std::size_t alignment) noexcept;

/// Maps `size` zeroed, readable and writable bytes. Errors: no_memory.
[[nodiscard]] result<std::byte*> map(std::size_t size) noexcept;

/// Maps `size` bytes of a memory file (memfd_create) of this name from `offset` on, shared with
/// whoever else has it; a shorter file becomes long enough, and is never made shorter. Any other
/// file is refused: its number may have been closed and be somebody else's by now.
/// Async-signal-safe. Errors: `invalid` (no such file), `limit` (RLIMIT_FSIZE), no_memory.
[[nodiscard]] result<std::byte*> map_memory_file(int fd, std::string_view name,
                                                 std::uint64_t offset, std::size_t size) noexcept;
/// Appends what /proc/self/maps says to `fd` at `offset`, at most 1 MiB of it. Best effort: less
/// where RLIMIT_FSIZE or the kernel refuses.
void copy_mappings_to(int fd, std::uint64_t offset) noexcept;
/// Puts a private copy of the file, from `offset` on, in the place of its shared mapping.
/// Async-signal-safe. Ends the process when the kernel refuses: a forked child would write its
/// parent's memory.
void map_copy_over(std::byte* base, std::size_t size, int fd, std::uint64_t offset) noexcept;
/// Puts the mapping at `from` in the place of the one at `base`, of the same size; `from` is gone.
/// Async-signal-safe. Ends the process when the kernel refuses.
void move_over(std::byte* base, std::byte* from, std::size_t size) noexcept;

/// Gives a reservation or mapping back. Never fails; see the head of this file.
void release(std::byte* base, std::size_t size) noexcept;

/// Tries again to unmap what the kernel refused to; returns how many regions are still pending.
std::size_t retry_pending_releases() noexcept;

/// What a page range may be used for.
enum class access { none, read_write };

/// Changes the access of whole pages. Async-signal-safe. Errors: no_memory (max_map_count, memory
/// accounting under vm.overcommit_memory=2), io.
[[nodiscard]] result<void> protect(std::byte* base, std::size_t size, access mode) noexcept;

/// Installs guard markers; what the pages held is discarded. Async-signal-safe. Errors:
/// `invalid` (the kernel has no markers, or the memory is locked), no_memory.
[[nodiscard]] result<void> install_guard(std::byte* base, std::size_t size) noexcept;
/// Removes guard markers; resident pages keep their contents. Async-signal-safe.
[[nodiscard]] result<void> remove_guard(std::byte* base, std::size_t size) noexcept;

/// Gives the pages back to the kernel; they read as zero afterwards. Markers stay.
/// Errors: `invalid` when the memory is locked (mlockall): the contents then stay.
[[nodiscard]] result<void> discard(std::byte* base, std::size_t size) noexcept;

/// Asks for small pages only: one touched byte must not make 2 MiB resident. Best effort: a kernel
/// without transparent huge pages refuses, and is right.
void avoid_huge_pages(std::byte* base, std::size_t size) noexcept;

/// Bit 0 of each byte of `resident` tells whether that page is in memory. A page that was swapped
/// out counts as absent. Errors: no_memory (the range is not mapped).
[[nodiscard]] result<void> residency(const std::byte* base,
                                     std::span<unsigned char> resident) noexcept;

/// The word at an address that is readable, though it may be another flow's stack, of which the
/// sanitizers have an opinion of their own. Async-signal-safe.
#if defined(__clang__)
[[nodiscard, clang::no_sanitize("address", "memory", "thread")]]
#else
[[nodiscard, gnu::no_sanitize_address]]
#endif
inline std::uintptr_t word_at(std::uintptr_t address) noexcept {
  std::uintptr_t word = 0;
  __builtin_memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
  return word;
}

/// True if the kernel itself can write to `where` (16 bytes). The functional probe for guard
/// markers: an emulator may accept the advice and do nothing.
[[nodiscard]] bool kernel_can_write(std::byte* where) noexcept;

}  // namespace bast::os
