// SPDX-License-Identifier: Apache-2.0
#include "bast/process/spawn_streams.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr int stream_count = 3;
constexpr mode_t file_mode = 0666;  // before the umask, as usual for programs

result<void> check_open(int fd) noexcept {
  const auto open = os::is_open(fd);
  if (!open) return std::unexpected(open.error());
  if (*open) return {};
  return std::unexpected(error::from_errno(EBADF, "command.start",
                                           "a descriptor that the child should get is closed", fd));
}

}  // namespace

const char* setter_of_stream(int stream) noexcept {
  static constexpr const char* names[] = {"in", "out", "err"};
  return names[stream];
}

result<void> check_borrowed(const command_settings& settings, const char*& setter) noexcept {
  for (int i = 0; i < stream_count; ++i) {
    const stream_settings& stream = settings.streams[i];
    if (stream.to != stream_settings::kind::fd) continue;
    setter = setter_of_stream(i);
    if (const auto open = check_open(stream.fd); !open) return open;
  }
  setter = "pass_fd";
  for (const auto& move : settings.passed.all()) {
    if (const auto open = check_open(move.source); !open) return open;
  }
  return {};
}

result<int> stream_plan::keep(int stream, result<os::descriptor> opened) noexcept {
  if (!opened) return std::unexpected(opened.error());
  theirs_[stream] = std::move(*opened);
  BAST_ASSERT(theirs_[stream].get() >= stream_count);
  return theirs_[stream].get();
}

result<int> stream_plan::make_pipe(int stream) noexcept {
  auto made = os::make_pipe();
  if (!made) return std::unexpected(made.error());
  // The child reads its stdin and writes the others.
  auto& [read_end, write_end] = *made;
  if (stream != 0) std::swap(read_end, write_end);
  // Only our end: the child's end is another open file description, and blocks as programs expect
  // (P-5).
  if (const auto done = os::set_nonblocking(write_end.get()); !done) {
    return std::unexpected(done.error());
  }
  ours_[stream] = std::move(write_end);
  theirs_[stream] = std::move(read_end);
  return theirs_[stream].get();
}

result<int> stream_plan::open_path(const command_settings& settings, int stream) noexcept {
  const stream_settings& asked = settings.streams[stream];
  // O_NONBLOCK: the other end of a FIFO is not waited for, which would stop the thread. O_NOCTTY: a
  // terminal does not become ours.
  constexpr int careful = O_NONBLOCK | O_NOCTTY;
  const int end = asked.append ? O_APPEND : O_TRUNC;
  const int flags = stream == 0 ? O_RDONLY : O_WRONLY | O_CREAT | end;
  auto opened = keep(stream, os::open_file(asked.path.first(), flags | careful, file_mode));
  if (opened) {
    if (const auto done = os::set_blocking(*opened); !done) return std::unexpected(done.error());
  }
  if (!opened || stream != 2 || settings.streams[1].to != stream_settings::kind::path)
    return opened;
  int& source_of_stdout = moves_.all()[1].source;
  if (!os::is_same_file(*opened, source_of_stdout)) return opened;
  // One open file description, because two would overwrite each other: the appending one, if any.
  if (asked.append) source_of_stdout = *opened;
  return source_of_stdout;
}

result<int> stream_plan::source_of(const command_settings& settings, int stream) noexcept {
  using kind = stream_settings::kind;
  const stream_settings& asked = settings.streams[stream];
  switch (asked.to) {
    case kind::inherit: return stream;
    case kind::fd: return asked.fd;
    case kind::as_stdout: return moves_.all()[1].source;
    case kind::null:
      return keep(stream, os::open_file("/dev/null", stream == 0 ? O_RDONLY : O_WRONLY));
    case kind::bytes:
      // No writer, so no deadlock and no SIGPIPE, whatever the child does (P-16, P-17).
      return keep(stream, os::memory_file("bast stdin", asked.contents.all()));
    case kind::pipe:
    case kind::capture: return make_pipe(stream);
    case kind::path: return open_path(settings, stream);
  }
  return fail(errc::invalid, "command.start", "a standard stream leads nowhere");
}

result<void> stream_plan::build(const command_settings& settings) noexcept {
  moves_.clear();
  if (!moves_.reserve(stream_count + settings.passed.size())) {
    return fail(errc::no_memory, "command.start", "there is no memory for the list of descriptors");
  }
  for (int stream = 0; stream < stream_count; ++stream) {
    const auto source = source_of(settings, stream);
    if (!source) {
      failed_setter_ = setter_of_stream(stream);
      return std::unexpected(source.error());
    }
    (void)moves_.add({.source = *source, .target = stream});
  }
  (void)moves_.add_all(settings.passed.all());
  const auto all = moves_.all();
  std::ranges::sort(all.subspan(stream_count), {}, &descriptor_move::target);
  BAST_ASSERT(std::ranges::is_sorted(all, std::ranges::less_equal{}, &descriptor_move::target) ||
              all.size() == stream_count);
  return {};
}

}  // namespace bast::inline BAST_ABI::internal
