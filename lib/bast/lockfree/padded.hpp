// SPDX-License-Identifier: Apache-2.0
//
// `padded`: a value on cache lines of its own, so that a thread that writes it slows down no thread
// that uses its neighbours.
//
//   struct counters { bast::padded<std::atomic<long>> in, out; };
#pragma once

#include <bast/config.hpp>
#include <cstddef>

namespace bast::inline BAST_ABI {

/// Bytes that no two threads should write apart. Two lines of 64 bytes: the L2 prefetchers of Intel
/// and AMD fetch lines in pairs (Intel 64 and IA-32 Optimization Reference Manual, "spatial
/// prefetcher"), and some aarch64 CPUs have lines of 128. A constant of its own, because that of
/// the standard differs between compilers and their options.
inline constexpr std::size_t cache_line_bytes = 128;

/// `T` must be default-constructible or an aggregate's member. Copies and moves as T does.
template <class T>
struct alignas(cache_line_bytes) padded {
  T value{};

  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

}  // namespace bast::inline BAST_ABI
