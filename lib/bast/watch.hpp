// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `watch`.
#pragma once

#include "bast/watch/abi.hpp"
