// SPDX-License-Identifier: Apache-2.0
#include "search.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

namespace demo {
namespace {

// The text that a fiber searches before it lets others run.
constexpr std::size_t slice_bytes = 16 << 10;

class descriptor {
 public:
  explicit descriptor(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool is_header(std::string_view path) {
  return std::ranges::any_of(std::array{".h", ".hh", ".hpp", ".hxx"},
                             [&](const char* end) { return path.ends_with(end); });
}

/// Appends the text of a file. Returns why it could not be read; an empty string for a binary.
std::optional<std::string> read_text(const std::string& path, std::string& text) {
  const auto errno_text = [] { return std::generic_category().message(errno); };
  const descriptor file(path);
  if (file.get() < 0) return errno_text();
  char chunk[16 << 10];
  for (;;) {
    const ssize_t got = ::read(file.get(), chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_text();
    if (got == 0) return std::nullopt;
    const std::string_view part(chunk, static_cast<std::size_t>(got));
    // As grep does: a text holds no zero byte at its start.
    if (text.empty() && part.substr(0, 4096).find('\0') != part.npos) return "";
    text += part;
    if (text.size() > file_size_max.count) return "larger than 16 MiB";
  }
}

}  // namespace

bast::result<findings> search::walk(const std::string& directory) {
  namespace fs = std::filesystem;
  findings all;
  all.directories = 1;
  std::vector<bast::fiber<findings>> parts;
  std::error_code error;
  for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    std::error_code unknown;
    const auto type = at->symlink_status(unknown).type();
    std::string path = at->path().string();
    bast::result<bast::fiber<findings>> part;
    if (unknown) {
      all.problems.push_back(path + ": " + unknown.message());
      continue;
    } else if (type == fs::file_type::directory) {
      part = start("walk directory", [this, path = std::move(path)] { return walk(path); });
    } else if (type == fs::file_type::regular) {
      part = start("read file", [this, path = std::move(path)] { return read(path); });
    } else {
      ++(type == fs::file_type::symlink ? all.links : all.others);
      continue;
    }
    if (!part) return std::unexpected(part.error());
    parts.push_back(*std::move(part));
  }
  if (error) all.problems.push_back(directory + ": " + error.message());
  for (auto& part : parts) {
    auto found = part.join();
    if (!found) return found;
    all.add(*std::move(found));
  }
  return all;
}

bast::result<findings> search::read(const std::string& path) {
  const auto file = std::make_shared<file_text>();
  file->path = path;
  if (const auto problem = read_text(path, file->text)) {
    findings none;
    if (problem->empty()) {
      none.binaries = 1;
    } else {
      none.problems.push_back(path + ": " + *problem);
    }
    return none;
  }
  meters_.files.add();
  meters_.bytes_read.add(file->text.size());
  std::vector<bast::fiber<pattern_findings>> parts(patterns_.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const pattern& p = patterns_[i];
    if (p.report_absence && !is_header(path)) continue;
    // The text is shared: if this fiber fails, those may run on.
    auto part =
        start(p.title, [this, &p, text = shared_text(file)] { return match(p, *text); }, p.site);
    if (!part) return std::unexpected(part.error());
    parts[i] = *std::move(part);
  }
  findings all;
  all.files = 1;
  all.bytes_read = file->text.size();
  all.of.resize(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i]) continue;
    auto found = parts[i].join();
    if (!found) return std::unexpected(found.error());
    all.of[i] = *std::move(found);
  }
  return all;
}

bast::result<pattern_findings> search::match(const pattern& p, const file_text& file) {
  pattern_findings all;
  std::size_t paused_at = 0;
  pieces cut(p.where, file.text);
  for (std::string_view piece; cut.next(piece);) {
    demo::match m = try_match(p, piece);
    if (p.report_absence && (m.what == verdict::found || m.what == verdict::absent)) {
      m.what = m.what == verdict::found ? verdict::absent : verdict::found;
      m.all = m.word = {};
    }
    if (m.what != verdict::absent) {
      all.add(p, m, file.path + ':' + std::to_string(cut.line()));
    }
    if (cut.position() - paused_at < slice_bytes) continue;
    paused_at = cut.position();
    if (auto goes_on = bast::yield_now(); !goes_on) return std::unexpected(goes_on.error());
  }
  all.files = all.finds != 0 ? 1 : 0;
  return all;
}

}  // namespace demo
