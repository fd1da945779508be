// SPDX-License-Identifier: Apache-2.0
#include "bast/os/keep_loaded.hpp"

#include <dlfcn.h>
#include <link.h>

// Weak: a statically linked program has no dynamic linker, and these names must not pull one in.
// dlopen is looked up by name, because the linker warns about a static program that mentions it.
#pragma weak dladdr1
#pragma weak dlsym
#pragma weak dlclose

namespace bast::inline BAST_ABI::os {

void keep_loaded() noexcept {
  if (::dladdr1 == nullptr || ::dlsym == nullptr || ::dlclose == nullptr) return;
  Dl_info symbol{};
  void* object = nullptr;
  const auto* const here = reinterpret_cast<const void*>(&keep_loaded);
  if (::dladdr1(here, &symbol, &object, RTLD_DL_LINKMAP) == 0 || object == nullptr) return;
  const char* const name = static_cast<const link_map*>(object)->l_name;
  if (*name == '\0') return;  // The program itself, static ones included.
  using open_function = void* (*)(const char*, int);
  const auto open = reinterpret_cast<open_function>(::dlsym(RTLD_DEFAULT, "dlopen"));
  if (open == nullptr) return;
  // RTLD_NOLOAD: finds the loaded object by its name, even if its file is gone.
  void* const handle = open(name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (handle != nullptr) (void)::dlclose(handle);  // The flag persists.
}

}  // namespace bast::inline BAST_ABI::os
