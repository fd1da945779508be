// SPDX-License-Identifier: Apache-2.0
//
// `snapshot`: everything known about the stacks of one process at one moment. Made by the readers
// of processes, core files and recordings; it is the only input of reports, recommendations,
// pictures, comparisons and checks. Plain data, in the units that its names give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bast/watch/abi.hpp"

namespace bast_stacks {

/// A file that was mapped into the process. A recording contains these, so that frames can be named
/// later and elsewhere, from files with the same build id.
struct module {
  std::string path;
  std::string build_id;    // hex, or empty
  std::uint64_t base = 0;  // load bias: mapped address less address in the file
  std::uint64_t low = 0;   // lowest mapped address
  std::uint64_t high = 0;  // end of the highest
  std::string here{};      // where to read it if `path` is another file here; not recorded
  const std::string& read_from() const { return here.empty() ? path : here; }
};

/// One call on a stack. `stack_bytes` is the size of its frame, including the return address.
struct frame {
  std::uint64_t pc = 0;
  std::string function;  // demangled; empty when it has no name
  std::string file;      // of the source, empty without debug information
  std::uint32_t line = 0;
  std::string module;                // file name of the module; empty: none contains pc
  std::uint64_t module_offset = 0;   // pc less the module's base
  std::uint64_t function_start = 0;  // the same for the start of its function; 0: not known
  std::uint64_t stack_bytes = 0;
  bool confirmed = false;  // the unwind tables agree that this frame's caller is the next one
};

/// A site's stack at its deepest growth or page fault, deepest frame first. `omitted_bytes` lie
/// between `inner` frames at the deep end and the rest, if there were too many to record.
struct backtrace {
  std::uint64_t depth = 0;  // bytes from the top to the touched address; 0: no backtrace
  std::vector<frame> frames;
  std::size_t inner = 0;
  std::uint64_t omitted_bytes = 0;
};

/// The depths of a site's samples, by the buckets of the registry: the non-empty ones, ascending.
struct bucket {
  std::uint32_t index = 0;  // see bast::watch::bucket_low/high
  std::uint64_t count = 0;
};

/// A spawn site, over all pools that it used.
struct site {
  bast::watch::site_kind kind = bast::watch::site_kind::other;
  std::string where;          // file, or label
  bool where_is_cut = false;  // only its end is known
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint64_t uses = 0;     // finished and measured, or pending; `max` covers the measured ones
  std::uint64_t pending = 0;  // of them: not measured yet
  std::uint64_t samples = 0;  // those in `histogram`
  std::uint64_t grows = 0;
  std::uint64_t max = 0;         // bytes; of released stacks, growths, and scanned live stacks
  std::uint64_t overflows = 0;   // uses that needed more than the limit: `max` is too low
  std::uint64_t max_age_ns = 0;  // since `max` was measured; 0: not known
  std::vector<bucket> histogram;
  std::uint64_t live = 0;   // stacks in use now
  std::uint64_t held = 0;   // stacks live or kept for this site: about the peak of `live`
  std::uint64_t limit = 0;  // of its pool, bytes; if pools differ, of that with the smallest margin
  std::uint64_t window = 0;
  std::uint64_t max_in_limit = 0;    // in pools of that limit; 0: equal to `max`
  std::vector<std::uint64_t> pools;  // ids of its pools; empty if they are gone
  backtrace deepest;
  bast::watch::deepest_stack raw{};  // the source of `deepest`; not in a recording
};

struct pool {
  std::uint64_t id = 0;
  std::uint32_t owner_thread = 0;
  std::string where;
  std::uint64_t limit = 0;  // bytes, like all below
  std::uint64_t guard = 0;
  std::uint64_t window = 0;
  std::uint64_t retain = 0;
  std::uint64_t budget = 0;
  std::uint8_t scrub = 0;
  std::uint8_t growth = 0;
  bool measured = true;
  std::uint64_t gone = 0;    // 0: it exists; else the number of destroyed pools like it
  std::uint64_t stacks = 0;  // ever opened; for destroyed pools the maximum of one
  std::uint64_t live = 0;
  std::uint64_t resident = 0;  // bytes, where measured
  std::uint64_t max = 0;       // bytes, of its own uses; 0: none, or recorded by an earlier version
};

/// A stack in use. Its depth is an interval: at least `depth`, the deepest nonzero byte; at most
/// `depth_at_most`, the lowest present page.
struct live_stack {
  std::uint64_t pool = 0;  // id
  std::size_t site = 0;    // index in snapshot::sites
  std::string name;        // of the coroutine, or empty
  std::uint64_t top = 0;   // address
  std::uint64_t low = 0;   // lowest address that it may grow to
  std::uint64_t open_low = 0;
  std::uint64_t depth = 0;
  std::uint64_t depth_at_most = 0;
  std::uint64_t resident = 0;        // bytes
  bool shared_with_earlier = false;  // earlier uses were not scrubbed: depth covers them all
  bool scanned = false;              // false: depth is not known
  std::uint64_t sp = 0;              // while suspended, else 0
  std::uint64_t pc = 0;
  std::uint64_t fp = 0;
  std::uint64_t coro = 0;  // address of its control block, or 0
  bast::watch::coro_state state = bast::watch::coro_state::free;
  bool parked = false;
  bool crashed = false;  // core files: a thread stopped by a signal was on it
};

enum class source_kind { live, core, recording, shared_registry };

struct snapshot {
  source_kind from = source_kind::live;
  std::string what;  // the file or process, as shown to the user
  std::uint64_t pid = 0;
  std::uint64_t others = 0;  // further processes included: children, programs after exec
  std::string program;       // path of its executable
  std::string library;       // "bast 0.1.0"
  std::string compiler;
  std::uint16_t machine = 0;  // ELF's e_machine
  std::uint32_t page_bytes = 4096;
  std::uint64_t built = 0;       // bast::watch::built_*
  std::uint32_t modes = 0;       // bast::watch::mode_*
  std::uint64_t runtime_ns = 0;  // since its registry was created; 0: not known
  std::vector<module> modules;
  std::vector<pool> pools;
  std::vector<site> sites;  // by where, line, column
  std::vector<live_stack> stacks;
  std::uint64_t overhead_ns = 0;  // the time that taking this snapshot took
  /// What the snapshot does not cover, a sentence each: every report ends with them.
  std::vector<std::string> not_seen;
};

/// Why an operation failed: `what`, and a one-line remedy, or empty. `status` is the exit status of
/// the program: 2 usage, 3 cannot attach or read; for `run` also the status of the program that it
/// ran.
struct problem {
  int status = 3;
  std::string what;
  std::string remedy;
};

}  // namespace bast_stacks
