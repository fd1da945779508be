// SPDX-License-Identifier: Apache-2.0
//
// The setters for the three standard streams.
#include "bast/process/command.hpp"

namespace bast::inline BAST_ABI {
namespace {

using stream_kind = internal::stream_settings::kind;

}  // namespace

command& command::lead(int stream, stream_kind to) noexcept {
  if (changeable()) settings_.streams[stream].to = to;
  return *this;
}

command& command::lead_fd(int stream, int fd) noexcept {
  if (!changeable()) return *this;
  if (fd < 0) {
    refuse(errc::invalid, "a standard stream was given a negative descriptor");
    return *this;
  }
  settings_.streams[stream].fd = fd;
  return lead(stream, stream_kind::fd);
}

command& command::lead_capture(int stream, capture_options options) noexcept {
  process_policy& policy = settings_.policy;
  if (changeable()) (stream == 1 ? policy.output : policy.errors) = options;
  return lead(stream, stream_kind::capture);
}

command& command::lead_path(int stream, std::string_view path, bool append) noexcept {
  if (!acceptable(path, "the path of an output file contains a NUL byte")) return *this;
  auto& settings = settings_.streams[stream];
  keep(settings.path.assign({path}));
  settings.append = append;
  return lead(stream, stream_kind::path);
}

command& command::stdin_empty() noexcept { return lead(0, stream_kind::null); }
command& command::stdin_null() noexcept { return lead(0, stream_kind::null); }
command& command::stdin_inherit() noexcept { return lead(0, stream_kind::inherit); }
command& command::stdin_pipe() noexcept { return lead(0, stream_kind::pipe); }
command& command::stdin_fd(int fd) noexcept { return lead_fd(0, fd); }
command& command::stdin_bytes(std::span<const std::byte> contents) noexcept {
  if (!changeable()) return *this;
  settings_.streams[0].contents.clear();
  keep(settings_.streams[0].contents.add_all(contents));
  return lead(0, stream_kind::bytes);
}
command& command::stdin_bytes(std::string_view contents) noexcept {
  return stdin_bytes(std::as_bytes(std::span(contents)));
}

command& command::stdout_inherit() noexcept { return lead(1, stream_kind::inherit); }
command& command::stdout_null() noexcept { return lead(1, stream_kind::null); }
command& command::stdout_pipe() noexcept { return lead(1, stream_kind::pipe); }
command& command::stdout_fd(int fd) noexcept { return lead_fd(1, fd); }
command& command::stdout_capture(capture_options options) noexcept {
  return lead_capture(1, options);
}
command& command::stdout_path(std::string_view path, bool append) noexcept {
  return lead_path(1, path, append);
}

command& command::stderr_inherit() noexcept { return lead(2, stream_kind::inherit); }
command& command::stderr_null() noexcept { return lead(2, stream_kind::null); }
command& command::stderr_pipe() noexcept { return lead(2, stream_kind::pipe); }
command& command::stderr_fd(int fd) noexcept { return lead_fd(2, fd); }
command& command::stderr_capture(capture_options options) noexcept {
  return lead_capture(2, options);
}
command& command::stderr_path(std::string_view path, bool append) noexcept {
  return lead_path(2, path, append);
}
command& command::stderr_to_stdout() noexcept { return lead(2, stream_kind::as_stdout); }

}  // namespace bast::inline BAST_ABI
