// SPDX-License-Identifier: Apache-2.0
//
// `cancel_reason`: why something was cancelled. The first reason is permanent (C-2).
#pragma once

#include <cstdint>
#include <system_error>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// The cause of a cancellation. Values are stable (C-3).
enum class cancel_code : std::uint8_t {
  requested = 1,   // cancel was called
  deadline,        // its deadline passed
  sibling_failed,  // another member of its scope failed
  parent,          // an ancestor was cancelled; see `cause`
  shutdown,        // the program ends
  linked_exit,     // a linked actor ended
  grace_expired,   // cleanup took too long
};

const char* name_of(cancel_code code) noexcept;

struct cancel_reason {
  cancel_code code = cancel_code::requested;
  /// The code of the source that was cancelled first; equals `code` unless that is `parent`. Set by
  /// cancel.
  cancel_code cause = cancel_code::requested;
  /// The id of that source. Set by cancel.
  std::uint64_t origin = 0;
  /// The error that led to it, if any.
  std::error_code error = {};
  /// A text for people; static lifetime, or null.
  const char* text = nullptr;

  /// The error of a wait that was cancelled for this reason: always errc::cancelled, because only
  /// the scope that set a deadline may report a timeout (X-3, C-15).
  bast::error as_error(static_string operation) const noexcept {
    return {errc::cancelled, operation,
            static_string::promise(text != nullptr ? text : name_of(cause))};
  }
};

}  // namespace bast::inline BAST_ABI
