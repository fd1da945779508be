// SPDX-License-Identifier: Apache-2.0
#include "interleave/trace.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace bast::interleave::internal {

namespace {

// The file and its folder.
std::string_view short_name(std::string_view path) {
  const std::size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return path;
  const std::size_t folder = path.rfind('/', last - 1);
  return folder == std::string_view::npos ? path : path.substr(folder + 1);
}

bool has_values(operation what) {
  return what != operation::end && what != operation::fence && what != operation::relax &&
         what != operation::wake_one && what != operation::wake_all;
}

bool only_looks(operation what) {
  return what == operation::load || what == operation::read || what == operation::wait;
}

bool has_order(operation what) { return what <= operation::fetch_xor || what == operation::fence; }

}  // namespace

std::string print(const place& where) {
  if (where.where.line() != 0) {
    return std::string(short_name(where.where.file_name())) + ":" +
           std::to_string(where.where.line());
  }
  if (where.pc == nullptr) return "an unknown place";
  // The input of addr2line: the offset into the file, of the call and not of the next instruction.
  Dl_info found = {};
  const char* const pc = static_cast<const char*>(where.pc) - 1;
  char offset[32];
  if (dladdr(pc, &found) == 0 || found.dli_fname == nullptr) {
    std::snprintf(offset, sizeof offset, "%p", static_cast<const void*>(pc));
    return offset;
  }
  std::snprintf(offset, sizeof offset, " 0x%tx", pc - static_cast<const char*>(found.dli_fbase));
  return "`addr2line -Cfipe " + std::string(found.dli_fname) + offset + "`";
}

std::string print(const label& object) {
  std::string out;
  if (object.name != nullptr) out = std::string(object.name) + ", ";
  out += std::string(object.kind) + " " + std::to_string(object.number);
  if (object.name == nullptr && object.made.where.line() != 0) {
    out += " (made at " + print(object.made) + ")";
  }
  return out;
}

const char* print(operation what) noexcept {
  switch (what) {
    case operation::load: return "load";
    case operation::store: return "store";
    case operation::exchange: return "exchange";
    case operation::compare_exchange: return "compare_exchange";
    case operation::fetch_add: return "fetch_add";
    case operation::fetch_sub: return "fetch_sub";
    case operation::fetch_and: return "fetch_and";
    case operation::fetch_or: return "fetch_or";
    case operation::fetch_xor: return "fetch_xor";
    case operation::read: return "read";
    case operation::write: return "write";
    case operation::end: return "end of life";
    case operation::fence: return "fence";
    case operation::wait: return "wait";
    case operation::wake_one: return "wake_one";
    case operation::wake_all: return "wake_all";
    case operation::relax: return "relax";
  }
  return "?";
}

const char* print(std::memory_order order) noexcept {
  using enum std::memory_order;
  switch (order) {
    case relaxed: return "relaxed";
    case consume: return "consume";
    case acquire: return "acquire";
    case release: return "release";
    case acq_rel: return "acq_rel";
    case seq_cst: return "seq_cst";
  }
  return "?";
}

const char* print(departure how) noexcept {
  switch (how) {
    case departure::none: return "";
    case departure::old: return " (not the latest)";
    case departure::later: return " (stored later)";
    case departure::earlier: return " (before a later one)";
    case departure::spurious: return " (spurious)";
    case departure::expired: return " (expired)";
  }
  return "?";
}

std::string print_value(std::uint64_t bits) {
  char out[24];
  std::snprintf(out, sizeof out, bits < 1'000'000 ? "%ju" : "0x%jx",
                static_cast<std::uintmax_t>(bits));
  return out;
}

std::string trace::print() const {
  std::string out;
  for (std::size_t i = count_ - std::min(count_, length); i < count_; ++i) {
    const event& e = last_[i % length];
    const operation what = e.done.what;
    out += "  thread " + std::to_string(e.thread) + "  ";
    if (e.object.number != 0) out += internal::print(e.object) + ": ";
    out += internal::print(what);
    if (has_order(what)) out += std::string(" ") + internal::print(e.done.order);
    if (has_values(what)) {
      out += " " + print_value(e.before);
      if (!only_looks(what)) out += " -> " + print_value(e.after);
    }
    out += internal::print(e.departs);
    out += "  " + internal::print(e.done.where) + "\n";
  }
  return out;
}

}  // namespace bast::interleave::internal
