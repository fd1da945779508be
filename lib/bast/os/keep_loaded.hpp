// SPDX-License-Identifier: Apache-2.0
//
// A plug-in may contain this library and be unloaded. Code that the process or a thread still
// refers to must stay: a signal handler, the destructor of a pthread key, the code of a thread.
#pragma once

#include <bast/config.hpp>

namespace bast::inline BAST_ABI::os {

/// Permanently prevents dlclose from unloading the object (the program or shared library) that
/// contains this function. Idempotent and thread-safe; takes the dynamic linker's lock. Does
/// nothing in a statically linked program. Never fails: the dynamic linker cannot unload an object
/// that it does not know.
void keep_loaded() noexcept;

}  // namespace bast::inline BAST_ABI::os
