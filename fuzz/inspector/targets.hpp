// SPDX-License-Identifier: Apache-2.0
//
// The fuzz targets of the inspector. Each takes the bytes of an untrusted file, ends the process if
// a result is inconsistent, and returns 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// A memory image, as a process sends it: a snapshot or a clear error.
int fuzz_registry(const std::uint8_t* data, std::size_t size);
/// A core file: a snapshot or a clear error.
int fuzz_core(const std::uint8_t* data, std::size_t size);
/// Two counters of 8 bytes, tail and head, and the ring of perf, cut to a power of two: page
/// faults or a clear error.
int fuzz_perf_ring(const std::uint8_t* data, std::size_t size);
/// An ELF file: sections, symbols, relocations, unwind tables, instructions.
int fuzz_elf_frames(const std::uint8_t* data, std::size_t size);
/// Text of compilers and people: the first byte selects .su, .ci or annotations.
int fuzz_su_ci(const std::uint8_t* data, std::size_t size);
/// A recording, which must survive a round trip.
int fuzz_recording(const std::uint8_t* data, std::size_t size);
/// A budget file, which must survive a round trip.
int fuzz_budget(const std::uint8_t* data, std::size_t size);
/// A recording, drawn in every way; each drawing must follow its format.
int fuzz_draw(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
