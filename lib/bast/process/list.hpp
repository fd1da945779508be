// SPDX-License-Identifier: Apache-2.0
//
// Two growing lists whose additions can fail for lack of memory: plain values and strings. Limited
// to the needs of building a command.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

/// A growing array of plain values; empty once moved from. Invariant I1: `size <= capacity`, and
/// `data` is a block of `capacity` values.
template <class T>
  requires std::is_trivially_copyable_v<T>
class list {
 public:
  list() noexcept = default;
  ~list() { os::deallocate(data_); }
  list(const list&) = delete;
  list& operator=(const list&) = delete;
  list(list&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  list& operator=(list&& other) noexcept {
    list taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    std::swap(capacity_, taken.capacity_);
    return *this;
  }

  /// Returns false if there is no memory; nothing has then changed.
  [[nodiscard]] bool reserve(std::size_t more) noexcept {
    if (more <= capacity_ - size_) return true;
    constexpr std::size_t most = PTRDIFF_MAX / sizeof(T) / 2;
    if (more > most || size_ > most - more) return false;
    const std::size_t wanted = std::max(2 * capacity_, size_ + more);
    void* const block = os::reallocate(data_, wanted * sizeof(T));
    if (block == nullptr) return false;
    data_ = static_cast<T*>(block);
    capacity_ = wanted;
    return true;
  }
  [[nodiscard]] bool add(const T& value) noexcept {
    if (!reserve(1)) return false;
    data_[size_++] = value;
    BAST_ASSERT(size_ <= capacity_);  // I1
    return true;
  }
  [[nodiscard]] bool add_all(std::span<const T> values) noexcept {
    if (!reserve(values.size())) return false;
    if (!values.empty()) std::memcpy(data_ + size_, values.data(), values.size_bytes());
    size_ += values.size();
    BAST_ASSERT(size_ <= capacity_);  // I1
    return true;
  }
  void clear() noexcept { size_ = 0; }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<T> all() noexcept { return {data_, size_}; }
  std::span<const T> all() const noexcept { return {data_, size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A list of strings without NUL, in one block, each followed by a NUL. Adding one changes the
/// addresses of the others. Empty once moved from.
class string_list {
 public:
  string_list() noexcept = default;
  string_list(const string_list&) = delete;
  string_list& operator=(const string_list&) = delete;
  ~string_list() = default;
  string_list(string_list&& other) noexcept
      : characters_(std::move(other.characters_)), count_(std::exchange(other.count_, 0)) {}
  string_list& operator=(string_list&& other) noexcept {
    characters_ = std::move(other.characters_);
    count_ = std::exchange(other.count_, 0);
    return *this;
  }

  /// Adds the parts as one string. Returns false if there is no memory; nothing has then changed.
  [[nodiscard]] bool add(std::initializer_list<std::string_view> parts) noexcept {
    std::size_t total = 1;
    for (const auto part : parts) total += part.size();
    if (!characters_.reserve(total)) return false;
    for (const auto part : parts) (void)characters_.add_all({part.data(), part.size()});
    (void)characters_.add('\0');
    ++count_;
    return true;
  }
  /// Makes the parts the only string. Returns false if there is no memory; the list is then empty.
  [[nodiscard]] bool assign(std::initializer_list<std::string_view> parts) noexcept {
    clear();
    return add(parts);
  }
  void clear() noexcept {
    characters_.clear();
    count_ = 0;
  }

  std::size_t count() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  /// The first string, and the one after `string`; null after the last.
  const char* first() const noexcept { return empty() ? nullptr : characters_.data(); }
  const char* next(const char* string) const noexcept {
    const char* const after = string + std::strlen(string) + 1;
    return after == characters_.data() + characters_.size() ? nullptr : after;
  }

 private:
  list<char> characters_;
  std::size_t count_ = 0;
};

}  // namespace bast::inline BAST_ABI::internal
