// SPDX-License-Identifier: Apache-2.0
//
// The options for recommendations: the confidence, and the bounds, by hand (--bound) or from the
// code (--static).
#pragma once

#include <expected>
#include <string>

#include "cli/arguments.hpp"
#include "code/static.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

/// The confidence only, for callers that look at a process repeatedly.
recommend_options confidence_of(const arguments& with);

/// All options, for the sites of `of`. Errors: an invalid bound, or one that matches no site; code
/// that cannot be analysed, or is of another build than the process.
std::expected<recommend_options, problem> recommend_options_of(const snapshot& of,
                                                               const arguments& with);

/// The options for the analysis of `with.elf`.
static_options static_options_of(const arguments& with);

/// That analysis, to compare with measurements. Errors: the analysis fails; the file is of another
/// build than the process.
std::expected<static_report, problem> code_that_ran(const snapshot& of, const arguments& with);

/// The annotations shipped with bast-stacks: beside the executable, as installed or as built. Empty
/// if their place is not known.
std::string shipped_annotations();

}  // namespace bast_stacks
