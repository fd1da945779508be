// SPDX-License-Identifier: Apache-2.0
#include "bast/process/result.hpp"

namespace bast::inline BAST_ABI {

const char* name_of(process_ending ending) noexcept {
  switch (ending) {
    case process_ending::exited: return "exited";
    case process_ending::timed_out: return "timed out";
    case process_ending::cancelled: return "cancelled";
    case process_ending::limit: return "limit";
  }
  return "?";
}

result<void> process_result::check() const noexcept {
  constexpr static_string operation = "process.check";
  switch (ended_by) {
    case process_ending::timed_out:
      return fail(errc::timed_out, operation, "the process ran into its timeout", pid);
    case process_ending::cancelled:
      return fail(errc::cancelled, operation, "the process was cancelled", pid);
    case process_ending::limit:
      return fail(errc::limit, operation, "the process wrote more than its capture may hold", pid);
    case process_ending::exited: break;
  }
  switch (status.how) {
    case exit_status::kind::lost:
      return fail(errc::lost, operation, "another waiter reaped the process", pid);
    case exit_status::kind::signalled:
      return fail(errc::failed_exit, operation, "a signal ended the process", status.code);
    case exit_status::kind::exited: break;
  }
  if (status.code == 0) return {};
  return fail(errc::failed_exit, operation, "the exit code is not 0", status.code);
}

}  // namespace bast::inline BAST_ABI
