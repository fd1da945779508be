// SPDX-License-Identifier: Apache-2.0
//
// Names from a target, in XML, SVG and HTML.
#pragma once

#include <string>
#include <string_view>

namespace bast_stacks {

/// Clean text that is safe between tags and in a quoted attribute.
std::string markup(std::string_view text);

}  // namespace bast_stacks
