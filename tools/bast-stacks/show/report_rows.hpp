// SPDX-License-Identifier: Apache-2.0
//
// The rows of a report, sorted; part of report.cpp.
#pragma once

#include <cstddef>
#include <vector>

#include "show/recommend.hpp"
#include "show/report.hpp"
#include "show/table.hpp"

namespace bast_stacks::internal {

/// The table with the first `most` rows of `of` in the order of the options; `hidden` gets the
/// number of the others. Sites without a use have no row.
table rows_of(const snapshot& of, const advice& all, const report_options& options,
              std::size_t most, std::size_t& hidden);

}  // namespace bast_stacks::internal
