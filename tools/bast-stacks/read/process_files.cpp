// SPDX-License-Identifier: Apache-2.0
#include "read/process_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <string>

namespace bast_stacks {

void find_files_here(pid_t pid, std::vector<module>& modules) {
  const std::string root = fmt::format("/proc/{}/root", pid);
  for (module& each : modules) {
    if (!each.path.starts_with('/')) continue;
    const std::string its = root + each.path;
    struct stat theirs{};
    // Its file system is untrusted: opening anything but a regular file might fail or block.
    if (::stat(its.c_str(), &theirs) != 0 || !S_ISREG(theirs.st_mode)) continue;
    struct stat ours{};
    const bool same = ::stat(each.path.c_str(), &ours) == 0 && ours.st_dev == theirs.st_dev &&
                      ours.st_ino == theirs.st_ino;
    if (!same) each.here = its;
  }
}

}  // namespace bast_stacks
