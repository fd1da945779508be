// SPDX-License-Identifier: Apache-2.0
//
// Names come from the target and end up on terminals and in JSON: what is kept of them is UTF-8
// without control characters.
#pragma once

#include <string>
#include <string_view>

namespace bast_stacks {

/// `raw` up to its first zero byte; every byte that is a control character or no UTF-8 becomes '?'.
std::string clean_text(std::string_view raw);

}  // namespace bast_stacks
