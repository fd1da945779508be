// SPDX-License-Identifier: Apache-2.0
#include "bast/os/heap.hpp"

#include <cstdlib>

#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {

// NOLINTBEGIN(cppcoreguidelines-no-malloc): this file wraps malloc

void* allocate(std::size_t size) noexcept {
  return internal::system_call(call::allocate, static_cast<void*>(nullptr),
                               [&] { return std::malloc(size); });
}

void* allocate_zeroed(std::size_t size) noexcept {
  return internal::system_call(call::allocate, static_cast<void*>(nullptr),
                               [&] { return std::calloc(1, size); });
}

void* reallocate(void* block, std::size_t size) noexcept {
  return internal::system_call(call::allocate, static_cast<void*>(nullptr),
                               [&] { return std::realloc(block, size); });
}

void deallocate(void* block) noexcept { std::free(block); }

// NOLINTEND(cppcoreguidelines-no-malloc)

}  // namespace bast::inline BAST_ABI::os
