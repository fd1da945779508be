// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `watch`: what a process tells about its stacks to whoever inspects it.
// watch/README.md says how; docs/inspector.md says what a user does with it.
#pragma once

#include <bast/config.hpp>

#include "bast/watch/abi.hpp"
#include "bast/watch/listen.hpp"
#include "bast/watch/memory_image.hpp"
#include "bast/watch/registry.hpp"
#include "bast/watch/site.hpp"
