// SPDX-License-Identifier: Apache-2.0
//
// The output of the demo.
#pragma once

#include <bast/coro.hpp>
#include <string>

#include "crew.hpp"

namespace demo {

struct run_facts {
  std::string directory;
  bast::stack_options stack;
  double seconds = 0;
};

void print_findings(const crew& c, const summary& found, const std::vector<pattern>& patterns,
                    const run_facts& facts);
/// 20480 as "20 KiB".
std::string size(std::size_t n);
/// The stacks by spawn site.
void print_sites(bast::coro_pool& pool, const run_facts& facts);
/// The cost of the stacks compared with fixed ones.
void print_memory(const crew& c, bast::coro_pool& pool, const run_facts& facts);

}  // namespace demo
