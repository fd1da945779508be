// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/directory.hpp"

#include <atomic>
#include <mutex>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

constexpr int address_bits =
    48;  // of user space on x86-64 and aarch64, unless a mapping requests more
constexpr int granule_bits = 21;
constexpr int leaf_bits = 13;
constexpr int root_bits = address_bits - granule_bits - leaf_bits;
static_assert(std::size_t{1} << granule_bits == directory_granule);

struct leaf {
  std::atomic<slab*> entries[std::size_t{1} << leaf_bits];
};

constinit std::atomic<leaf*> root[std::size_t{1} << root_bits] = {};
constinit std::mutex growth_lock;  // only for adding leaves

std::size_t root_index(std::uintptr_t address) noexcept {
  return address >> (granule_bits + leaf_bits);
}
std::size_t leaf_index(std::uintptr_t address) noexcept {
  return (address >> granule_bits) & ((std::size_t{1} << leaf_bits) - 1);
}

std::atomic<slab*>& entry_of(std::uintptr_t address) noexcept {
  return root[root_index(address)].load()->entries[leaf_index(address)];
}

result<void> ensure_leaf(std::uintptr_t address) noexcept {
  if (address >> address_bits != 0) {
    return fail(errc::unsupported, "stack", "the kernel gave an address above 48 bits");
  }
  const std::lock_guard guard(growth_lock);
  std::atomic<leaf*>& place = root[root_index(address)];
  if (place.load() != nullptr) return {};
  const auto memory = os::map(sizeof(leaf));
  if (!memory) return std::unexpected(memory.error());
  place.store(new (*memory) leaf);
  return {};
}

}  // namespace

result<void> directory_enter(const std::byte* base, std::size_t size, slab* owner) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(base);
  BAST_ASSERT(start % directory_granule == 0);
  BAST_ASSERT(size % directory_granule == 0);
  // Create all leaves first: then entering cannot fail half-way.
  for (std::size_t at = 0; at < size; at += directory_granule) {
    if (const auto ready = ensure_leaf(start + at); !ready) return ready;
  }
  for (std::size_t at = 0; at < size; at += directory_granule) {
    BAST_ASSERT(entry_of(start + at).load() == nullptr);
    entry_of(start + at).store(owner);
  }
  return {};
}

void directory_remove(const std::byte* base, std::size_t size) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(base);
  for (std::size_t at = 0; at < size; at += directory_granule) entry_of(start + at).store(nullptr);
}

slab* directory_find(std::uintptr_t address) noexcept {
  if (address >> address_bits != 0) return nullptr;
  const leaf* const found = root[root_index(address)].load();
  if (found == nullptr) return nullptr;
  return found->entries[leaf_index(address)].load();
}

}  // namespace bast::inline BAST_ABI
