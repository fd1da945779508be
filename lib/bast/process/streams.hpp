// SPDX-License-Identifier: Apache-2.0
//
// Sources and destinations of a command's standard streams:
//
//   command.in(from::bytes{"text"}).out(to::capture{64_MiB}).err(to::path{"errors.log"});
//
// Descriptors are borrowed: they must be open when the command starts, and remain the caller's. A
// closed stream of this process is inherited as /dev/null.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// What happens to a process whose captured output reaches the limit (law P-16).
enum class on_limit : std::uint8_t {
  error_and_kill,      // the process is stopped, and the result reports it
  truncate_and_drain,  // the rest is read and dropped
  backpressure,  // reading stops: the process waits in write(2). Bytes that it leaves in the pipe
                 // at its end are read, up to 64 KiB beyond the limit
};

/// Sources of standard input. The default is `null`.
namespace from {

/// Nothing: /dev/null.
struct null {};
/// The standard input of this process.
struct inherit {};
/// These bytes, copied by the setter. The child reads a file in memory, so no writer can block and
/// no SIGPIPE arises (P-16, P-17).
struct bytes {
  explicit bytes(std::span<const std::byte> all) noexcept : contents(all) {}
  explicit bytes(std::string_view all) noexcept : contents(std::as_bytes(std::span(all))) {}
  std::span<const std::byte> contents;
};
/// A pipe: command::start gives its write end to the caller, child_process::write writes to it.
struct pipe {};
/// An open descriptor of the caller.
struct fd {
  int number;
};
/// A file, opened for reading when the command starts; relative to our working directory. A FIFO is
/// opened without a wait for its writer.
struct path {
  std::string_view name;
};

}  // namespace from

/// Destinations of standard output and standard error. The default is `inherit`.
namespace to {

/// Discarded: /dev/null.
struct null {};
/// The same stream of this process.
struct inherit {};
/// Into memory, as part of the result.
struct capture {
  bytes limit = {std::size_t{16} << 20};
  on_limit policy = on_limit::error_and_kill;
};
/// A pipe: command::start gives its read end to the caller, child_process::read reads from it.
struct pipe {};
/// An open descriptor of the caller.
struct fd {
  int number;
};
/// A file, created (0666, less the umask) when the command starts, and truncated unless `append`,
/// also when the start fails later; relative to our working directory. A FIFO without a reader is
/// an error (ENXIO).
/// If out and err name the same file, by any paths, they share one open file.
struct path {
  std::string_view name;
  bool append = false;
};
/// For `err`: the destination of standard output; keeps the order of writes to both.
struct out {};

}  // namespace to

using input_source =
    std::variant<from::null, from::inherit, from::bytes, from::pipe, from::fd, from::path>;
using output_target =
    std::variant<to::inherit, to::null, to::capture, to::pipe, to::fd, to::path, to::out>;

}  // namespace bast::inline BAST_ABI
