// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `process`: starting programs and supervising them to their end.
// process/README.md states its guarantees. `uring_adapter` is part of bast::bast, everything else
// of bast::core.
//
//   auto list = bast::command::argv({"ls", "-l"});
//   list.cwd("/tmp").out(bast::to::capture{});
#pragma once

#include <bast/config.hpp>

#include "bast/process/byte_buffer.hpp"
#include "bast/process/command.hpp"
#include "bast/process/driver.hpp"
#include "bast/process/epoll_adapter.hpp"
#include "bast/process/machine.hpp"
#include "bast/process/perform.hpp"
#include "bast/process/result.hpp"
#include "bast/process/spawn.hpp"
#include "bast/process/uring_adapter.hpp"
