// SPDX-License-Identifier: Apache-2.0
//
// Snapshots for other programs: a spreadsheet, a monitoring system. JSON is the recording itself,
// see model/recording.hpp.
#pragma once

#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// RFC 4180, one line per site, sizes in bytes. A field that a spreadsheet would treat as a formula
/// is prefixed with an apostrophe.
std::string export_csv(const snapshot& of);

/// Prometheus' text exposition format 0.0.4, sizes in bytes. The buckets and the count of the
/// depths' histogram are exact. Its sum is not recorded: each sample counts as the middle of its
/// bucket in the registry, so averages are exact to 32 bytes up to 4 KiB and to 1.6 % above; HELP
/// says this.
std::string export_prometheus(const snapshot& of);

}  // namespace bast_stacks
