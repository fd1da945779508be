// SPDX-License-Identifier: Apache-2.0
//
// Faults: a stack's real end, growth, and wild writes, which must reach the responsible handler
// with their address intact.
#include <bast/coro.hpp>
#include <bast/os.hpp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "planted_bugs.hpp"

namespace planted_bugs {
namespace {

using namespace bast::literals;

constexpr std::uintptr_t wild = 0x1234;
constexpr int handled = 43;  // the exit status of a handler that saw the right address

void write_wildly() { *reinterpret_cast<volatile char*>(wild) = 1; }

/// Recurses until `deep` bytes of stack are in use. Without the address sanitizer's
/// instrumentation, which would keep the frames on a stack of its own.
[[gnu::noinline, gnu::no_sanitize_address]] int recurse(const char* top, std::size_t deep) {
  volatile char frame[512];
  frame[0] = 1;
  const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
  const int below = static_cast<std::size_t>(top - here) < deep ? recurse(top, deep) : 0;
  return below + frame[0];
}

void recurse_in_coroutine(bast::coro_pool& pool, std::size_t deep) {
  run(pool, [deep] { (void)recurse(static_cast<const char*>(__builtin_frame_address(0)), deep); });
}

void install(void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, nullptr);
}

bool is_wild(const siginfo_t* info) {
  return info->si_addr == reinterpret_cast<void*>(wild) && info->si_code == SEGV_MAPERR;
}

/// In a child traced by its parent.
[[noreturn]] void die_traced() {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  bast::coro_pool pool = make_pool();
  recurse_in_coroutine(pool, 200 << 10);
  run(pool, write_wildly);
  ::_exit(3);
}

}  // namespace

void wild_write() {
  bast::coro_pool pool = make_pool();
  write_wildly();
}

void wild_write_in_coroutine() {
  bast::coro_pool pool = make_pool();
  run(pool, write_wildly);
}

void overflow() {
  bast::coro_pool pool = make_pool();
  recurse_in_coroutine(pool, SIZE_MAX);
}

void growth() {
  bast::coro_pool pool = make_pool(2_MiB);
  recurse_in_coroutine(pool, 1 << 20);
}

void earlier_handler() {
  install([](int, siginfo_t* info, void*) { ::_exit(is_wild(info) ? handled : 4); });
  bast::coro_pool pool = make_pool();
  recurse_in_coroutine(pool, 200 << 10);
  run(pool, write_wildly);
}

void later_handler() {
  bast::coro_pool pool = make_pool();
  install([](int signal_number, siginfo_t* info, void* context) {
    if (is_wild(info)) ::_exit(handled);
    bast::os::handle_fault(signal_number, info, context);
  });
  recurse_in_coroutine(pool, 200 << 10);
  run(pool, write_wildly);
}

void default_action() {
  const pid_t child = ::fork();
  if (child == 0) die_traced();
  int status = 0;
  siginfo_t last{};
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    const int signal_number = WSTOPSIG(status);
    if (signal_number == SIGSEGV) ::ptrace(PTRACE_GETSIGINFO, child, nullptr, &last);
    ::ptrace(PTRACE_CONT, child, nullptr, static_cast<std::intptr_t>(signal_number));
  }
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
  std::printf("the child %s, last address %s\n",
              killed ? "was killed by SIGSEGV" : "ended otherwise",
              is_wild(&last) ? "intact" : "wrong");
}

}  // namespace planted_bugs
