// SPDX-License-Identifier: Apache-2.0
//
// Where the descriptors of a child come from: opens and makes what the settings ask for, and lists
// which descriptor of ours becomes which of the child's.
#pragma once

#include <utility>

#include "bast/process/settings.hpp"

namespace bast::internal {

/// "in", "out" or "err".
const char* setter_of_stream(int stream) noexcept;

/// Fails with io (EBADF) unless every descriptor that the caller lends is open; `setter` then names
/// the one that lent it. Called before anything of ours is opened, which might get the very number
/// that the caller has closed.
[[nodiscard]] result<void> check_borrowed(const command_settings& settings,
                                          const char*& setter) noexcept;

/// Owns what it opened, until taken or destroyed. Requires that 0, 1 and 2 are taken
/// (os::standard_descriptors_lease), so nothing that it opens is a standard descriptor.
class stream_plan {
 public:
  /// Errors: as os::open_file, os::make_pipe, os::memory_file.
  [[nodiscard]] result<void> build(const command_settings& settings) noexcept;

  /// After a `build` that failed, the setter of the stream that could not be made: "in", "out" or
  /// "err"; null when it was not about a stream.
  const char* failed_setter() const noexcept { return failed_setter_; }

  /// Sorted by target, 0, 1 and 2 first (child_plan I1).
  std::span<descriptor_move> moves() noexcept { return moves_.all(); }
  /// Our end of the pipe at standard stream `stream`, or none.
  [[nodiscard]] os::descriptor take(int stream) noexcept { return std::move(ours_[stream]); }

 private:
  /// The descriptor of ours that becomes the child's `stream`.
  result<int> source_of(const command_settings& settings, int stream) noexcept;
  result<int> keep(int stream, result<os::descriptor> opened) noexcept;
  result<int> make_pipe(int stream) noexcept;
  result<int> open_path(const command_settings& settings, int stream) noexcept;

  os::descriptor theirs_[3];
  os::descriptor ours_[3];
  list<descriptor_move> moves_;
  const char* failed_setter_ = nullptr;
};

}  // namespace bast::internal
