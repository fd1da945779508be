// SPDX-License-Identifier: Apache-2.0
//
// The command that looks at code: static.
#include "cli/commands.hpp"

namespace bast_stacks {

outcome static_command(const arguments&) {
  return std::unexpected(problem{3, "static: is not in this build", {}});
}

}  // namespace bast_stacks
