// SPDX-License-Identifier: Apache-2.0
//
// The registry: what a process publishes about its stacks, as bytes. A reader finds it in a live
// process, in a core file or in a file descriptor. It needs neither debug information nor numbers
// copied from a source file: the version fixes the records, and the header describes, field by
// field, the library's own structures that a reader must follow (slots, control blocks).
//
//   registry + 0                   header
//            + pools.offset        pool_entry[capacity]    one per pool of stacks
//            + slabs.offset        slab_entry[capacity]    one per reservation, cut into stacks
//            + sites.offset        site_entry[capacity]    one page per spawn site of a pool
//
// Finding it: every program that contains bast has an ELF note (owner "bast", type `note_type`)
// whose descriptor is a `note`: the distance from the descriptor to the process's `anchor`, so that
// no relocation is needed. The anchor holds the registry's address once the registry exists.
//
// Reading it: the process never waits for a reader. Sequence words guard entries that change: odd
// while their part is written. A reader copies, and copies again if the word was odd or has
// changed. Single words are written atomically. Offsets are in bytes from the registry's start. All
// integers are little-endian, as on both CPUs that bast supports. Addresses are the target's.
//
// Versions: readers refuse another `version_major`. A minor version adds fields in reserved space,
// and records at the end, so a reader uses `record_bytes` instead of sizeof.
//
// A tool's file (BAST_WATCH=fd:N, a memory file called `shared_name`) holds, since version 1.2, the
// registries of several processes: of the program, of the children that it forks, of programs that
// it executes, and of further copies of the library in one process. One begins every
// `shared_stride` bytes; the first whose `pid` is 0 is free. A child's counts from its fork. The
// text of /proc/self/maps at the creation of a registry follows each, because the program may have
// ended before a tool resolves its code addresses.
//
// Only fixed-width integers and arrays of char, so that it is the same for C, Python and gdb.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast::watch {

inline constexpr std::uint64_t magic = 0x4843'5457'5453'4142;  // "BASTWTCH"
inline constexpr std::uint16_t version_major = 1;
inline constexpr std::uint16_t version_minor = 3;

// --- finding the registry ------------------------------------------------------------------------

inline constexpr char shared_name[] = "bast-registry";
inline constexpr std::uint64_t shared_stride = 128 << 20;

inline constexpr char note_owner[] = "bast";
inline constexpr std::uint32_t note_type = 1;

/// The descriptor of the ELF note.
struct note {
  std::int64_t anchor_distance;  // address of the anchor less the address of this descriptor
};
static_assert(sizeof(note) == 8);

/// The address of the registry. `registry` is 0 until the first pool is made.
struct anchor {
  std::uint64_t magic;
  std::uint64_t registry;  // address
  std::uint64_t bytes;     // of the reservation; unopened parts are inaccessible
};
static_assert(sizeof(anchor) == 24);

// --- the header ----------------------------------------------------------------------------------

/// A table of equal records.
struct table {
  std::uint64_t offset;
  std::uint32_t record_bytes;
  std::uint32_t capacity;
  std::uint32_t used;  // records 0 .. used-1 may be in use; see each one's state
  std::uint32_t lost;  // requests that found the table full
};
static_assert(sizeof(table) == 24);

/// The configuration of the library's build. Depths are only comparable between equal builds.
inline constexpr std::uint64_t built_assertions = 1 << 0;
inline constexpr std::uint64_t built_hardened = 1 << 1;
inline constexpr std::uint64_t built_address_sanitizer = 1 << 2;
inline constexpr std::uint64_t built_thread_sanitizer = 1 << 3;
inline constexpr std::uint64_t built_memory_sanitizer = 1 << 4;
inline constexpr std::uint64_t built_undefined_sanitizer = 1 << 5;
inline constexpr std::uint64_t built_valgrind = 1 << 6;
inline constexpr std::uint64_t built_unoptimized = 1 << 7;
inline constexpr std::uint64_t built_coverage = 1 << 8;

/// The header's `modes`.
inline constexpr std::uint32_t mode_deepest = 1
                                              << 0;  // every new page is a growth, see registry.hpp
inline constexpr std::uint32_t mode_shared = 1
                                             << 1;  // the registry is in a file shared with a tool

/// The fields of a slot, the library's record of one stack. Offsets in bytes.
struct slot_layout {
  std::uint16_t record_bytes;
  std::uint16_t name;       // 8: address of a string, or 0; only while live
  std::uint16_t top;        // 8: address of the stack's upper end
  std::uint16_t site;       // 2: index within its pool
  std::uint16_t countdown;  // 2: uses until the next measurement
  std::uint16_t period;     // 2: start of countdown; period - countdown uses are pending
  std::uint16_t grows;      // 2: since the last measurement
  std::uint16_t frontier;   // 2: pages between the slot's low end and its lowest open byte
  std::uint16_t state;      // 1: a slot_state
  std::uint16_t sampled;    // 1: a slot_sampling
  std::uint16_t reserved[6];
};
static_assert(sizeof(slot_layout) == 32);

/// The values of a slot's state.
enum class slot_state : std::uint8_t { unopened, idle, live, quarantined };
/// Whether the pending uses are a sample. Since version 1.3 also `told`: the process itself has
/// counted the uses before the current one, but their traces are still on the stack.
enum class slot_sampling : std::uint8_t { no, yes, told };

/// The fields of a control block.
struct coro_layout {
  std::uint16_t record_bytes;
  std::uint16_t sp;          // 8: continuation: stack pointer, program counter, frame pointer;
  std::uint16_t pc;          // 8:   valid only while suspended
  std::uint16_t fp;          // 8
  std::uint16_t tag;         // 8: generation << 32 | thread << 16 | flags << 8 | state
  std::uint16_t stack;       // 8: address of its slot, or 0
  std::uint16_t head_every;  // record 0 of each group of this size is no coroutine
  // Since version 1.1. Each is the address of three words: stack pointer, program counter and frame
  // pointer; valid only while the coroutine is running and has resumed another. Of the words of all
  // such coroutines, those whose stack pointer is on a coroutine's stack belong to it.
  std::uint16_t newest;  // 8
  std::uint16_t outer;   // 8
  std::uint16_t reserved[7];
};
static_assert(sizeof(coro_layout) == 32);

/// The state in a control block's tag, and one of its flags.
enum class coro_state : std::uint8_t { free, ready, running, suspended, finished, retired };
inline constexpr std::uint64_t coro_flag_parked = 1 << 13;

struct header {
  std::uint64_t magic;
  std::uint16_t version_major;
  std::uint16_t version_minor;
  std::uint32_t header_bytes;
  std::uint16_t machine;  // ELF's e_machine: 62 x86-64, 183 aarch64
  std::uint16_t pointer_bytes;
  std::uint32_t page_bytes;
  std::uint64_t self;        // address of this header in the process
  std::uint64_t bytes;       // of the reservation
  std::uint64_t pid;         // of the owner; a forked child has a copy, with its own
  std::uint64_t started_ns;  // CLOCK_BOOTTIME
  std::uint64_t built;       // built_* bits
  std::uint32_t modes;       // mode_* bits
  std::uint32_t reserved_1;
  table pools;
  table slabs;
  table sites;
  // The table of control blocks of the whole process. The address is 0 before the first coroutine.
  std::uint64_t coros;
  std::uint64_t coros_bytes;  // in use, from the start
  slot_layout slots;
  coro_layout blocks;
  std::uint32_t generation_bits;
  std::uint32_t reserved_2;
  char library[48];   // "bast 0.1.0"
  char compiler[80];  // "gcc 12.2.0", that built the library
  std::uint64_t reserved_3[19];
};
static_assert(sizeof(header) == 512);

// --- pools, slabs --------------------------------------------------------------------------------

enum class entry_state : std::uint32_t {
  free,
  open,    // has a writer
  closed,  // the sums of destroyed pools, and of their sites
};

inline constexpr std::uint32_t no_index = 0xffff'ffff;

/// A pool of stacks. Written once, before `state` becomes open. Since version 1.2, destroyed pools
/// that were made at one place with the same options share one closed entry, with `gone` not 0. An
/// entry that is being written is also closed, but its `gone` is 0.
struct pool_entry {
  std::uint32_t state;
  std::uint32_t owner_thread;  // gettid of the creating thread
  std::uint64_t id;            // counted from 1 in the process, never reused
  std::uint64_t limit;         // bytes, from the pool's options
  std::uint64_t guard;
  std::uint64_t window;
  std::uint64_t retain;
  std::uint64_t budget;
  std::uint8_t scrub;     // 0 none, 1 zero_used, 2 poison
  std::uint8_t growth;    // 0 fault, 1 demand
  std::uint8_t measured;  // 0: no depth is read
  std::uint8_t reserved_1[5];
  std::uint64_t gone;        // the number of pools in this sum
  std::uint64_t stacks_max;  // the most stacks that one of them had at a time
  std::uint64_t reserved_2[3];
  char where[152];  // source location of its creation, "file:line", or empty
};
static_assert(sizeof(pool_entry) == 256);

constexpr bool is_gone(const pool_entry& entry) noexcept {
  return entry.state == static_cast<std::uint32_t>(entry_state::closed) && entry.gone != 0;
}

/// A reservation of equal slots. Slot i spans [base + i * stride, base + (i + 1) * stride). Its
/// record is at slots + i * slot_layout::record_bytes.
struct slab_entry {
  std::uint32_t state;
  std::uint32_t pool;    // index in the table of pools
  std::uint32_t opened;  // slots from the low end that have ever been opened
  std::uint32_t tier;    // 1 guard markers, 2 mprotect
  std::uint64_t base;
  std::uint64_t stride;
  std::uint64_t guard;  // bytes at a slot's low end that are permanently inaccessible
  std::uint64_t slots;
  std::uint64_t reserved[2];
};
static_assert(sizeof(slab_entry) == 64);

// --- sites ---------------------------------------------------------------------------------------

/// Buckets of depths in bytes: 64 bytes wide up to 4 KiB, 1/32 octave above, up to 64 MiB. A
/// quantile is exact to 3.2 %.
inline constexpr std::uint32_t bucket_count = 512;
inline constexpr std::uint32_t linear_buckets = 64;  // of 64 bytes each
inline constexpr std::uint32_t buckets_per_octave = 32;

constexpr std::uint32_t bucket_of(std::uint64_t depth) noexcept {
  if (depth < 4096) return static_cast<std::uint32_t>(depth / 64);
  const int octave = 63 - __builtin_clzll(depth);  // at least 12
  const auto sub = static_cast<std::uint32_t>(depth >> (octave - 5)) & (buckets_per_octave - 1);
  const std::uint32_t bucket =
      linear_buckets + static_cast<std::uint32_t>(octave - 12) * buckets_per_octave + sub;
  return bucket < bucket_count ? bucket : bucket_count - 1;
}
/// The smallest depth of a bucket, and the largest. The last bucket is unbounded.
constexpr std::uint64_t bucket_low(std::uint32_t bucket) noexcept {
  if (bucket < linear_buckets) return std::uint64_t{bucket} * 64;
  const std::uint32_t octave = 12 + (bucket - linear_buckets) / buckets_per_octave;
  const std::uint32_t sub = (bucket - linear_buckets) % buckets_per_octave;
  return (std::uint64_t{1} << octave) + (std::uint64_t{sub} << (octave - 5));
}
constexpr std::uint64_t bucket_high(std::uint32_t bucket) noexcept {
  return bucket + 1 < bucket_count ? bucket_low(bucket + 1) - 1 : ~std::uint64_t{0};
}
static_assert(bucket_of(0) == 0);
static_assert(bucket_of(4095) == 63);
static_assert(bucket_of(4096) == 64);
static_assert(bucket_low(64) == 4096);
static_assert(bucket_of(bucket_high(200)) == 200);
static_assert(bucket_of(bucket_low(511)) == 511);
static_assert(bucket_of(~std::uint64_t{0}) == 511);

inline constexpr std::uint32_t return_count = 104;

/// The stack of a site when it became deeper than all before it. The fault that grew it finds it,
/// so the instruction is the first that went so deep. `return_at[i]` is the distance in bytes from
/// the stack's top of a word that points into code; the words are candidates for return addresses,
/// and stale ones may be among them. A reader keeps those that the unwind tables confirm. Deepest
/// first; if there are too many, the `first` deepest and the outermost are kept.
struct deepest_stack {
  std::uint32_t sequence;  // odd while this part is written
  std::uint32_t count;     // words recorded
  std::uint32_t first;     // of these, the deepest ones, without a gap
  std::uint32_t omitted;   // words between first and rest
  std::uint64_t depth;     // bytes from the top to the touched address; 0: none
  std::uint64_t at_ns;     // CLOCK_MONOTONIC
  std::uint64_t pc;        // of the instruction
  std::uint64_t sp_depth;  // bytes from the top to the stack pointer
  std::uint64_t fp;        // the frame pointer register
  std::uint64_t top;       // address
  std::uint64_t return_pc[return_count];
  std::uint32_t return_at[return_count];
};
static_assert(sizeof(deepest_stack) == 64 + return_count * 12);

enum class site_kind : std::uint32_t { other, source, label };

struct site_entry {
  std::uint32_t sequence;  // odd while the numbers below are written
  std::uint32_t state;
  std::uint32_t kind;
  std::uint32_t pool;   // index in the table of pools, or no_index
  std::uint32_t index;  // within its pool, as in its slots
  std::uint32_t line;
  std::uint32_t column;
  std::uint32_t where_bytes;  // length of the full name; `where` may hold only its end
  std::uint64_t limit;        // of the pool, bytes; without a pool, of the latest
  std::uint64_t window;
  std::uint64_t uses;       // measured uses; slots hold those that are pending
  std::uint64_t samples;    // uses in the histogram, see stack/site.hpp
  std::uint64_t grows;      // faults that grew a stack
  std::uint64_t max;        // deepest of all uses, bytes
  std::uint64_t max_at_ns;  // CLOCK_MONOTONIC, of the reading
  std::uint64_t held;       // stacks assigned to it, in use or idle
  std::uint64_t held_max;   // maximum of held; in a sum, of one pool
  // Since version 1.2: uses that exceeded the limit. `max` does not include them, because they were
  // never released; `deepest` shows their depth.
  std::uint64_t overflows;
  std::uint64_t reserved[8];
  char where[256];                        // file or label, with its terminating zero
  std::uint32_t histogram[bucket_count];  // saturates
  deepest_stack deepest;
  std::uint8_t unused[4096 - 176 - 256 - 2048 - sizeof(deepest_stack)];
};
static_assert(offsetof(site_entry, where) == 176);
static_assert(offsetof(site_entry, histogram) == 432);
static_assert(offsetof(site_entry, deepest) == 2480);
static_assert(sizeof(site_entry) == 4096);

}  // namespace bast::watch
