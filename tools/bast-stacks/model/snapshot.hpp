// SPDX-License-Identifier: Apache-2.0
//
// `snapshot`: all that is known of the stacks of one process at one moment. What reads a process, a
// core file or a recording makes one; what reports, recommends, draws, compares and checks takes
// one and looks at nothing else. Plain data, in the units that its names say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bast/watch/abi.hpp"

namespace bast_stacks {

/// A file that was mapped into the process. A recording carries these, so that frames can be named
/// later and elsewhere, when the files have the same build id.
struct module {
  std::string path;
  std::string build_id;    // hex, or empty
  std::uint64_t base = 0;  // what was added to the addresses in the file (the load bias)
  std::uint64_t low = 0;   // lowest mapped address
  std::uint64_t high = 0;  // end of the highest
  std::string here{};      // where to read it, when `path` is another file here; not in a recording
  const std::string& read_from() const { return here.empty() ? path : here; }
};

/// One call on a stack. `stack_bytes` is what this call took: from its caller's frame to its own
/// end, return address included.
struct frame {
  std::uint64_t pc = 0;
  std::string function;  // demangled; empty when it has no name
  std::string file;      // of the source, empty without debug information
  std::uint32_t line = 0;
  std::string module;                // file name of the module, empty when none holds pc
  std::uint64_t module_offset = 0;   // pc less the module's base
  std::uint64_t function_start = 0;  // the same of where its function begins; 0: not known
  std::uint64_t stack_bytes = 0;
  bool confirmed = false;  // the unwind tables agree that this frame's caller is the next one
};

/// How a site's stack looked at its deepest growth or page fault: deepest frame first.
/// `omitted_bytes` lie between `inner` frames at the deep end and the rest, when there were too
/// many to record.
struct backtrace {
  std::uint64_t depth = 0;  // bytes from the top to what was touched; 0: there is none
  std::vector<frame> frames;
  std::size_t inner = 0;
  std::uint64_t omitted_bytes = 0;
};

/// Depths of the samples of a site, by the buckets of the registry; only those that are not empty,
/// ascending.
struct bucket {
  std::uint32_t index = 0;  // bast::watch::bucket_low/high say what it holds
  std::uint64_t count = 0;
};

/// A spawn site, over all pools that had it.
struct site {
  bast::watch::site_kind kind = bast::watch::site_kind::other;
  std::string where;          // file, or label
  bool where_is_cut = false;  // only the end of it is known
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint64_t uses = 0;     // finished and measured, or pending; `max` is of the measured
  std::uint64_t pending = 0;  // of them: not measured yet
  std::uint64_t samples = 0;  // what `histogram` is of
  std::uint64_t grows = 0;
  std::uint64_t max = 0;         // bytes; of released stacks, of growth, and of live ones if seen
  std::uint64_t overflows = 0;   // uses that needed more than there was: `max` is less than that
  std::uint64_t max_age_ns = 0;  // since that was read; 0 when not known
  std::vector<bucket> histogram;
  std::uint64_t live = 0;   // stacks in use now
  std::uint64_t held = 0;   // stacks that are live or kept for this site: about its peak of live
  std::uint64_t limit = 0;  // of its pool, bytes; when pools differ, where the margin is smallest
  std::uint64_t window = 0;
  std::uint64_t max_in_limit = 0;    // of pools of that limit; 0: `max` is
  std::vector<std::uint64_t> pools;  // ids of the pools that have it; empty when they are gone
  backtrace deepest;
  bast::watch::deepest_stack raw{};  // what `deepest` is made from; not in a recording
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
  std::uint64_t gone = 0;    // 0: it is there; else how many pools like this one there were
  std::uint64_t stacks = 0;  // ever opened; of pools that are gone, the most that one of them had
  std::uint64_t live = 0;
  std::uint64_t resident = 0;  // bytes, where it was looked at
  std::uint64_t max = 0;       // bytes, of its own uses; 0: none, or an earlier version recorded
};

/// A stack that is in use. Depth is an interval: at least `depth`, the deepest byte that is not
/// zero; at most `depth_at_most`, the lowest page that is there.
struct live_stack {
  std::uint64_t pool = 0;  // id
  std::size_t site = 0;    // index in snapshot::sites
  std::string name;        // of the coroutine, or empty
  std::uint64_t top = 0;   // address
  std::uint64_t low = 0;   // lowest address that can be opened
  std::uint64_t open_low = 0;
  std::uint64_t depth = 0;
  std::uint64_t depth_at_most = 0;
  std::uint64_t resident = 0;        // bytes
  bool shared_with_earlier = false;  // earlier uses of it were not scrubbed: depth is of them all
  bool scanned = false;              // false: depth is not known
  std::uint64_t sp = 0;              // while suspended, else 0
  std::uint64_t pc = 0;
  std::uint64_t fp = 0;
  std::uint64_t coro = 0;  // address of its control block, or 0
  bast::watch::coro_state state = bast::watch::coro_state::free;
  bool parked = false;
  bool crashed = false;  // core files: a thread that a signal stopped was on it
};

enum class source_kind { live, core, recording, shared_registry };

struct snapshot {
  source_kind from = source_kind::live;
  std::string what;  // the file or process, as a reader would name it
  std::uint64_t pid = 0;
  std::uint64_t others = 0;  // further processes that are in it: children, programs that it became
  std::string program;       // path of its executable
  std::string library;       // "bast 0.1.0"
  std::string compiler;
  std::uint16_t machine = 0;  // ELF's e_machine
  std::uint32_t page_bytes = 4096;
  std::uint64_t built = 0;       // bast::watch::built_*
  std::uint32_t modes = 0;       // bast::watch::mode_*
  std::uint64_t runtime_ns = 0;  // since its registry was made; 0 when not known
  std::vector<module> modules;
  std::vector<pool> pools;
  std::vector<site> sites;  // by where, line, column
  std::vector<live_stack> stacks;
  std::uint64_t overhead_ns = 0;  // what taking this snapshot took
  /// What is missing from the picture, a sentence each: every report ends with them.
  std::vector<std::string> not_seen;
};

/// Why something could not be done: what, and the one line that would help, or empty. `status` is
/// the exit status of the program: 2 usage, 3 cannot attach or read; of `run` also what the program
/// that it ran ended with.
struct problem {
  int status = 3;
  std::string what;
  std::string remedy;
};

}  // namespace bast_stacks
