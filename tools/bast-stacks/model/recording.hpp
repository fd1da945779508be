// SPDX-License-Identifier: Apache-2.0
//
// A recording: a snapshot as a JSON document, for later, for elsewhere and for other programs.
//
//   {"format": "bast-stacks recording", "version": 1, "program": ..., "sites": [...], ...}
//
// Sizes are in bytes, times in nanoseconds, addresses are the process's. The same snapshot always
// gives the same text. Members that nobody here knows are ignored, so version 1 may gain some; a
// document of another version is refused.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace bast_stacks {

inline constexpr std::string_view recording_format = "bast-stacks recording";
inline constexpr std::uint64_t recording_version = 1;

/// The document, one line a record. Text of the process that is not UTF-8 is replaced character by
/// character. Everything is kept but `site::raw` and where the snapshot came from.
std::string to_json(const snapshot& of);

/// Reads one. `name` is what the document is called in `snapshot::what` and in errors, which name
/// the place in it: "x.json: sites[3].uses: expected ...". What it returns is consistent: indices
/// are in range, histograms ascend.
std::expected<snapshot, problem> from_json(std::string_view text, std::string_view name);

}  // namespace bast_stacks
