// SPDX-License-Identifier: Apache-2.0
//
// `fake_registry`: a registry with slots, control blocks and stacks in the test's own memory, built
// from abi.hpp alone. A reader must find what a test writes into it: in this process, in a forked
// child, in a core, in a memory_image.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "bast/watch/abi.hpp"
#include "read/memory_image.hpp"

namespace bast_stacks::testing {

/// The anchor that the ELF note of the test program points to (fake_note_test.cpp).
extern "C" bast::watch::anchor bast_stacks_fake_anchor;

struct fake_slot {
  std::uint64_t name;
  std::uint64_t top;
  std::uint32_t index;
  std::uint16_t site;
  std::uint16_t countdown;
  std::uint16_t period;
  std::uint16_t grows;
  std::uint16_t frontier;
  std::uint8_t state;
  std::uint8_t sampled;
};
static_assert(sizeof(fake_slot) == 32);

struct fake_block {
  std::uint64_t sp;
  std::uint64_t pc;
  std::uint64_t fp;
  std::uint64_t tag;
  std::uint64_t transfer;
  std::uint64_t stack;
  std::uint64_t user_data;
  std::uint64_t sequence;
};
static_assert(sizeof(fake_block) == 64);

struct fake_shape {
  std::uint32_t slots = 8;
  std::uint64_t stride = 256 << 10;
  std::uint64_t guard = 64 << 10;
  std::uint64_t window = 32 << 10;
};

class fake_registry {
 public:
  static constexpr std::uint64_t page = 4096;
  static constexpr std::uint32_t pools = 4;
  static constexpr std::uint32_t slabs = 4;
  static constexpr std::uint32_t sites = 16;
  static constexpr std::uint64_t bytes = (1 + 1 + 1 + sites) * page;
  static constexpr std::uint32_t head_every = 64;

  /// One pool, one slab whose slots are all idle and fresh, site 0 "(other)" and site 1 "worker", a
  /// label; a control block for each slot. The ELF note leads to it from now on.
  explicit fake_registry(const fake_shape& shape = {})
      : shape_(shape),
        registry_(map(bytes)),
        slots_(map(shape.slots * sizeof(fake_slot))),
        blocks_(map(blocks_bytes())),
        stacks_(map(shape.slots * shape.stride)) {
    write_header();
    write_pool();
    for (std::uint32_t i = 0; i < shape.slots; ++i) {
      slot(i).top = address(stacks_) + (i + 1) * shape.stride;
      slot(i).index = i;
      slot(i).countdown = slot(i).period = 1;
      slot(i).frontier = static_cast<std::uint16_t>((shape.stride - shape.window) / page);
      slot(i).state = static_cast<std::uint8_t>(bast::watch::slot_state::idle);
    }
    add_site(0, bast::watch::site_kind::other, "(other)");
    add_site(1, bast::watch::site_kind::label, "worker");
    bast_stacks_fake_anchor = {
        .magic = bast::watch::magic, .registry = address(registry_), .bytes = bytes};
  }
  ~fake_registry() {
    bast_stacks_fake_anchor.registry = 0;
    ::munmap(registry_, bytes);
    ::munmap(slots_, shape_.slots * sizeof(fake_slot));
    ::munmap(blocks_, blocks_bytes());
    ::munmap(stacks_, shape_.slots * shape_.stride);
  }
  fake_registry(const fake_registry&) = delete;
  fake_registry& operator=(const fake_registry&) = delete;

  bast::watch::header& header() { return *at<bast::watch::header>(registry_, 0); }
  bast::watch::pool_entry& pool(std::size_t i) {
    return at<bast::watch::pool_entry>(registry_, page)[i];
  }
  bast::watch::slab_entry& slab(std::size_t i) {
    return at<bast::watch::slab_entry>(registry_, 2 * page)[i];
  }
  bast::watch::site_entry& site(std::size_t i) {
    return at<bast::watch::site_entry>(registry_, 3 * page)[i];
  }
  fake_slot& slot(std::size_t i) { return at<fake_slot>(slots_, 0)[i]; }
  /// Of slot i: after the head of its group.
  fake_block& block(std::size_t i) {
    return at<fake_block>(blocks_, 0)[i / (head_every - 1) * head_every + i % (head_every - 1) + 1];
  }
  std::byte* top(std::size_t i) { return stacks_ + (i + 1) * shape_.stride; }
  std::byte* stacks() { return stacks_; }

  bast::watch::site_entry& add_site(std::uint32_t i, bast::watch::site_kind kind,
                                    std::string_view where) {
    bast::watch::site_entry& made = site(i);
    made.state = static_cast<std::uint32_t>(bast::watch::entry_state::open);
    made.kind = static_cast<std::uint32_t>(kind);
    made.pool = 0;
    made.index = i;
    made.where_bytes = static_cast<std::uint32_t>(where.size());
    made.limit = shape_.stride - shape_.guard;
    made.window = shape_.window;
    std::memset(made.where, 0, sizeof made.where);
    where.copy(made.where, sizeof made.where - 1);
    header().sites.used = std::max(header().sites.used, i + 1);
    return made;
  }

  /// Makes stack i live, of a site, and used to a depth in bytes.
  fake_slot& use(std::size_t i, std::uint16_t site, std::uint64_t depth,
                 const char* name = nullptr) {
    fake_slot& used = slot(i);
    used.site = site;
    used.state = static_cast<std::uint8_t>(bast::watch::slot_state::live);
    used.name = reinterpret_cast<std::uint64_t>(name);
    if (depth > shape_.window) {
      const std::uint64_t low = (shape_.stride - depth) / page;
      used.frontier = static_cast<std::uint16_t>(low);
    }
    if (depth != 0) *(top(i) - depth) = std::byte{0x5a};
    return used;
  }

  /// A coroutine on stack i.
  fake_block& run(std::size_t i, bast::watch::coro_state state, std::uint64_t flags = 0) {
    fake_block& made = block(i);
    made.tag = std::uint64_t{7} << 32 | flags | static_cast<std::uint64_t>(state);
    made.stack = address(slots_) + i * sizeof(fake_slot);
    return made;
  }

  /// What a process would send through its socket.
  std::vector<std::byte> memory_image(bool with_stacks = false) {
    std::vector<std::span<const std::byte>> parts{
        {registry_, (3 + header().sites.used) * page},
        {slots_, shape_.slots * sizeof(fake_slot)},
        {blocks_, blocks_bytes()},
    };
    if (with_stacks) parts.emplace_back(stacks_, shape_.slots * shape_.stride);
    return memory_image_of(parts);
  }
  /// The same for these parts of memory, and the anchor.
  static std::vector<std::byte> memory_image_of(std::span<const std::span<const std::byte>> parts) {
    std::vector<std::byte> all;
    append(all, memory_image_header{.magic = memory_image_magic,
                                    .version = memory_image_version,
                                    .count = static_cast<std::uint32_t>(parts.size() + 1),
                                    .anchor = address(&bast_stacks_fake_anchor)});
    append_part(all, std::as_bytes(std::span(&bast_stacks_fake_anchor, 1)));
    for (const auto part : parts) append_part(all, part);
    return all;
  }

 private:
  static std::byte* map(std::uint64_t size) {
    void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    // A separate page each, as bast requests.
    (void)::madvise(at, size, MADV_NOHUGEPAGE);
    return static_cast<std::byte*>(at);
  }
  static std::uint64_t address(const void* at) { return reinterpret_cast<std::uint64_t>(at); }
  template <class T>
  static T* at(std::byte* base, std::uint64_t offset) {
    return reinterpret_cast<T*>(base + offset);
  }
  std::uint64_t blocks_bytes() const {
    return (shape_.slots / (head_every - 1) + 1) * head_every * sizeof(fake_block);
  }
  template <class T>
  static void append(std::vector<std::byte>& all, const T& value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    all.insert(all.end(), raw.begin(), raw.end());
  }
  static void append_part(std::vector<std::byte>& all, std::span<const std::byte> part) {
    append(all, memory_image_part{.address = address(part.data()), .bytes = part.size()});
    all.insert(all.end(), part.begin(), part.end());
    all.resize((all.size() + 7) / 8 * 8);
  }

  void write_header() {
    bast::watch::header& head = header();
    head.magic = bast::watch::magic;
    head.version_major = bast::watch::version_major;
    head.version_minor = bast::watch::version_minor;
    head.header_bytes = sizeof head;
    head.machine = 62;
    head.pointer_bytes = 8;
    head.page_bytes = page;
    head.self = address(registry_);
    head.bytes = bytes;
    head.pools = {page, sizeof(bast::watch::pool_entry), pools, 1, 0};
    head.slabs = {2 * page, sizeof(bast::watch::slab_entry), slabs, 1, 0};
    head.sites = {3 * page, sizeof(bast::watch::site_entry), sites, 0, 0};
    head.coros = address(blocks_);
    head.coros_bytes = blocks_bytes();
    head.slots = {.record_bytes = sizeof(fake_slot),
                  .name = offsetof(fake_slot, name),
                  .top = offsetof(fake_slot, top),
                  .site = offsetof(fake_slot, site),
                  .countdown = offsetof(fake_slot, countdown),
                  .period = offsetof(fake_slot, period),
                  .grows = offsetof(fake_slot, grows),
                  .frontier = offsetof(fake_slot, frontier),
                  .state = offsetof(fake_slot, state),
                  .sampled = offsetof(fake_slot, sampled),
                  .reserved = {}};
    head.blocks = {.record_bytes = sizeof(fake_block),
                   .sp = offsetof(fake_block, sp),
                   .pc = offsetof(fake_block, pc),
                   .fp = offsetof(fake_block, fp),
                   .tag = offsetof(fake_block, tag),
                   .stack = offsetof(fake_block, stack),
                   .head_every = head_every,
                   .newest = offsetof(fake_block, sp),
                   .outer = offsetof(fake_block, pc),
                   .reserved = {}};
    std::string_view("bast 0.0.fake").copy(head.library, sizeof head.library);
    std::string_view("gcc 12.2.0").copy(head.compiler, sizeof head.compiler);
  }

  void write_pool() {
    pool(0).state = static_cast<std::uint32_t>(bast::watch::entry_state::open);
    pool(0).id = 1;
    pool(0).limit = shape_.stride - shape_.guard;
    pool(0).guard = shape_.guard;
    pool(0).window = shape_.window;
    pool(0).measured = 1;
    slab(0).state = static_cast<std::uint32_t>(bast::watch::entry_state::open);
    slab(0).pool = 0;
    slab(0).opened = shape_.slots;
    slab(0).tier = 1;
    slab(0).base = address(stacks_);
    slab(0).stride = shape_.stride;
    slab(0).guard = shape_.guard;
    slab(0).slots = address(slots_);
  }

  fake_shape shape_;
  std::byte* registry_;
  std::byte* slots_;
  std::byte* blocks_;
  std::byte* stacks_;
};

}  // namespace bast_stacks::testing
