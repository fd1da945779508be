// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/memory_image.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "bast/watch/writer.hpp"

extern "C" bast::watch::anchor bast_watch_anchor;

namespace bast::watch {
namespace {

// A name is a literal in the program; longer ones are truncated.
constexpr std::size_t name_bytes = 64;

/// Reads a word of another thread, which may change meanwhile.
template <class T>
T look(std::byte* at) noexcept {
  // Acquire: pairs with the release in put().
  return std::atomic_ref<T>(*reinterpret_cast<T*>(at)).load(std::memory_order_acquire);
}

class memory_image {
 public:
  explicit memory_image(int fd) noexcept : fd_(fd) {}

  void add(const void* memory, std::size_t size) noexcept {
    BAST_ASSERT(size % 8 == 0);  // so that no piece needs padding
    if (size == 0) return;
    const memory_image_piece piece{reinterpret_cast<std::uintptr_t>(memory), size};
    // The next piece overwrites one that cannot be read completely.
    if (!os::copy_to_file(fd_, memory, size, end_ + sizeof piece)) return;
    if (!os::copy_to_file(fd_, &piece, sizeof piece, end_)) return;
    end_ += sizeof piece + size;
    ++pieces_;
  }
  bool finish() const noexcept {
    memory_image_header head{};
    std::memcpy(head.magic, memory_image_magic, sizeof head.magic);
    head.version = memory_image_version;
    head.pieces = pieces_;
    head.anchor = reinterpret_cast<std::uintptr_t>(&bast_watch_anchor);
    return os::copy_to_file(fd_, &head, sizeof head, 0);
  }

 private:
  int fd_;
  std::uint64_t end_ = sizeof(memory_image_header);
  std::uint32_t pieces_ = 0;
};

void add_names(memory_image& file, const slot_layout& layout, std::byte* slots,
               std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    std::byte* const slot = slots + std::size_t{i} * layout.record_bytes;
    if (look<slot_state>(slot + layout.state) != slot_state::live) continue;
    const auto name = look<std::uint64_t>(slot + layout.name);
    if (name != 0) file.add(reinterpret_cast<const void*>(name), name_bytes);
  }
}

/// The caller holds the lock under which slabs are created and destroyed, so the slots exist.
void add_slabs(memory_image& file, const header& head) noexcept {
  auto* const slabs = entries<slab_entry>(head.slabs);
  for (std::uint32_t i = 0; i < head.slabs.used; ++i) {
    if (slabs[i].state != static_cast<std::uint32_t>(entry_state::open)) continue;
    const auto opened = look<std::uint32_t>(reinterpret_cast<std::byte*>(&slabs[i].opened));
    auto* const slots = reinterpret_cast<std::byte*>(slabs[i].slots);
    file.add(slots, std::size_t{opened} * head.slots.record_bytes);
    add_names(file, head.slots, slots, opened);
  }
}

}  // namespace

result<os::descriptor> make_memory_image() noexcept {
  const header* const head = registry();
  if (head == nullptr) {
    return fail(errc::bad_state, "watch.make_memory_image", "the process has made no pool yet");
  }
  auto file = os::sealable_file("bast memory_image");
  if (!file) return file;
  memory_image whole(file->get());
  {
    const std::lock_guard guard(the_writer.lock);
    whole.add(&bast_watch_anchor, sizeof bast_watch_anchor);
    const std::size_t tables = sites_at + std::size_t{head->sites.used} * sizeof(site_entry);
    whole.add(head, tables);
    add_slabs(whole, *head);
    whole.add(reinterpret_cast<const void*>(head->coros), head->coros_bytes);
  }
  if (!whole.finish()) {
    return fail(errc::no_memory, "watch.make_memory_image", "no room for the copy");
  }
  if (auto sealed = os::seal(file->get()); !sealed) return std::unexpected(sealed.error());
  return file;
}

}  // namespace bast::watch
