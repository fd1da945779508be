// SPDX-License-Identifier: Apache-2.0
//
// The members of a process group whose leader is not reaped, so that its number is unambiguous. The
// kernel can only signal groups, so this scans /proc: two calls for each process of the machine.
// All functions are thread-safe; none allocates.
#pragma once

#include <sys/types.h>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// True if a process other than the leader is in `group` and has not ended. Errors: `limit` (no
/// free descriptor), `unsupported` (/proc belongs to another namespace), io (there is no /proc).
[[nodiscard]] result<bool> group_has_members(pid_t group) noexcept;

/// True if orphans become children of this process: it is number 1, or a subreaper.
[[nodiscard]] bool adopts_orphans() noexcept;
/// Reaps the ended children of this process in `group`, except the leader. Uses a pidfd for each,
/// because waitid(P_PGID) would find the leader first. Best effort.
void reap_orphans(pid_t group) noexcept;

}  // namespace bast::inline BAST_ABI::os
