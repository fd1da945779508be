// SPDX-License-Identifier: Apache-2.0
//
// Address space and memory: thin wrappers that turn an errno into a `result`. The rest of the
// library relies on three facts:
//   - A reservation is PROT_NONE and MAP_NORESERVE, so it is not accounted until opened.
//   - Releasing never fails for the caller. An munmap that the kernel refuses (it may have to split
//     a mapping at vm.max_map_count) is recorded and retried; its memory is released at once.
//   - Guard markers (MADV_GUARD_INSTALL, Linux 6.13) are page-table entries, not mappings. They
//     split no mapping, survive MADV_DONTNEED, and an access raises SIGSEGV with SEGV_MAPERR.
// All functions are thread-safe. Those marked so are async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// The size of a page in bytes: 4096 on x86-64; 4096, 16384 or 65536 on aarch64.
std::size_t page_bytes() noexcept;

/// Reserves `size` bytes of inaccessible address space aligned to `alignment`, a power of two of at
/// least a page. Errors: no_memory (RLIMIT_AS, vm.max_map_count, address space).
[[nodiscard]] result<std::byte*> reserve(std::size_t size, std::size_t alignment) noexcept;

/// Maps `size` zeroed, readable and writable bytes. Errors: no_memory.
[[nodiscard]] result<std::byte*> map(std::size_t size) noexcept;

/// Maps `size` bytes of a memory file (memfd_create) of this name, starting at `offset`, shared
/// with all other mappings of the file. Extends a shorter file, never shortens one. Refuses any
/// other file: the number may have been closed and reused. Async-signal-safe. Errors: `invalid` (no
/// such file), `limit` (RLIMIT_FSIZE), no_memory.
[[nodiscard]] result<std::byte*> map_memory_file(int fd, std::string_view name,
                                                 std::uint64_t offset, std::size_t size) noexcept;
/// Appends the text of /proc/self/maps, at most 1 MiB, to `fd` at `offset`. Best effort: less if
/// RLIMIT_FSIZE or the kernel refuses.
void copy_mappings_to(int fd, std::uint64_t offset) noexcept;
/// Replaces a shared mapping by a private copy of the file, starting at `offset`.
/// Async-signal-safe. Ends the process if the kernel refuses: a forked child would write its
/// parent's memory.
void map_copy_over(std::byte* base, std::size_t size, int fd, std::uint64_t offset) noexcept;
/// Moves the mapping at `from` over the one at `base`, of the same size. Async-signal-safe. Ends
/// the process if the kernel refuses.
void move_over(std::byte* base, std::byte* from, std::size_t size) noexcept;

/// Unmaps a reservation or mapping. Never fails, see above.
void release(std::byte* base, std::size_t size) noexcept;

/// Retries refused unmappings. Returns the number of regions that are still pending.
std::size_t retry_pending_releases() noexcept;

/// The permitted access to a page range.
enum class access { none, read_write };

/// Changes the access of whole pages. Async-signal-safe. Errors: no_memory (max_map_count, memory
/// accounting under vm.overcommit_memory=2), io.
[[nodiscard]] result<void> protect(std::byte* base, std::size_t size, access mode) noexcept;

/// Installs guard markers and discards the content of the pages. Async-signal-safe. Errors:
/// `invalid` (the kernel has no markers, or the memory is locked), no_memory.
[[nodiscard]] result<void> install_guard(std::byte* base, std::size_t size) noexcept;
/// Removes guard markers; resident pages keep their content. Async-signal-safe.
[[nodiscard]] result<void> remove_guard(std::byte* base, std::size_t size) noexcept;

/// Returns the pages to the kernel; they read as zero afterwards. Markers stay. Errors: `invalid`
/// if the memory is locked (mlockall): the content then stays.
[[nodiscard]] result<void> discard(std::byte* base, std::size_t size) noexcept;

/// Requests small pages only: one touched byte must not make 2 MiB resident. Best effort: a kernel
/// without transparent huge pages refuses, which is harmless.
void avoid_huge_pages(std::byte* base, std::size_t size) noexcept;

/// Bit 0 of each byte of `resident` is set if that page is in memory. A page that was swapped out
/// counts as absent. Errors: no_memory (the range is not mapped).
[[nodiscard]] result<void> residency(const std::byte* base,
                                     std::span<unsigned char> resident) noexcept;

/// The word at a readable address that may be on another flow's stack, where sanitizers would
/// report the access. Async-signal-safe.
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

/// True if the kernel can write to `where` (16 bytes). Tests whether guard markers work: an
/// emulator may accept the advice and ignore it.
[[nodiscard]] bool kernel_can_write(std::byte* where) noexcept;

}  // namespace bast::inline BAST_ABI::os
