// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/registry.hpp"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/watch/writer.hpp"

// The symbols that a reader looks for first; see abi.hpp. Hidden, so that the note's distance to
// the anchor is a link-time constant; each shared library that contains bast has its own.
extern "C" {
[[gnu::visibility("hidden"), gnu::used]] constinit bast::watch::anchor bast_watch_anchor{
    bast::watch::magic, 0, 0};
}

asm(R"(
  .pushsection .note.bast, "a", %note
  .balign 4
  .long 5
  .long 8
  .long 1
  .asciz "bast"
  .balign 4
  .quad bast_watch_anchor - .
  .popsection
)");

namespace bast::watch {

constinit writer the_writer;

namespace {

// Address space only: a site's page is allocated when it is taken. Fewer where address space is
// limited.
constexpr std::uint32_t sites_min = 64;

std::size_t bytes_for(std::uint32_t sites) noexcept {
  return internal::round_up(sites_at + sites * sizeof(site_entry), os::page_bytes());
}

// --- creation ------------------------------------------------------------------------------------

std::uint64_t built_as() noexcept {
  std::uint64_t bits = 0;
  if (BAST_ASSERTIONS) bits |= built_assertions;
  if (BAST_HARDENED) bits |= built_hardened;
  if (BAST_WITH_ASAN) bits |= built_address_sanitizer;
  if (BAST_WITH_TSAN) bits |= built_thread_sanitizer;
  if (BAST_WITH_MSAN) bits |= built_memory_sanitizer;
  if (BAST_WITH_VALGRIND) bits |= built_valgrind;
  if (BAST_COVERAGE) bits |= built_coverage;
#if !defined(__OPTIMIZE__)
  bits |= built_unoptimized;
#endif
  return bits;
}

void fill_in(header& head, std::size_t size, std::uint32_t sites) noexcept {
  head.version_major = version_major;
  head.version_minor = version_minor;
  head.header_bytes = sizeof(header);
  head.machine = arch::elf_machine;
  head.pointer_bytes = sizeof(void*);
  head.page_bytes = static_cast<std::uint32_t>(os::page_bytes());
  head.self = reinterpret_cast<std::uintptr_t>(&head);
  head.bytes = size;
  head.pid = static_cast<std::uint64_t>(::getpid());
  head.started_ns = static_cast<std::uint64_t>(os::since_boot_ns());
  head.built = built_as();
  head.modes =
      (the_writer.deepest ? mode_deepest : 0) | (the_writer.shared_fd >= 0 ? mode_shared : 0);
  head.pools = {pools_at, sizeof(pool_entry), pools_max, 0, 0};
  head.slabs = {slabs_at, sizeof(slab_entry), slabs_max, 0, 0};
  head.sites = {sites_at, sizeof(site_entry), sites, 0, 0};
  head.generation_bits = BAST_GENERATION_BITS;
  text library;
  library << "bast " << BAST_VERSION_MAJOR << '.' << BAST_VERSION_MINOR << '.'
          << BAST_VERSION_PATCH;
  write_end_of(head.library, library.view());
  text compiler;
#if defined(__clang__)
  compiler << "clang " << __clang_version__;
#else
  compiler << "gcc " << __VERSION__;
#endif
  write_end_of(head.compiler, compiler.view());
}

/// Reads BAST_WATCH: words separated by commas, "deepest" and "fd:N". Ignores others: the variable
/// may be for a newer library in the same process.
void read_environment() noexcept {
  const char* const value = ::secure_getenv("BAST_WATCH");
  if (value == nullptr) return;
  std::string_view rest = value;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (word == "deepest") the_writer.deepest = true;
    if (!word.starts_with("fd:")) continue;
    int fd = -1;
    const auto [last, wrong] = std::from_chars(word.data() + 3, word.data() + word.size(), fd);
    if (wrong == std::errc() && last == word.data() + word.size()) the_writer.shared_fd = fd;
  }
}

// More processes than a user would inspect.
constexpr std::uint64_t shared_max = 4096;

/// Maps a free place of the tool's file for this process, or returns null: the registry is then
/// private. Async-signal-safe.
std::byte* map_shared(std::size_t size) noexcept {
  if (the_writer.shared_fd < 0) return nullptr;
  for (std::uint64_t at = 0; at < shared_max * shared_stride; at += shared_stride) {
    std::uint64_t owner = 0;
    // Most places have an owner, and a read is cheaper than a mapping.
    const ssize_t seen = ::pread(the_writer.shared_fd, &owner, sizeof owner,
                                 static_cast<off_t>(at + offsetof(header, pid)));
    if (seen == sizeof owner && owner != 0) continue;
    const auto mapped = os::map_memory_file(the_writer.shared_fd, shared_name, at, size);
    if (!mapped) return nullptr;
    auto* const head = reinterpret_cast<header*>(*mapped);
    std::uint64_t nobody = 0;
    const auto me = static_cast<std::uint64_t>(::getpid());
    the_writer.shared_at = at;
    if (std::atomic_ref<std::uint64_t>(head->pid).compare_exchange_strong(nobody, me))
      return *mapped;
    os::release(*mapped, size);
  }
  return nullptr;
}

result<std::byte*> map_private(std::uint32_t& sites) noexcept {
  // Fewer if the address space is limited: half of the sites, then half of that.
  for (sites = sites_max;; sites /= 2) {
    const auto base = os::reserve(bytes_for(sites), os::page_bytes());
    if (!base && sites > sites_min) continue;
    if (!base) return base;
    const std::size_t opened = internal::round_up(sites_at, os::page_bytes());
    if (auto done = os::protect(*base, opened, os::access::read_write); !done) {
      os::release(*base, bytes_for(sites));
      return std::unexpected(done.error());
    }
    the_writer.sites_opened = static_cast<std::uint32_t>((opened - sites_at) / sizeof(site_entry));
    return base;
  }
}

// A forked child has its own registry: the kernel copies private memory, but not the tool's file.
// It also has the parent's lock, which no other thread may hold at the fork.
void before_fork() { the_writer.lock.lock(); }
void after_fork() { the_writer.lock.unlock(); }

/// Copies pools and sites, but no counts.
void copy_as_new(header& to, const header& from) noexcept {
  header made = from;
  made.pid = to.pid;
  made.magic = 0;  // Until it is complete.
  to = made;
  const auto* const source = reinterpret_cast<const std::byte*>(&from);
  auto* const target = reinterpret_cast<std::byte*>(&to);
  const auto copy = [&](const table& t) {
    std::memcpy(target + t.offset, source + t.offset, std::size_t{t.record_bytes} * t.used);
  };
  copy(to.pools);
  copy(to.slabs);
  copy(to.sites);
  const auto closed = static_cast<std::uint32_t>(entry_state::closed);
  const auto free = static_cast<std::uint32_t>(entry_state::free);
  auto* const pools = reinterpret_cast<pool_entry*>(target + to.pools.offset);
  for (std::uint32_t i = 0; i < to.pools.used; ++i) {
    if (pools[i].state == closed) pools[i].state = free;
  }
  auto* const sites = reinterpret_cast<site_entry*>(target + to.sites.offset);
  for (std::uint32_t i = 0; i < to.sites.used; ++i) {
    site_entry& s = sites[i];
    // Without counts it is free to readers. The writer finds it by closed_hash and adds to it.
    if (s.state == closed) s.state = free;
    if (!BAST_MUTANT(child_counts_for_its_parent)) s.uses = 0;
    s.samples = s.grows = s.max = s.max_at_ns = s.overflows = 0;
    s.held_max = s.held;
    std::memset(s.histogram, 0, sizeof s.histogram);
    const std::uint32_t sequence = s.deepest.sequence;
    s.deepest = {};
    s.deepest.sequence = sequence;
  }
  put(to.magic, magic);
}

void in_child() {
  header* const head = registry();
  const std::uint64_t parents_place = the_writer.shared_at;
  if (the_writer.shared_fd >= 0 && !BAST_MUTANT(child_writes_the_file)) {
    const std::size_t size = head->bytes;
    if (std::byte* const own = map_shared(size); own != nullptr) {
      copy_as_new(*reinterpret_cast<header*>(own), *head);
      os::copy_mappings_to(the_writer.shared_fd, the_writer.shared_at + size);
      os::move_over(reinterpret_cast<std::byte*>(head), own, size);
    } else {
      os::map_copy_over(reinterpret_cast<std::byte*>(head), head->bytes, the_writer.shared_fd,
                        parents_place);
      the_writer.shared_fd = -1;
      head->modes &= ~mode_shared;
    }
  }
  head->pid = static_cast<std::uint64_t>(::getpid());
  the_writer.lock.unlock();
}

}  // namespace

result<void> open_registry() noexcept {
  if (registry() != nullptr) return {};
  const std::lock_guard guard(the_writer.lock);
  if (registry() != nullptr) return {};
  read_environment();
  std::uint32_t sites = sites_max;
  std::byte* base = map_shared(bytes_for(sites));
  if (base != nullptr) {
    the_writer.sites_opened = sites;
  } else {
    the_writer.shared_fd = -1;
    const auto mapped = map_private(sites);
    if (!mapped) return std::unexpected(mapped.error());
    base = *mapped;
  }
  const std::size_t size = bytes_for(sites);
  auto* const head = reinterpret_cast<header*>(base);
  fill_in(*head, size, sites);
  // The program may have ended before the tool resolves its code addresses.
  if (the_writer.shared_fd >= 0)
    os::copy_mappings_to(the_writer.shared_fd, the_writer.shared_at + size);
  put(head->magic, magic);  // Last: a reader that sees it sees the rest.
  ::pthread_atfork(before_fork, after_fork, in_child);
  bast_watch_anchor.bytes = size;
  put(bast_watch_anchor.registry, reinterpret_cast<std::uint64_t>(base));
  // Release: pairs with the acquire in registry().
  the_writer.head.store(head, std::memory_order_release);
  return {};
}

header* registry() noexcept {
  return the_writer.head.load(
      std::memory_order_acquire);  // pairs with the release in open_registry
}

bool every_page_is_a_growth() noexcept { return the_writer.deepest; }

void describe(const slot_layout& layout) noexcept {
  const std::lock_guard guard(the_writer.lock);
  registry()->slots = layout;
}
void describe(const coro_layout& layout) noexcept {
  const std::lock_guard guard(the_writer.lock);
  registry()->blocks = layout;
}
void describe_coros(const void* table, std::size_t bytes) noexcept {
  put(registry()->coros, reinterpret_cast<std::uint64_t>(table));
  put(registry()->coros_bytes, std::uint64_t{bytes});
}

}  // namespace bast::watch
