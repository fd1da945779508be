// SPDX-License-Identifier: Apache-2.0
//
// Programs, as run by the fuzzers, the properties, the stress tests and the fault loops. A program
// is a short list of operations on the library, four bytes each, and some option bits. A `language`
// gives the bytes their names, so that every input prints as a text that a person can read, change
// and run again:
//
//   bast-ops 1 pool
//   options scrub=2 max=1
//   acquire 3
//   start 3 1045
//   release 3
//
// Bytes: version, swarm mask (4), options (2), then the operations; little-endian. Every byte
// string is a program: values out of range are reduced, excess bytes are ignored. Operations have a
// fixed width, so that cutting and splicing inputs keeps their meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bast::model {

struct op {
  std::uint8_t kind = 0;    // which word of the language
  std::uint8_t who = 0;     // which of the program's subjects, 0 .. subjects_max - 1
  std::uint16_t value = 0;  // 0 .. the word's value_max

  friend bool operator==(const op&, const op&) = default;
};

inline constexpr std::uint8_t format_version = 1;
inline constexpr std::size_t header_bytes = 7;
inline constexpr std::size_t op_bytes = 4;
/// More would make an execution slow and a failure long.
inline constexpr std::size_t ops_max = 512;
inline constexpr std::uint8_t subjects_max = 16;

/// An operation's name and shape.
struct word {
  const char* name;
  bool has_who = false;
  std::uint16_t value_max = 0;  // 0: it has no value
};

/// A field of the option bits, from the lowest bit on.
struct option_field {
  const char* name;
  std::uint8_t bits;
};

struct language {
  const char* name;
  std::span<const word> words;  // at most 32
  std::span<const option_field> options;
  /// The kinds that let calls fail or memory run out: results are then no longer determined by the
  /// program, and failures affect the whole process.
  std::uint32_t faults;

  /// The value of the option field called `field`, which must exist.
  unsigned option(std::uint16_t options, std::string_view field) const;
};

struct program {
  /// Swarm testing: the kinds that this input may use. Inputs without a kind reach states that an
  /// even mixture never does. 0 allows everything.
  std::uint32_t allowed = 0;
  std::uint16_t options = 0;
  std::vector<op> ops;

  friend bool operator==(const program&, const program&) = default;
};

/// Brings an operation into the language's range.
op reduced(op raw, const language& words);

/// Parses bytes; drops operations that the mask does not allow. Empty programs are valid. Fails for
/// another version: a corpus of another format must not pass silently.
std::expected<program, std::string> decode(std::span<const std::uint8_t> bytes,
                                           const language& words);
std::vector<std::uint8_t> encode(const program& p);

std::string print(const program& p, const language& words);
/// The complaint names the line.
std::expected<program, std::string> parse(std::string_view text, const language& words);

/// Removes the operations whose kinds are in `kinds`, a mask like `allowed`: for runners where they
/// have no meaning.
void leave_out(program& p, std::uint32_t kinds);
template <class Kind>
constexpr std::uint32_t mask_of(Kind kind) {
  return std::uint32_t{1} << static_cast<unsigned>(kind);
}

/// A random program of `count` operations, with its own swarm mask. `random` returns 64 random bits
/// at each call.
template <class Random>
program generate(Random&& random, const language& words, std::size_t count) {
  program p;
  p.options = static_cast<std::uint16_t>(random());
  // Half of the kinds, on average; an empty mask means all.
  p.allowed = static_cast<std::uint32_t>(random());
  while (p.ops.size() < count) {
    const std::uint64_t bits = random();
    const op next = reduced({.kind = static_cast<std::uint8_t>(bits),
                             .who = static_cast<std::uint8_t>(bits >> 8),
                             .value = static_cast<std::uint16_t>(bits >> 16)},
                            words);
    const std::uint32_t bit = std::uint32_t{1} << next.kind;
    const bool nothing_allowed = (p.allowed & ((std::uint64_t{1} << words.words.size()) - 1)) == 0;
    if (nothing_allowed) p.allowed = 0;
    if (p.allowed == 0 || (p.allowed & bit) != 0) p.ops.push_back(next);
  }
  return p;
}

}  // namespace bast::model
