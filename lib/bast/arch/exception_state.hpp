// SPDX-License-Identifier: Apache-2.0
//
// The C++ runtime keeps two words per thread: the stack of exceptions being handled, and the number
// of those in flight. They belong to the flow of control, not to the thread. Unless they are
// exchanged, `throw;` after a switch inside a handler rethrows another coroutine's exception, and
// std::uncaught_exceptions() is wrong (law F-7).
//
// Both words are almost always zero at a switch, so the usual cost is two loads and a branch.
#pragma once

#include <cxxabi.h>
#include <bast/config.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifdef _LIBCPPABI_VERSION
// libc++abi defines this function of the ABI but declares it in no installed header.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1
#endif

namespace bast::inline BAST_ABI::arch {

/// The runtime's words, as the Itanium C++ ABI (section 2.2.2) lays out __cxa_eh_globals.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;

  /// One branch.
  bool empty() const noexcept { return (reinterpret_cast<std::uintptr_t>(caught) | uncaught) == 0; }
};
static_assert(std::is_standard_layout_v<exception_state>);
static_assert(offsetof(exception_state, uncaught) == sizeof(void*));

/// The calling thread's words. The address is constant for the life of the thread.
inline exception_state* exception_state_of_thread() noexcept {
  // The runtime declares the type and hides its layout; the ABI fixes it.
  return reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
}

}  // namespace bast::inline BAST_ABI::arch
