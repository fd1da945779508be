// SPDX-License-Identifier: Apache-2.0
#pragma once

extern "C" int library_function(int seed);
