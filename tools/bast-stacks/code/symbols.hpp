// SPDX-License-Identifier: Apache-2.0
//
// From the words that a fault recorded to frames with names.
//
//   name_frames(snapshot);   // fills deepest.frames of every site that has a record
//
// The record holds the registers of the instruction that went deeper, and every word of the stack
// that points behind a call. Some of those words are old. The unwind tables say where the caller of
// each frame must be: a word that is found exactly there is a return address, and the frame is
// `confirmed`. Where the tables cannot say, the next word that makes sense is taken, unconfirmed.
//
// What holds of a result, whatever the record and the files say:
//   - the frames' stack_bytes and omitted_bytes add up to the depth of the backtrace;
//   - there are at most as many frames as recorded words, and two.
// The last frame is named `start_of_stack` when bytes above the outermost call are left.
#pragma once

#include "model/snapshot.hpp"

namespace bast_stacks {

inline constexpr char start_of_stack[] = "(start of the stack)";

/// Files are kept open for the next call. Not thread-safe.
///
/// Sites without a record keep what they have. What could not be named is said in `not_seen`, a
/// sentence for each module.
void name_frames(snapshot& all);

/// The same for a single record.
backtrace frames_of(const bast::watch::deepest_stack& raw, snapshot& all);

}  // namespace bast_stacks
