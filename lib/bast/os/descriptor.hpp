// SPDX-License-Identifier: Apache-2.0
//
// File descriptors: an owner, and the calls that make one. Every descriptor that this library makes
// is closed on exec from its first moment, and above 2: in a host that has closed a standard
// stream, none of ours becomes that of a child (law P-6).
//
//   bast::result<bast::os::descriptor> file = bast::os::open_file("log", O_WRONLY | O_CREAT, 0666);
//   if (file) use(file->get());                                         // closed at the scope's
//   end
//
// All functions are thread-safe; none allocates.
#pragma once

#include <sys/types.h>

#include <utility>

#include "bast/base.hpp"

namespace bast::os {

/// Closes a descriptor; never fails. Linux frees the number whatever close answers, so it is never
/// tried again.
void close_descriptor(int fd) noexcept;

/// A copy of `fd` that is above 2, and `fd` is closed; or `fd` itself, where that is above 2, or
/// negative. -1 and errno when no number is free. For the calls of this layer that make
/// descriptors.
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
  /// The number is the caller's to close.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) close_descriptor(release());
  }

 private:
  int fd_ = -1;
};

/// Opens a file; `flags` as for open(2), O_CLOEXEC is added. Blocks where open does: a FIFO without
/// a peer. Errors: io, `limit` (no free descriptor), no_memory.
[[nodiscard]] result<descriptor> open_file(const char* path, int flags, mode_t mode = 0) noexcept;

/// True when the process has this descriptor.
[[nodiscard]] result<bool> is_open(int fd) noexcept;

/// True when both lead to one file, by whatever path.
[[nodiscard]] bool is_same_file(int a, int b) noexcept;

/// Sees to it that the numbers 0, 1 and 2 are taken while it lives: those that are closed are
/// opened on /dev/null, closed on exec, and closed again when the last lease of the process ends.
/// So no descriptor made meanwhile can be mistaken for a standard one.
class standard_descriptors_lease {
 public:
  /// May wait for another thread that does the same. Errors: as open_file.
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

}  // namespace bast::os
