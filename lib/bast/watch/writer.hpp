// SPDX-License-Identifier: Apache-2.0
//
// Shared by the writers of the registry; not for other files.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "bast/watch/abi.hpp"
#include "bast/watch/registry.hpp"

namespace bast::watch {

inline constexpr std::uint32_t pools_max = 4096;
inline constexpr std::uint32_t slabs_max = 16384;
inline constexpr std::uint32_t sites_max = 16384;
inline constexpr std::size_t pools_at = 4096;
inline constexpr std::size_t slabs_at = pools_at + pools_max * sizeof(pool_entry);
inline constexpr std::size_t sites_at = slabs_at + slabs_max * sizeof(slab_entry);
static_assert(sizeof(header) <= pools_at);

struct writer {
  std::mutex lock;
  std::atomic<header*> head{nullptr};
  std::uint32_t sites_opened = 0;
  std::uint64_t pool_ids = 0;
  std::uint32_t free_site = no_index;  // chain of returned entries
  int shared_fd = -1;                  // the tool's file, or -1
  std::uint64_t shared_at = 0;         // offset of the registry in it
  bool deepest = false;
};
extern constinit writer the_writer;

/// Writes a word that readers may read meanwhile.
template <class T>
void put(T& word, T value) noexcept {
  // Release: pairs with a reader's load of the word before the data that it counts or publishes.
  std::atomic_ref<T>(word).store(value, std::memory_order_release);
}

/// Keeps a sequence word odd during its lifetime. Readers are other processes; in this one only the
/// handler reads, and it interrupts the writer.
class writing {
 public:
  explicit writing(std::uint32_t& sequence) noexcept : sequence_(sequence) {
    if (BAST_MUTANT(written_while_even)) return;
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    // Release: pairs with the reader's load of the word after its copy. The writes below cannot
    // become visible before the word is odd.
    std::atomic_thread_fence(std::memory_order_release);
  }
  ~writing() {
    // Release: pairs with the reader's load of the word before its copy.
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  writing(const writing&) = delete;
  writing& operator=(const writing&) = delete;

 private:
  std::atomic_ref<std::uint32_t> sequence_;
};

template <class Entry>
Entry* entries(const table& where) noexcept {
  return reinterpret_cast<Entry*>(reinterpret_cast<std::byte*>(registry()) + where.offset);
}

}  // namespace bast::watch
