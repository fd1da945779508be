// SPDX-License-Identifier: Apache-2.0
#include "cli/stream.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace bast_stacks {
namespace {

struct closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using open_file = std::unique_ptr<std::FILE, closer>;

std::unexpected<problem> failed(const char* what, const std::string& path) {
  return std::unexpected(
      problem{3,
              fmt::format("cannot {} {}: {}", what, path == "-" ? "standard output" : path,
                          std::strerror(errno)),
              {}});
}

bool put(std::FILE* file, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

}  // namespace

std::expected<std::string, problem> read_all(const std::string& path, std::size_t most) {
  open_file opened(path == "-" ? nullptr : std::fopen(path.c_str(), "rbe"));
  if (path != "-" && opened == nullptr) return failed("open", path);
  std::FILE* const file = path == "-" ? stdin : opened.get();
  std::string text;
  char part[65536];
  std::size_t got = 0;
  while ((got = std::fread(part, 1, sizeof part, file)) != 0) {
    text.append(part, got);
    if (text.size() > most)
      return std::unexpected(problem{3, fmt::format("{} is larger than {} bytes", path, most), {}});
  }
  if (std::ferror(file) != 0) return failed("read", path);
  return text;
}

std::expected<void, problem> write_all(const std::string& path, const std::string& text) {
  if (path == "-") {
    if (!put(stdout, text)) return failed("write to", path);
    return {};
  }
  std::FILE* const file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) return failed("write", path);
  const bool written = put(file, text);
  // A full disk may be reported only here.
  if (std::fclose(file) != 0 || !written) return failed("write", path);
  return {};
}

std::expected<void, problem> replace_file(const std::string& path, const std::string& text) {
  const std::string next = fmt::format("{}.{}.new", path, ::getpid());
  if (auto written = write_all(next, text); !written.has_value()) {
    ::unlink(next.c_str());
    return written;
  }
  if (std::rename(next.c_str(), path.c_str()) != 0) {
    auto result = failed("replace", path);
    ::unlink(next.c_str());
    return result;
  }
  return {};
}

}  // namespace bast_stacks
