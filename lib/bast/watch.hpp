// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `watch`: what a process publishes about its stacks for an inspector.
// watch/README.md describes the design; docs/inspector.md is for users.
#pragma once

#include <bast/config.hpp>

#include "bast/watch/abi.hpp"
#include "bast/watch/listen.hpp"
#include "bast/watch/memory_image.hpp"
#include "bast/watch/registry.hpp"
#include "bast/watch/site.hpp"
