// SPDX-License-Identifier: Apache-2.0
//
// From the words that a fault recorded to frames with names.
//
//   name_frames(snapshot);   // fills deepest.frames of every site that has a record
//
// The record holds the registers of the instruction that went deeper, and every word of the stack
// that points after a call. Some of those words are old. The unwind tables give the place of each
// frame's return address: a word found exactly there is one, and the frame is `confirmed`. Without
// such a rule the next plausible word is taken, unconfirmed.
//
// For any record and any files:
//   - the frames' stack_bytes and omitted_bytes add up to the depth of the backtrace;
//   - there are at most two more frames than recorded words.
// The last frame is named `start_of_stack` if bytes above the outermost call are left.
#pragma once

#include "model/snapshot.hpp"

namespace bast_stacks {

inline constexpr char start_of_stack[] = "(start of the stack)";

/// Files are kept open for the next call. Not thread-safe.
///
/// Sites without a record keep their frames. Adds a sentence to `not_seen` for each module that
/// could not be named.
void name_frames(snapshot& all);

/// The same for a single record.
backtrace frames_of(const bast::watch::deepest_stack& raw, snapshot& all);

}  // namespace bast_stacks
