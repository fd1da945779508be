// SPDX-License-Identifier: Apache-2.0
//
// The coroutine functions of the demo: one for each kind, with what it yields, receives and
// returns. None depends on its resumer.
#pragma once

#include <bast/coro.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pattern.hpp"

namespace demo {

/// Larger files are named in the report, not searched.
inline constexpr bast::bytes file_size_max{16 << 20};

struct file_text {
  std::string path;
  std::string text;
};
using shared_text = std::shared_ptr<const file_text>;

/// A walker's yield.
struct entry {
  enum class kind { file, directory, link, other, unreadable } kind = kind::other;
  std::string path;
  std::string problem;  // when unreadable
};

/// A reader's result: a text, or the reason why there is none.
struct read_result {
  std::unique_ptr<file_text> file;  // null if it could not be read, or is no text
  std::string problem;              // "path: why"; empty for a binary
};

/// A matcher's yield; `absent` is a pause.
struct find {
  std::size_t pattern = 0;
  const file_text* file = nullptr;
  std::size_t line = 0;
  match what;
};

/// The collector's record of one pattern.
struct pattern_summary {
  std::size_t finds = 0;
  std::size_t longest = 0;            // bytes of the longest find
  std::string longest_at;             // file:line of it
  std::string first_at;               // file:line of the first find
  std::vector<std::string> too_deep;  // file:line of each text that was given up
  std::vector<std::string> too_long;
  std::unordered_map<std::string, std::size_t> words;
};
using summary = std::vector<pattern_summary>;

/// Yields the contents of `directory`, itself not included.
void walk(const std::string& directory, bast::yielder<entry>& out);

/// Reads a file, suspending after each 16 KiB.
read_result read_file(const std::string& path, bast::yielder<>& others);

/// Yields each find of `p`, and a pause after each 16 KiB of text without one. Returns the number
/// of finds.
std::size_t match_text(const pattern& p, std::size_t index, const file_text& file,
                       bast::yielder<find>& out);

/// Takes finds, `first` and then those that it is resumed with, up to one that names no file.
summary collect(const std::vector<pattern>& patterns, find first, bast::yielder<void, find>& in);

}  // namespace demo
