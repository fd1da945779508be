// SPDX-License-Identifier: Apache-2.0
//
// A recording: a snapshot as a JSON document, to keep, to move, and for other programs.
//
//   {"format": "bast-stacks recording", "version": 1, "program": ..., "sites": [...], ...}
//
// Sizes are in bytes, times in nanoseconds, addresses are those of the process. The same snapshot
// always gives the same text. Unknown members are ignored, so version 1 may gain some; documents of
// other versions are refused.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace bast_stacks {

inline constexpr std::string_view recording_format = "bast-stacks recording";
inline constexpr std::uint64_t recording_version = 1;

/// The document, one line per record. Text that is not UTF-8 is replaced character by character.
/// Contains everything except `site::raw` and the origin of the snapshot.
std::string to_json(const snapshot& of);

/// Parses a document. `name` names it in `snapshot::what` and in errors, which give the place:
/// "x.json: sites[3].uses: expected ...". The result is consistent: indices are in range,
/// histograms ascend.
std::expected<snapshot, problem> from_json(std::string_view text, std::string_view name);

}  // namespace bast_stacks
