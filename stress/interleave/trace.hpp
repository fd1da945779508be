// SPDX-License-Identifier: Apache-2.0
//
// `trace`: the last accesses of a schedule, for the report of a failure.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <string>
#include <type_traits>

namespace bast::interleave {

/// The place of an access in the program: a source location, or for operators, which cannot receive
/// one, the address that the call returns to.
struct place {
  std::source_location where = {};
  const void* pc = nullptr;

  place() = default;
  place(const std::source_location& location) noexcept : where(location) {}
  explicit place(const void* return_address) noexcept : pc(return_address) {}
};

enum class operation : std::uint8_t {
  load,
  store,
  exchange,
  compare_exchange,
  fetch_add,
  fetch_sub,
  fetch_and,
  fetch_or,
  fetch_xor,
  read,   // of plain data
  write,  // of plain data
  end,    // the destructor
  fence,
  wait,
  wake_one,
  wake_all,
  relax,
};

/// The name of an object in reports.
struct label {
  const char* kind = "";  // "atomic", "plain"
  const char* name = nullptr;
  std::uint32_t number = 0;  // in the order of construction within a schedule
  place made;
};

struct access {
  operation what;
  std::memory_order order;
  place where;
};

/// How an access differs from what it does where all is sequentially consistent.
enum class departure : std::uint8_t {
  none,
  old,       // A load reads an old value.
  later,     // A load reads what is stored later.
  earlier,   // A store comes before an earlier one.
  spurious,  // A wait, or a weak compare_exchange.
  expired,   // A wait whose deadline has passed.
};

struct event {
  unsigned thread;
  label object;
  access done;
  std::uint64_t before;
  std::uint64_t after;
  departure departs;
};

namespace internal {

/// A value as the trace prints it; larger ones as a hash, which distinguishes them.
template <class T>
std::uint64_t bits_of(const T& value) noexcept {
  std::uint64_t out = 0;
  if constexpr (!std::is_trivially_copyable_v<T>) {
    (void)value;
  } else if constexpr (sizeof(T) <= sizeof out) {
    std::memcpy(&out, &value, sizeof(T));
  } else {
    unsigned char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    for (const unsigned char c : raw) out = (out ^ c) * 0x100000001b3;  // FNV-1a
  }
  return out;
}

std::string print(const place& where);
std::string print(const label& object);
const char* print(operation what) noexcept;
const char* print(departure how) noexcept;
const char* print(std::memory_order order) noexcept;
std::string print_value(std::uint64_t bits);

class trace {
 public:
  void clear() noexcept { count_ = 0; }
  void add(const event& happened) noexcept { last_[count_++ % length] = happened; }
  /// One line each, oldest first.
  std::string print() const;

 private:
  static constexpr std::size_t length = 64;
  std::array<event, length> last_;
  std::size_t count_ = 0;
};

}  // namespace internal
}  // namespace bast::interleave
