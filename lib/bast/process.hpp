// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `process`: the machine that follows started children to their end, and the
// loops that run it. `uring_adapter` is part of bast::bast, everything else of bast::core.
#pragma once

#include "bast/process/byte_buffer.hpp"
#include "bast/process/epoll_adapter.hpp"
#include "bast/process/machine.hpp"
#include "bast/process/perform.hpp"
#include "bast/process/result.hpp"
#include "bast/process/uring_adapter.hpp"
