// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/report.hpp"

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

struct cause_words {
  const char* what;
  const char* remedy;
};

cause_words words_of(overflow_cause cause) noexcept {
  switch (cause) {
    case overflow_cause::limit:
      return {"the stack reached its limit", "raise stack_options::limit or recurse less"};
    case overflow_cause::pool_budget:
      return {"the pool's budget of open stack bytes is spent", "raise stack_options::budget"};
    case overflow_cause::process_budget:
      return {"the process's budget of open stack bytes is spent",
              "raise the limit of process_stack_budget()"};
    case overflow_cause::kernel:
      return {"the kernel refused to open more of the stack",
              "check free memory, vm.max_map_count and locked memory"};
    case overflow_cause::guard_skipped:
      return {
          "a frame was larger than the rest of the stack and the guard, and reached another stack",
          "compile with -fstack-clash-protection, and raise stack_options::limit"};
  }
  return {"?", "?"};
}

}  // namespace

void compose_overflow_report(const overflow_info& info, text& out) noexcept {
  const cause_words words = words_of(info.cause);
  out << "bast: stack overflow in coroutine ";
  if (info.name != nullptr) {
    out << '\'' << info.name << '\'';
  } else {
    out << "(unnamed)";
  }
  out << ", spawned at ";
  info.site.describe(out);
  out << "\n  " << words.what << ": limit ";
  out.size(info.limit.count) << ", open ";
  out.size(info.open.count) << ", depth ";
  out.size(info.depth.count) << ", grown " << info.grows << " times\n  fault address ";
  out.hex(info.fault_address) << ", stack pointer ";
  out.hex(info.stack_pointer) << ", instruction ";
  out.hex(info.program_counter) << "\n  to fix it: " << words.remedy << '\n';
}

void write_overflow_report(const overflow_info& info) noexcept {
  text out;
  compose_overflow_report(info, out);
  out << "  backtrace:\n";
  os::write_diagnostic(out.view().data(), out.view().size());
  os::write_backtrace();
}

}  // namespace bast::inline BAST_ABI
