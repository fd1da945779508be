// SPDX-License-Identifier: Apache-2.0
//
// `byte_buffer`: an owned buffer for received bytes. It grows only on request, reports a lack of
// memory, and never moves its contents otherwise, so the kernel may write into its room meanwhile.
//
//   if (!buffer.reserve(4096)) return no_memory;
//   const ssize_t got = ::read(fd, buffer.room().data(), buffer.room().size());
//   if (got > 0) buffer.commit(got);
//   use(buffer.text());
//
//   I1  begin <= end <= capacity; the content is [begin, end), the room is [end, capacity).
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace bast::inline BAST_ABI {

/// Movable. Not thread-safe. Only `reserve` allocates.
class byte_buffer {
 public:
  byte_buffer() = default;
  ~byte_buffer();
  byte_buffer(byte_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  byte_buffer& operator=(byte_buffer&& other) noexcept {
    byte_buffer moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(begin_, moved.begin_);
    std::swap(end_, moved.end_);
    std::swap(capacity_, moved.capacity_);
    return *this;
  }
  byte_buffer(const byte_buffer&) = delete;
  byte_buffer& operator=(const byte_buffer&) = delete;

  std::span<const std::byte> span() const noexcept { return {data_ + begin_, end_ - begin_}; }
  /// The same as characters: valid while the buffer lives and is not changed.
  std::string_view text() const noexcept;
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  /// The bytes of memory that it holds.
  std::size_t capacity() const noexcept { return capacity_; }

  /// Ensures `capacity` bytes of memory; keeps the content, which may move. Returns false if there
  /// is no memory; nothing has then changed.
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept;
  /// Moves the content to the front, so that the room includes the space of the bytes taken.
  void compact() noexcept;
  /// The memory for the next bytes.
  std::span<std::byte> room() noexcept { return {data_ + end_, capacity_ - end_}; }
  /// Makes the first `count` bytes of the room content.
  void commit(std::size_t count) noexcept;
  /// Removes all but the first `size` bytes.
  void truncate(std::size_t size) noexcept;
  /// Moves the first bytes to `into`, as many as there are and fit; returns their number. The rest
  /// stays in place, and so does the room.
  std::size_t take(std::span<std::byte> into) noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace bast::inline BAST_ABI
