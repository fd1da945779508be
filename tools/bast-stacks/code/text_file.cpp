// SPDX-License-Identifier: Apache-2.0
#include "code/text_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "model/regular_file.hpp"

namespace bast_stacks {

std::expected<std::string, problem> read_text_file(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(problem{.what = fmt::format("{} {}", path, why), .remedy = {}});
  };
  const auto file = open_regular_file(path);
  if (!file) return std::unexpected(file.error());
  std::string text;
  char part[1 << 16];
  ssize_t got = 0;
  while (text.size() <= text_file_max && (got = ::read(file->get(), part, sizeof part)) > 0)
    text.append(part, static_cast<std::size_t>(got));
  if (got < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
  if (text.size() > text_file_max) return refuse("is larger than 64 MiB");
  return text;
}

}  // namespace bast_stacks
