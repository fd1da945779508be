// SPDX-License-Identifier: Apache-2.0
//
// Programs run from the fibers of several workers: an adapter belongs to a thread, so each worker
// has one, made by the first of its fibers that runs a program, and turned by a daemon that is
// pinned beside it.
#pragma once

#include <bast/process.hpp>

namespace demo {

/// The adapter of this worker. In a fiber. Throws std::runtime_error.
bast::process_driver& driver_here();

}  // namespace demo
