// SPDX-License-Identifier: Apache-2.0
//
// `source`: bytes with a length, of a file or a buffer. Files are read and never mapped: their
// owner may truncate one at any time, and a mapping would then raise SIGBUS.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "model/descriptor.hpp"
#include "model/snapshot.hpp"
#include "read/extent.hpp"

namespace bast_stacks {

class source {
 public:
  source() = default;
  source(const source&) = delete;
  source& operator=(const source&) = delete;
  virtual ~source() = default;

  virtual std::uint64_t size() const = 0;
  /// The number of bytes that could be read; fewer than requested at the end or on an error.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const = 0;
  /// Appends the parts of `where` that are not holes, ascending. A hole reads as zeros.
  virtual void data(extent where, std::vector<extent>& found) const;

  /// Reads all of it, or returns false.
  bool read_all_at(std::uint64_t offset, std::span<std::byte> into) const {
    return read_at(offset, into) == into.size();
  }
  /// A record in its memory layout.
  template <class Record>
    requires std::is_trivially_copyable_v<Record>
  bool read_record(std::uint64_t offset, Record& into) const {
    return read_all_at(offset, std::as_writable_bytes(std::span(&into, 1)));
  }
};

class buffer_source final : public source {
 public:
  /// The bytes must outlive it.
  explicit buffer_source(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  std::span<const std::byte> bytes_;
};

class file_source final : public source {
 public:
  explicit file_source(descriptor file) : file_(std::move(file)) {}
  /// Errors: the file cannot be opened for reading, or is not a regular file.
  static std::expected<std::unique_ptr<file_source>, problem> open(const std::string& path);

  /// The present size: it may change.
  std::uint64_t size() const override;
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  void data(extent where, std::vector<extent>& found) const override;

 private:
  descriptor file_;
};

/// A file of /proc, whose size is not known: its text, up to `most` bytes. Errors: errno.
std::expected<std::string, int> read_proc(const std::string& path, std::size_t most);
/// The number at the start of such a file, as in /proc/sys; empty if there is none.
std::optional<int> read_number(const std::string& path);

}  // namespace bast_stacks
