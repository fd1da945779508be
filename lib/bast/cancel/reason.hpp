// SPDX-License-Identifier: Apache-2.0
//
// `cancel_reason`: why something was cancelled. The first reason stays for ever (C-2).
#pragma once

#include <cstdint>
#include <system_error>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// Who asked, or what happened. Values are stable (C-3).
enum class cancel_code : std::uint8_t {
  requested = 1,   // somebody called cancel
  deadline,        // its deadline passed
  sibling_failed,  // another member of its scope failed
  parent,          // an ancestor was cancelled: `cause` says why
  shutdown,        // the program ends
  linked_exit,     // an actor that it is linked to ended
  grace_expired,   // what was to clean up took too long
};

const char* name_of(cancel_code code) noexcept;

struct cancel_reason {
  cancel_code code = cancel_code::requested;
  /// The code of the source that was cancelled first; the same as `code` unless that is `parent`.
  /// Filled in by cancel.
  cancel_code cause = cancel_code::requested;
  /// The id of that source. Filled in by cancel.
  std::uint64_t origin = 0;
  /// The error that led to it, if one did.
  std::error_code error = {};
  /// For people; static lifetime, or null.
  const char* text = nullptr;

  /// What a wait that was cancelled for this reason fails with: errc::cancelled, whatever the code,
  /// because only the scope whose deadline it was may call it a timeout (X-3, C-15).
  bast::error as_error(static_string operation) const noexcept {
    return {errc::cancelled, operation,
            static_string::promise(text != nullptr ? text : name_of(cause))};
  }
};

}  // namespace bast::inline BAST_ABI
