// SPDX-License-Identifier: Apache-2.0
#include "routines.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace demo {
namespace {

// The text that a matcher searches before it yields to the others.
constexpr std::size_t slice_bytes = 16 << 10;

entry describe(const std::filesystem::directory_entry& found) {
  std::error_code error;
  const auto status = found.symlink_status(error);
  entry e{.kind = entry::kind::other, .path = found.path().string(), .problem = {}};
  if (error) {
    e.kind = entry::kind::unreadable;
    e.problem = error.message();
  } else if (status.type() == std::filesystem::file_type::directory) {
    e.kind = entry::kind::directory;
  } else if (status.type() == std::filesystem::file_type::regular) {
    e.kind = entry::kind::file;
  } else if (status.type() == std::filesystem::file_type::symlink) {
    e.kind = entry::kind::link;
  }
  return e;
}

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

}  // namespace

void walk(const std::string& directory, bast::yielder<entry>& out) {
  std::error_code error;
  std::filesystem::directory_iterator at(directory, error);
  while (!error && at != std::filesystem::directory_iterator()) {
    out.yield(describe(*at));
    at.increment(error);
  }
  if (error) {
    out.yield(
        entry{.kind = entry::kind::unreadable, .path = directory, .problem = error.message()});
  }
}

read_result read_file(const std::string& path, bast::yielder<>& others) {
  const auto refuse = [&](const std::string& why) {
    return read_result{.file = nullptr, .problem = path + ": " + why};
  };
  const auto refuse_errno = [&] { return refuse(std::generic_category().message(errno)); };
  const descriptor file(path);
  if (file.get() < 0) return refuse_errno();
  auto result = std::make_unique<file_text>();
  result->path = path;
  char chunk[16 << 10];
  for (;;) {
    const ssize_t got = ::read(file.get(), chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_errno();
    if (got == 0) break;
    const std::string_view part(chunk, static_cast<std::size_t>(got));
    // As grep does: a text holds no zero byte at its start.
    if (result->text.empty() && part.substr(0, 4096).find('\0') != part.npos) return {};
    result->text += part;
    if (result->text.size() > file_size_max.count) return refuse("larger than 16 MiB");
    others.yield();
  }
  return {.file = std::move(result), .problem = {}};
}

std::size_t match_text(const pattern& p, std::size_t index, const file_text& file,
                       bast::yielder<find>& out) {
  std::size_t finds = 0;
  std::size_t paused_at = 0;
  pieces cut(p.where, file.text);
  for (std::string_view piece; cut.next(piece);) {
    match m = try_match(p, piece);
    if (p.report_absence && (m.what == verdict::found || m.what == verdict::absent)) {
      m = m.what == verdict::found ? match{} : match{.what = verdict::found, .all = {}, .word = {}};
    }
    if (m.what == verdict::found) ++finds;
    if (m.what != verdict::absent) {
      out.yield(find{.pattern = index, .file = &file, .line = cut.line(), .what = m});
    } else if (cut.position() - paused_at >= slice_bytes) {
      paused_at = cut.position();
      out.yield(find{});
    }
  }
  return finds;
}

summary collect(const std::vector<pattern>& patterns, find first, bast::yielder<void, find>& in) {
  summary all(patterns.size());
  for (find f = std::move(first); f.file != nullptr; f = in.yield()) {
    pattern_summary& s = all[f.pattern];
    const auto place = [&] { return f.file->path + ':' + std::to_string(f.line); };
    if (f.what.what == verdict::found) {
      ++s.finds;
      if (f.what.all.size() > s.longest) {
        s.longest = f.what.all.size();
        s.longest_at = place();
      }
      if (s.finds == 1) s.first_at = place();
      if (patterns[f.pattern].ranked != nullptr) ++s.words[std::string(f.what.word)];
    } else {
      (f.what.what == verdict::too_deep ? s.too_deep : s.too_long).push_back(place());
    }
  }
  return all;
}

}  // namespace demo
