// SPDX-License-Identifier: Apache-2.0
//
// `fake_files`: files with scripted contents, such as those of /proc, and errors of opening them.
// All other files are real.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "read/testing/faulty_calls.hpp"

namespace bast_stacks::testing {

struct fake_files {
  std::map<std::string, std::string> texts;
  std::map<std::string, int> errors;
  std::vector<std::string> opened;  // all of them, including the real ones

  answered_call opens{called::open, [this](const auto& given) -> std::optional<long> {
                        opened.emplace_back(reinterpret_cast<const char*>(given[0]));
                        const std::string& path = opened.back();
                        if (const auto error = errors.find(path); error != errors.end())
                          return -error->second;
                        const auto text = texts.find(path);
                        if (text == texts.end()) return std::nullopt;
                        const int fd = ::memfd_create("fake", MFD_CLOEXEC);
                        (void)!::pwrite(fd, text->second.data(), text->second.size(), 0);
                        return fd;
                      }};
};

}  // namespace bast_stacks::testing
