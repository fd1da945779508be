// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bast/config.hpp>
#include "bast/op/branch.hpp"
#include "bast/op/meeting.hpp"
#include "bast/op/performer.hpp"
