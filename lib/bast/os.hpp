// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `os`: every system call (decision D12), and fault injection for each. The
// layers above make none of their own, except a child between clone and exec
// (process/spawn_child.cpp); liburing makes its own.
#pragma once

#include <bast/config.hpp>

#include "bast/os/alternate_stack.hpp"
#include "bast/os/atomics.hpp"
#include "bast/os/clock.hpp"
#include "bast/os/descriptor.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/fork_mark.hpp"
#include "bast/os/heap.hpp"
#include "bast/os/keep_loaded.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/path.hpp"
#include "bast/os/pipe.hpp"
#include "bast/os/poller.hpp"
#include "bast/os/process.hpp"
#include "bast/os/process_group.hpp"
#include "bast/os/processors.hpp"
#include "bast/os/signal.hpp"
#include "bast/os/thread.hpp"
#include "bast/os/thread_end.hpp"
