// SPDX-License-Identifier: Apache-2.0
//
// `scripted_memory`: a target whose bytes, pages and changes a test chooses. Records all requests,
// so that a test can check how much was read, and in which steps.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks::testing {

class scripted_memory final : public memory {
 public:
  /// Sets the bytes from an address on, over earlier ones.
  template <class T>
  void put(std::uint64_t address, const T& value) {
    put_bytes(address, std::as_bytes(std::span(&value, 1)));
  }
  void put_bytes(std::uint64_t address, std::span<const std::byte> bytes) {
    parts_[address].assign(bytes.begin(), bytes.end());
  }
  void put_text(std::uint64_t address, std::string_view text) {
    put_bytes(address, std::as_bytes(std::span(text)));
  }

  /// The result of `residency`, cut to the request; unused if `knows_pages` is false.
  std::vector<resident_extent> pages;
  bool knows_pages = true;
  /// Zeros wherever nothing was set.
  bool zeros_elsewhere = false;
  /// Called before each piece is read.
  std::function<void(std::uint64_t address, std::size_t bytes)> before_each;
  /// The reads, and the queries about pages, as (address, bytes).
  std::vector<std::pair<std::uint64_t, std::uint64_t>> reads;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> questions;
  void end(const std::string& why) { set_broken({.what = why, .remedy = {}}); }

  bool residency(extent where, std::vector<resident_extent>& found) override {
    questions.emplace_back(where.low, where.bytes());
    if (!knows_pages) return false;
    for (resident_extent each : pages) {
      each.where.low = std::max(each.where.low, where.low);
      each.where.high = std::min(each.where.high, where.high);
      if (each.where.low < each.where.high) found.push_back(each);
    }
    return true;
  }

 private:
  void read_pieces(std::span<piece> pieces) override {
    for (piece& each : pieces) {
      reads.emplace_back(each.address, each.into.size());
      if (before_each) before_each(each.address, each.into.size());
      each.present = copy(each.address, each.into);
    }
  }
  bool copy(std::uint64_t address, std::span<std::byte> into) const {
    auto part = parts_.upper_bound(address);
    if (zeros_elsewhere) {
      std::ranges::fill(into, std::byte{});
      if (part != parts_.begin()) --part;
      for (; part != parts_.end() && part->first < address + into.size(); ++part) {
        for (std::size_t i = 0; i < part->second.size(); ++i) {
          const std::uint64_t at = part->first + i - address;
          if (at < into.size()) into[at] = part->second[i];
        }
      }
      return true;
    }
    if (part == parts_.begin()) return false;
    --part;
    const std::uint64_t skipped = address - part->first;
    if (skipped > part->second.size() || part->second.size() - skipped < into.size()) return false;
    if (!into.empty()) std::memcpy(into.data(), part->second.data() + skipped, into.size());
    return true;
  }

  std::map<std::uint64_t, std::vector<std::byte>> parts_;
};

}  // namespace bast_stacks::testing
