// SPDX-License-Identifier: Apache-2.0
//
// The face of layer `base`: the vocabulary that every other layer uses. Independent of the
// operating system and the CPU. base/README.md states its contract.
#pragma once

#include <bast/config.hpp>

#include "bast/base/bytes.hpp"
#include "bast/base/check.hpp"
#include "bast/base/error.hpp"
#include "bast/base/linked_list.hpp"
#include "bast/base/mitigation.hpp"
#include "bast/base/text.hpp"
