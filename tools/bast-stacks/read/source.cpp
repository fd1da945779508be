// SPDX-License-Identifier: Apache-2.0
#include "read/source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "model/regular_file.hpp"

namespace bast_stacks {

void source::data(extent where, std::vector<extent>& found) const {
  where.high = std::min(where.high, size());
  if (where.low < where.high) found.push_back(where);
}

std::size_t buffer_source::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= bytes_.size() || into.empty()) return 0;
  const std::size_t count = std::min<std::size_t>(into.size(), bytes_.size() - offset);
  std::memcpy(into.data(), bytes_.data() + offset, count);
  return count;
}

std::uint64_t file_source::size() const {
  struct stat status{};
  return ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::expected<std::unique_ptr<file_source>, problem> file_source::open(const std::string& path) {
  auto file = open_regular_file(path);
  if (!file) return std::unexpected(std::move(file.error()));
  return std::make_unique<file_source>(std::move(*file));
}

std::size_t file_source::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  std::size_t done = 0;
  if (offset > INT64_MAX - into.size()) return 0;
  while (done < into.size()) {
    const ssize_t count = ::pread(file_.get(), into.data() + done, into.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void file_source::data(extent where, std::vector<extent>& found) const {
  where.high = std::min(where.high, size());
  while (where.low < where.high) {
    const off_t start = ::lseek(file_.get(), static_cast<off_t>(where.low), SEEK_DATA);
    if (start < 0 && errno == ENXIO) return;  // Only a hole is left.
    if (start < 0) return source::data(where, found);
    const off_t end = ::lseek(file_.get(), start, SEEK_HOLE);
    if (end <= start) return source::data(where, found);
    const extent part{.low = static_cast<std::uint64_t>(start),
                      .high = std::min(static_cast<std::uint64_t>(end), where.high)};
    if (part.low >= where.high) return;
    found.push_back(part);
    where.low = part.high;
  }
}

std::expected<std::string, int> read_proc(const std::string& path, std::size_t most) {
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(errno);
  std::string text;
  char buffer[64 << 10];
  while (text.size() < most) {
    const ssize_t count = ::read(file.get(), buffer, std::min(sizeof buffer, most - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno);
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

std::optional<int> read_number(const std::string& path) {
  const auto text = read_proc(path, 16);
  int value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

}  // namespace bast_stacks
