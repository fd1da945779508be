// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `process`: running programs. process/README.md says what it promises.
//
//   auto list = bast::command::argv({"ls", "-l"});
//   list.cwd("/tmp").stdout_capture();
#pragma once

#include "bast/process/command.hpp"
#include "bast/process/spawn.hpp"
