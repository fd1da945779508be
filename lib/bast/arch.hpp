// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `arch`: the context switch, one contract in two forms for each CPU, and
// everything else that differs per CPU: frame geometry, floating-point control words, the C++
// runtime's exception state, the registers that a signal interrupted, sanitizer annotations.
// docs/context-switch.md holds the theory shared by the CPUs.
#pragma once

#include <bast/config.hpp>

#include "bast/arch/context.hpp"
#include "bast/arch/exception_state.hpp"
#include "bast/arch/float_control.hpp"
#include "bast/arch/processor.hpp"
#include "bast/arch/sanitizer.hpp"
#include "bast/arch/signal_context.hpp"
#include "bast/arch/stack_watch.hpp"
#include "bast/arch/switch.hpp"
#include "bast/arch/thread_pointer.hpp"
