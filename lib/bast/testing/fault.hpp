// SPDX-License-Identifier: Apache-2.0
//
// Deliberate faults: an inaccessible page, a load whose address is in a known register, and a
// `require` for the children of death tests, where EXPECT_* would have no effect.
#pragma once

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bast/os.hpp"

namespace bast::test {

/// Ends a death test's child with status 1 and `sentence` if `holds` is false.
inline void require(bool holds, const char* sentence) {
  if (holds) return;
  text line;
  line << "required: " << sentence << '\n';
  os::write_diagnostic(line.c_str(), line.view().size());
  _exit(1);
}

/// One reserved page, inaccessible until opened.
class forbidden_page {
 public:
  forbidden_page() : base_(os::reserve(os::page_bytes(), os::page_bytes()).value()) {}
  ~forbidden_page() { os::release(base_, os::page_bytes()); }
  forbidden_page(const forbidden_page&) = delete;
  forbidden_page& operator=(const forbidden_page&) = delete;

  std::byte* address() const { return base_ + 64; }
  bool open() const {
    return os::protect(base_, os::page_bytes(), os::access::read_write).has_value();
  }

 private:
  std::byte* base_;
};

/// The frame of the latest `load_from`, which its fault must report as the frame pointer.
inline std::uintptr_t load_frame = 0;

/// Loads a word with one instruction, whose address operand a handler can find and change.
[[gnu::noinline]] inline std::uint64_t load_from(const void* address) {
  load_frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  std::uint64_t value = 0;
#if defined(__x86_64__)
  register const void* where asm("rdi") = address;
  asm volatile("movq (%%rdi), %0" : "=r"(value), "+r"(where) : : "memory");
#else
  register const void* where asm("x0") = address;
  asm volatile("ldr %0, [x0]" : "=&r"(value), "+r"(where) : : "memory");
#endif
  return value;
}

/// Changes the address that the interrupted `load_from` is about to use.
inline void redirect_load(void* context, const void* address) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto target = reinterpret_cast<std::uintptr_t>(address);
#if defined(__x86_64__)
  machine.gregs[REG_RDI] = static_cast<greg_t>(target);
#else
  machine.regs[0] = target;
#endif
}

/// Takes SIGSEGV from a sanitizer that may handle it, so that the child of a death test starts like
/// a plain program.
inline void start_from_default_action() { ::signal(SIGSEGV, SIG_DFL); }

/// Installs an action for SIGSEGV as an application would.
inline void install_application_handler(const struct sigaction& action) {
  require(::sigaction(SIGSEGV, &action, nullptr) == 0, "the application's handler is installed");
}

}  // namespace bast::test
