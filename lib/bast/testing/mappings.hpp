// SPDX-License-Identifier: Apache-2.0
//
// `mappings`: the address space of the process, read from /proc/self/maps. The baseline of every
// test that checks for leaks: take one before and one after, and compare. Under the address, thread
// and memory sanitizers, which map memory at any time, all counts are zero.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <string_view>

namespace bast::test {

struct mappings {
  std::size_t count = 0;       // lines; neighbours of the same kind share one
  std::size_t byte_count = 0;  // address space, whether or not it is resident

  static constexpr bool counted =
      !BAST_WITH_ASAN && !BAST_WITH_TSAN && !BAST_WITH_MSAN && !BAST_WITH_VALGRIND;

  /// Reads without allocating, so that reading changes nothing.
  static mappings now() {
    mappings seen;
    if (!counted) return seen;
    const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) std::abort();  // Without /proc, or a free descriptor, nothing can be counted.
    char buffer[4096];
    line_parser parser(seen);
    for (ssize_t size = 1; size > 0;) {
      size = ::read(fd, buffer, sizeof buffer);
      if (size > 0) parser.feed({buffer, static_cast<std::size_t>(size)});
    }
    ::close(fd);
    return seen;
  }

  friend bool operator==(mappings, mappings) = default;
  friend std::ostream& operator<<(std::ostream& out, mappings m) {
    return out << m.count << " mappings of " << m.byte_count << " bytes";
  }

 private:
  /// A line begins with "low-high " in hexadecimal; the rest is ignored.
  class line_parser {
   public:
    explicit line_parser(mappings& seen) : seen_(seen) {}
    void feed(std::string_view part) {
      for (const char c : part) {
        if (c == '\n') {
          number_ = low_ = 0;
          in_addresses_ = true;
        } else if (in_addresses_) {
          step(c);
        }
      }
    }

   private:
    void step(char c) {
      if (c == '-') {
        low_ = number_;
        number_ = 0;
      } else if (c == ' ') {
        ++seen_.count;
        seen_.byte_count += number_ - low_;
        in_addresses_ = false;
      } else {
        number_ = number_ * 16 + static_cast<std::uintptr_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      }
    }
    mappings& seen_;
    std::uintptr_t number_ = 0;
    std::uintptr_t low_ = 0;
    bool in_addresses_ = true;
  };
};

}  // namespace bast::test
