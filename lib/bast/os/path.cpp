// SPDX-License-Identifier: Apache-2.0
#include "bast/os/path.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {

using internal::failed;
using internal::system_call;

result<void> check_executable(const char* path) noexcept {
  constexpr static_string operation = "os.check_executable";
  struct stat found{};
  if (system_call(call::open, -1, [&] { return ::stat(path, &found); }) != 0) {
    return failed(operation, "stat refused the path");
  }
  if (!S_ISREG(found.st_mode)) {
    return std::unexpected(error::from_errno(EACCES, operation, "this is no regular file"));
  }
  // AT_EACCESS: execve uses the effective ids, too.
  const int status =
      system_call(call::open, -1, [=] { return ::faccessat(AT_FDCWD, path, X_OK, AT_EACCESS); });
  if (status != 0) {
    return failed(operation, "the file may not be executed");
  }
  return {};
}

result<void> working_directory(std::span<char> space) noexcept {
  const char* const path = system_call(call::open, static_cast<char*>(nullptr),
                                       [=] { return ::getcwd(space.data(), space.size()); });
  if (path == nullptr) {
    return failed("os.working_directory", "getcwd refused");
  }
  return {};
}

}  // namespace bast::inline BAST_ABI::os
