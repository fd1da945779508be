// SPDX-License-Identifier: Apache-2.0
//
// File descriptors: an owner, and the calls that make one. Every descriptor that this library makes
// is closed on exec from the start, and above 2: in a host that has closed a standard stream, none
// of ours becomes a standard stream of a child (law P-6).
//
//   bast::result<bast::os::descriptor> file = bast::os::open_file("log", O_WRONLY | O_CREAT, 0666);
//   if (file) use(file->get());   // closed at the end of the scope
//
// All functions are thread-safe; none allocates.
#pragma once

#include <sys/types.h>

#include <utility>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// Closes a descriptor; never fails. Linux frees the number whatever close returns, so it is never
/// retried.
void close_descriptor(int fd) noexcept;

/// Returns `fd` if it is above 2 or negative. Otherwise closes it and returns a copy above 2, or -1
/// and errno if no number is free. For the calls of this layer that make descriptors.
[[nodiscard]] int above_standard(int fd) noexcept;

/// Owns a descriptor, or nothing.
class descriptor {
 public:
  descriptor() noexcept = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() { reset(); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }

  /// The number, or -1.
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// The caller must close the number.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) close_descriptor(release());
  }

 private:
  int fd_ = -1;
};

/// Opens a file; `flags` as for open(2), O_CLOEXEC is added. Blocks where open(2) does, as for a
/// FIFO without a peer. Errors: io, `limit` (no free descriptor), no_memory.
[[nodiscard]] result<descriptor> open_file(const char* path, int flags, mode_t mode = 0) noexcept;

/// True if the process has this descriptor open.
[[nodiscard]] result<bool> is_open(int fd) noexcept;

/// True if both refer to one file, by any path.
[[nodiscard]] bool is_same_file(int a, int b) noexcept;

/// Keeps the numbers 0, 1 and 2 in use during its lifetime, so that no new descriptor becomes a
/// standard one. Opens closed ones on /dev/null, close-on-exec; the last lease of the process
/// closes them again.
class standard_descriptors_lease {
 public:
  /// May wait for another thread that fills or empties them. Errors: as open_file.
  [[nodiscard]] static result<standard_descriptors_lease> take() noexcept;

  standard_descriptors_lease(const standard_descriptors_lease&) = delete;
  standard_descriptors_lease& operator=(const standard_descriptors_lease&) = delete;
  standard_descriptors_lease(standard_descriptors_lease&& other) noexcept
      : held_(std::exchange(other.held_, false)) {}
  standard_descriptors_lease& operator=(standard_descriptors_lease&&) = delete;
  ~standard_descriptors_lease();

 private:
  standard_descriptors_lease() noexcept = default;
  bool held_ = true;
};

}  // namespace bast::inline BAST_ABI::os
