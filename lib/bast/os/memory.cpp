// SPDX-License-Identifier: Apache-2.0
#include "bast/os/memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <mutex>

#include "bast/os/descriptor.hpp"
#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/pipe.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

// From <asm-generic/mman-common.h> of Linux 6.13; Debian 12's headers are older.
constexpr int madv_guard_install = 102;
constexpr int madv_guard_remove = 103;

std::byte* raw_map(std::size_t size, int protection) noexcept {
  void* const base = system_call(call::map, MAP_FAILED, [=] {
    return ::mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  });
  return base == MAP_FAILED ? nullptr : static_cast<std::byte*>(base);
}

bool raw_unmap(std::byte* base, std::size_t size) noexcept {
  return system_call(call::unmap, -1, [=] { return ::munmap(base, size); }) == 0;
}

/// Regions that munmap refused. Bounded: beyond that, their memory is still released and only the
/// addresses are lost, which `dropped` counts for a debugger.
struct pending_releases {
  static constexpr std::size_t capacity = 256;
  struct region {
    std::byte* base = nullptr;
    std::size_t size = 0;
  };
  std::mutex lock;
  region regions[capacity] = {};
  std::atomic<std::size_t> count{0};  // changed under the lock, read without
  std::size_t dropped = 0;
};
constinit pending_releases pending;

void remember(std::byte* base, std::size_t size) noexcept {
  const std::lock_guard guard(pending.lock);
  const std::size_t count = pending.count.load();
  if (count < pending_releases::capacity) {
    pending.regions[count] = {.base = base, .size = size};
    pending.count.store(count + 1);
  } else {
    ++pending.dropped;
  }
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

result<std::byte*> reserve(std::size_t size, std::size_t alignment) noexcept {
  BAST_ASSERT(bast::internal::is_power_of_two(alignment));
  BAST_ASSERT(alignment >= page_bytes());
  BAST_ASSERT(size % page_bytes() == 0);
  // The kernel aligns to a page only: reserve more, release both ends.
  const std::size_t slack = alignment - page_bytes();
  if (size > std::numeric_limits<std::size_t>::max() - slack) {
    return fail(errc::no_memory, "os.reserve", "more bytes than there are addresses");
  }
  std::byte* const whole = raw_map(size + slack, PROT_NONE);
  if (whole == nullptr) return failed("os.reserve", "mmap refused this many bytes", size + slack);
  const auto address = reinterpret_cast<std::uintptr_t>(whole);
  const std::size_t before = bast::internal::round_up(address, alignment) - address;
  std::byte* const base = whole + before;
  if (before != 0) release(whole, before);
  if (before != slack) release(base + size, slack - before);
  return base;
}

result<std::byte*> map(std::size_t size) noexcept {
  std::byte* const base = raw_map(size, PROT_READ | PROT_WRITE);
  if (base == nullptr) return failed("os.map", "mmap refused this many bytes", size);
  return base;
}

result<std::byte*> map_memory_file(int fd, std::string_view name, std::uint64_t offset,
                                   std::size_t size) noexcept {
  constexpr static_string operation = "os.map_memory_file";
  text link;
  link << "/proc/self/fd/" << fd;
  text wanted;
  wanted << "/memfd:" << name << " (deleted)";
  char target[128];
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  if (length < 0 || std::string_view(target, static_cast<std::size_t>(length)) != wanted.view())
    return fail(errc::invalid, operation, "not the memory file that was named", fd);
  const std::uint64_t end = offset + size;
  if (!may_write_up_to(end)) {
    return fail(errc::limit, operation, "RLIMIT_FSIZE is less than this many bytes",
                static_cast<std::int64_t>(end));
  }
  // ftruncate could shorten a file that another process made longer meanwhile. Before this call the
  // last byte of the mapped range is unused.
  struct stat file{};
  if (::fstat(fd, &file) != 0) return failed(operation, "fstat refused");
  if (static_cast<std::uint64_t>(file.st_size) < end &&
      ::pwrite(fd, "", 1, static_cast<off_t>(end - 1)) != 1)
    return failed(operation, "the file cannot be made this many bytes long", end);
  void* const base = system_call(call::map, MAP_FAILED, [=] {
    return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                  static_cast<off_t>(offset));
  });
  if (base == MAP_FAILED) return failed(operation, "mmap refused this many bytes", size);
  return static_cast<std::byte*>(base);
}

void copy_mappings_to(int fd, std::uint64_t offset) noexcept {
  constexpr std::uint64_t most = 1 << 20;
  if (!may_write_up_to(offset + most)) return;
  const auto maps = open_file("/proc/self/maps", O_RDONLY);
  if (!maps) return;
  const std::uint64_t end = offset + most;
  std::byte chunk[4096];
  while (offset + sizeof chunk <= end) {
    const auto size = read_some(maps->get(), chunk);
    if (!size || *size == 0 || !copy_to_file(fd, chunk, *size, offset)) return;
    offset += *size;
  }
}

void map_copy_over(std::byte* base, std::size_t size, int fd, std::uint64_t offset) noexcept {
  const void* const copy =
      ::mmap(base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
             static_cast<off_t>(offset));
  BAST_CHECK(copy == base, "a forked child gets a registry of its own");
}

void move_over(std::byte* base, std::byte* from, std::size_t size) noexcept {
  const void* const moved = ::mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, base);
  BAST_CHECK(moved == base, "a forked child gets a registry of its own");
}

void release(std::byte* base, std::size_t size) noexcept {
  if (pending.count.load(std::memory_order_relaxed) != 0) retry_pending_releases();
  if (BAST_MUTANT(unmap_forgotten)) return;
  if (raw_unmap(base, size)) return;
  // Releases the memory at once; the addresses follow later. Neither call splits an intact mapping.
  // Both are best effort; the retry is what counts.
  (void)::madvise(base, size, MADV_DONTNEED);
  remember(base, size);
}

std::size_t retry_pending_releases() noexcept {
  const std::lock_guard guard(pending.lock);
  const std::size_t count = pending.count.load();
  if (BAST_MUTANT(pending_release_forgotten)) return count;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto region = pending.regions[i];
    if (!raw_unmap(region.base, region.size)) pending.regions[kept++] = region;
  }
  pending.count.store(kept);
  return kept;
}

result<void> protect(std::byte* base, std::size_t size, access mode) noexcept {
  const int protection = mode == access::none ? PROT_NONE : PROT_READ | PROT_WRITE;
  const int status =
      system_call(call::protect, -1, [=] { return ::mprotect(base, size, protection); });
  if (status != 0) {
    return failed("os.protect", "mprotect refused (memory accounting or vm.max_map_count)", size);
  }
  return {};
}

result<void> install_guard(std::byte* base, std::size_t size) noexcept {
  const int status = system_call(call::guard_install, -1,
                                 [=] { return ::madvise(base, size, madv_guard_install); });
  if (status != 0) {
    return failed("os.install_guard", "madvise(MADV_GUARD_INSTALL) refused", size);
  }
  return {};
}

result<void> remove_guard(std::byte* base, std::size_t size) noexcept {
  const int status =
      system_call(call::guard_remove, -1, [=] { return ::madvise(base, size, madv_guard_remove); });
  if (status != 0) return failed("os.remove_guard", "madvise(MADV_GUARD_REMOVE) refused", size);
  return {};
}

result<void> discard(std::byte* base, std::size_t size) noexcept {
  const int status =
      system_call(call::advise, -1, [=] { return ::madvise(base, size, MADV_DONTNEED); });
  if (status != 0) return failed("os.discard", "madvise(MADV_DONTNEED) refused", size);
  return {};
}

void avoid_huge_pages(std::byte* base, std::size_t size) noexcept {
  (void)system_call(call::advise, -1, [=] { return ::madvise(base, size, MADV_NOHUGEPAGE); });
}

result<void> residency(const std::byte* base, std::span<unsigned char> resident) noexcept {
  // mincore takes a non-const pointer and does not write through it.
  void* const address =
      const_cast<std::byte*>(base);  // NOLINT(cppcoreguidelines-pro-type-const-cast): see above
  const std::size_t size = resident.size() * page_bytes();
  const int status =
      system_call(call::residency, -1, [=] { return ::mincore(address, size, resident.data()); });
  if (status != 0) return failed("os.residency", "mincore refused", size);
  return {};
}

bool kernel_can_write(std::byte* where) noexcept {
  // By syscall(2), not the vDSO, which would write from user mode and fault.
  static_assert(sizeof(timespec) <= 16);
  return ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, where) == 0;
}

}  // namespace bast::inline BAST_ABI::os
