// SPDX-License-Identifier: Apache-2.0
//
// The descriptors of a child: opens those that the settings require, and lists which descriptor of
// ours becomes which of the child's.
#pragma once

#include <utility>

#include "bast/process/settings.hpp"

namespace bast::inline BAST_ABI::internal {

/// "in", "out" or "err".
const char* setter_of_stream(int stream) noexcept;

/// Fails with io (EBADF) unless every borrowed descriptor is open; `setter` then names the setter
/// that borrowed it. Called before we open anything, which might get the number of a descriptor
/// that the caller has closed.
[[nodiscard]] result<void> check_borrowed(const command_settings& settings,
                                          const char*& setter) noexcept;

/// Owns what it opened, until taken or destroyed. Requires that 0, 1 and 2 are in use
/// (os::standard_descriptors_lease), so that none of its descriptors is a standard one.
class stream_plan {
 public:
  /// Errors: as os::open_file, os::make_pipe, os::memory_file.
  [[nodiscard]] result<void> build(const command_settings& settings) noexcept;

  /// After a failed `build`, the setter of the stream that failed: "in", "out" or "err"; null if no
  /// stream is concerned.
  const char* failed_setter() const noexcept { return failed_setter_; }

  /// Sorted by target, 0, 1 and 2 first (child_plan I1).
  std::span<descriptor_move> moves() noexcept { return moves_.all(); }
  /// Our end of the pipe at standard stream `stream`, or none.
  [[nodiscard]] os::descriptor take(int stream) noexcept { return std::move(ours_[stream]); }

 private:
  /// Our descriptor that becomes the child's `stream`.
  result<int> source_of(const command_settings& settings, int stream) noexcept;
  result<int> keep(int stream, result<os::descriptor> opened) noexcept;
  result<int> make_pipe(int stream) noexcept;
  result<int> open_path(const command_settings& settings, int stream) noexcept;

  os::descriptor theirs_[3];
  os::descriptor ours_[3];
  list<descriptor_move> moves_;
  const char* failed_setter_ = nullptr;
};

}  // namespace bast::inline BAST_ABI::internal
