// SPDX-License-Identifier: Apache-2.0
//
// What the command line says of recommendations: how sure they must be, and which bounds they keep,
// by hand (--bound) or from the code (--static).
#pragma once

#include <expected>
#include <string>

#include "cli/arguments.hpp"
#include "code/static.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

/// Only how sure they must be; for who looks at a process again and again.
recommend_options confidence_of(const arguments& with);

/// All of it, for the sites of `of`. Errors: a bound that makes no sense or matches no site; code
/// that cannot be analysed, or is of another build than what ran.
std::expected<recommend_options, problem> recommend_options_of(const snapshot& of,
                                                               const arguments& with);

/// How the code of `with.elf` is to be analysed.
static_options static_options_of(const arguments& with);

/// That analysis, where something of it is put beside what was measured. Errors: it cannot be made;
/// the file is of another build than what ran.
std::expected<static_report, problem> code_that_ran(const snapshot& of, const arguments& with);

/// The annotations that come with bast-stacks: beside the executable, as installed or as built.
/// Empty when nobody knows where that is.
std::string shipped_annotations();

}  // namespace bast_stacks
