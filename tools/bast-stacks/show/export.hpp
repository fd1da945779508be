// SPDX-License-Identifier: Apache-2.0
//
// Snapshots for other programs: a spreadsheet, a monitoring system. JSON is the recording itself,
// see model/recording.hpp.
#pragma once

#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// RFC 4180, a line a site, sizes in bytes. A field that a spreadsheet would take for a formula
/// begins with an apostrophe.
std::string export_csv(const snapshot& of);

/// Prometheus' text exposition format 0.0.4, sizes in bytes. The depths are a histogram without a
/// `_sum`, because the sum is not recorded: everything works on it but averages.
std::string export_prometheus(const snapshot& of);

}  // namespace bast_stacks
