// SPDX-License-Identifier: Apache-2.0
//
// `memory`: the contents of a target's addresses: of a running process, a core file, or a file that
// holds its registry. All other code reads targets through it and does not depend on the kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "model/snapshot.hpp"
#include "read/extent.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// A part of a batch: what to read, and whether all of it was present.
struct piece {
  std::uint64_t address = 0;
  std::span<std::byte> into;
  bool present = false;
};

/// Present pages. `swapped`: only after reading them in.
struct resident_extent {
  extent where;
  bool swapped = false;
};

class memory {
 public:
  memory() = default;
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;
  virtual ~memory() = default;

  /// Reads all pieces, in order, and sets for each whether it was present.
  void read(std::span<piece> pieces);
  bool read(std::uint64_t address, std::span<std::byte> into);
  template <class T>
    requires std::is_trivially_copyable_v<T>
  bool read(std::uint64_t address, T& into) {
    return read(address, std::as_writable_bytes(std::span(&into, 1)));
  }

  /// Appends the pages of `where` that were ever written and are still present, ascending and cut
  /// to `where`. False if that is not known; then memory that must not become resident may not be
  /// read.
  virtual bool residency(extent where, std::vector<resident_extent>& found) = 0;

  /// Why nothing can be read any more, for example because the process ended.
  const std::optional<problem>& broken() const noexcept { return broken_; }

 protected:
  void set_broken(problem why) { broken_ = std::move(why); }

 private:
  virtual void read_pieces(std::span<piece> pieces) = 0;
  std::optional<problem> broken_;
};

/// Addresses [address, address + bytes) are at `offset` of a source.
struct file_part {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
};

/// Memory that was written to a file: a core, a registry, a memory_image.
class file_memory final : public memory {
 public:
  /// Of overlapping parts, the one that starts lower wins. Parts may reach beyond the end of the
  /// source: those bytes are absent.
  file_memory(std::shared_ptr<const source> bytes, std::vector<file_part> parts);

  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  void read_pieces(std::span<piece> pieces) override;
  bool read_piece(std::uint64_t address, std::span<std::byte> into) const;
  /// The first part that ends above `address`.
  std::vector<file_part>::const_iterator part_above(std::uint64_t address) const;

  std::shared_ptr<const source> bytes_;
  std::vector<file_part> parts_;
};

}  // namespace bast_stacks
