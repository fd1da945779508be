// SPDX-License-Identifier: Apache-2.0
//
// Who is in a process group, whose number is known to be its own: the leader is not reaped. The
// kernel only signals groups, so this looks through /proc: two calls for each process of the
// machine. All functions are thread-safe; none allocates.
#pragma once

#include <sys/types.h>

#include "bast/base.hpp"

namespace bast::os {

/// True when a process that has not ended is in `group` besides its leader. Errors: `limit` (no
/// free descriptor), `unsupported` (/proc is another namespace's), io (there is no /proc).
[[nodiscard]] result<bool> group_has_members(pid_t group) noexcept;

/// True when orphans become children of this process: it is number 1, or a subreaper.
[[nodiscard]] bool adopts_orphans() noexcept;
/// Reaps the ended children of this process that are in `group`, apart from its leader. Each by a
/// pidfd: waitid(P_PGID) would find the leader first. Best effort.
void reap_orphans(pid_t group) noexcept;

}  // namespace bast::os
