// SPDX-License-Identifier: Apache-2.0
//
// A plug-in may contain this library and be unloaded. What the process or a thread keeps of it must
// not go with it: a signal handler, the destructor of a pthread key, the code of a thread.
#pragma once

#include <bast/config.hpp>

namespace bast::os {

/// From here on dlclose does not unload the object (the program or shared library) that contains
/// this function. Idempotent and thread-safe; takes the dynamic linker's lock. Does nothing in a
/// program that is linked statically. Never fails: an object that the dynamic linker does not know
/// cannot be unloaded by it.
void keep_loaded() noexcept;

}  // namespace bast::os
