// SPDX-License-Identifier: Apache-2.0
#include "code/text_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bast_stacks {

std::expected<std::string, problem> read_text_file(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(problem{3, fmt::format("{} {}", path, why), {}});
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat about{};
  std::string text;
  ssize_t got = 0;
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(fd);
    return refuse("is not a file");
  }
  char part[1 << 16];
  while (text.size() <= text_file_max && (got = read(fd, part, sizeof part)) > 0)
    text.append(part, static_cast<std::size_t>(got));
  const int error = errno;
  close(fd);
  if (got < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(error)));
  if (text.size() > text_file_max) return refuse("is larger than 64 MiB");
  return text;
}

}  // namespace bast_stacks
