// SPDX-License-Identifier: Apache-2.0
#include "model/regular_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace bast_stacks {

std::expected<descriptor, problem> open_regular_file(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(problem{.what = fmt::format("{} {}", path, why), .remedy = {}});
  };
  constexpr std::string_view no_file = "is not a file";
  // Checked before the open, because opening alone makes some devices act. Checked again after it,
  // because the file may have been replaced; O_NONBLOCK keeps a pipe from waiting for its writer.
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) return refuse(no_file);
  descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return refuse(no_file);
  return file;
}

}  // namespace bast_stacks
