// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/unwind.hpp"

#if BAST_EXCEPTIONS

#include <cxxabi.h>

#include <new>
#include <typeinfo>

#include "bast/coro/pool_core.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

[[noreturn]] void end_for_swallowing(coro_block& block) noexcept {
  const char* const name = block.stack->name;
  pool_core* const home = chunk::of(block).owner;
  text diagnostic;
  diagnostic << "bast: coroutine '" << (name != nullptr ? name : "(unnamed)") << "', started at ";
  home->site_of(block).describe(diagnostic);
  diagnostic << ", swallows the unwinding of its release: it tried to suspend " << refusals_max
             << " times more. Its loop must end when this_coro::unwinding()\n";
  violation(diagnostic);
}

#ifdef __GLIBCXX__
// The streams of libstdc++ swallow every exception except abi::__forced_unwind, with which the C
// library unwinds cancelled threads. That class cannot be a base, but a thrown type may claim it as
// one: this is the type information of forced_unwind, with it as a base without members. Code that
// catches it by that name, libstdc++ and handlers for cancelled threads, rethrows it.
std::type_info* type_that_streams_let_pass() noexcept {
  using derived = abi::__si_class_type_info;
  // Never destroyed: the last destructor of the program may release coroutines.
  alignas(derived) static std::byte place[sizeof(derived)];
  static std::type_info* const made = new (place)
      derived(typeid(forced_unwind).name(),
              static_cast<const abi::__class_type_info*>(&typeid(abi::__forced_unwind)));
  return made;
}
#endif

}  // namespace

void throw_forced_unwind() {
#ifdef __GLIBCXX__
  auto* const thrown = abi::__cxa_allocate_exception(sizeof(forced_unwind));
  abi::__cxa_throw(new (thrown) forced_unwind(), type_that_streams_let_pass(), nullptr);
#else
  throw forced_unwind();
#endif
}

void refuse_suspension(coro_block& unwinding) {
  // No value crosses a switch during unwinding, so the word for it holds the count.
  const auto refused = reinterpret_cast<std::uintptr_t>(unwinding.transfer) + 1;
  unwinding.transfer = reinterpret_cast<void*>(refused);
  if (refused > refusals_max) [[unlikely]]
    end_for_swallowing(unwinding);
  throw_forced_unwind();
}

}  // namespace bast::inline BAST_ABI::internal

#endif
