// SPDX-License-Identifier: Apache-2.0
#include "bast/process/byte_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

byte_buffer::~byte_buffer() { os::deallocate(data_); }

std::string_view byte_buffer::text() const noexcept {
  return {reinterpret_cast<const char*>(data_) + begin_, size()};
}

bool byte_buffer::reserve(std::size_t capacity) noexcept {
  if (capacity <= capacity_) return true;
  void* const grown = os::reallocate(data_, capacity);
  if (grown == nullptr) return false;
  data_ = static_cast<std::byte*>(grown);
  capacity_ = capacity;
  return true;
}

void byte_buffer::compact() noexcept {
  if (begin_ == 0) return;
  std::memmove(data_, data_ + begin_, size());
  end_ -= begin_;
  begin_ = 0;
}

void byte_buffer::commit(std::size_t count) noexcept {
  BAST_CHECK(count <= capacity_ - end_, "more bytes are committed than there is room for");  // I1
  end_ += count;
}

void byte_buffer::truncate(std::size_t size) noexcept {
  if (size < this->size()) end_ = begin_ + size;
}

std::size_t byte_buffer::take(std::span<std::byte> into) noexcept {
  const std::size_t count = std::min(into.size(), size());
  if (count != 0) std::memcpy(into.data(), data_ + begin_, count);
  begin_ += count;
  return count;
}

}  // namespace bast::inline BAST_ABI
