// SPDX-License-Identifier: Apache-2.0
//
// The output of the demo.
#pragma once

#include <bast/stack.hpp>
#include <cstddef>
#include <span>
#include <string>

#include "commands.hpp"
#include "findings.hpp"
#include "memory.hpp"

namespace demo {

struct run_facts {
  std::string directory;
  bast::stack_options stack;
  std::size_t workers = 0;
  double seconds = 0;
  double processor_seconds = 0;  // of all threads; other programs do not change it
};

void print_findings(const findings& found, std::span<const pattern> patterns,
                    const meters& measured, const run_facts& facts);
/// The stacks by spawn site, and the cost of all compared with fixed ones.
void print_stacks(const meters& measured, const run_facts& facts);
void print_tally(const tally& all, const run_facts& facts);
/// 20480 as "20 KiB".
std::string size(std::size_t n);
/// 1234567 as "1,234,567".
std::string count(std::size_t n);

}  // namespace demo
