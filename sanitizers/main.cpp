// SPDX-License-Identifier: Apache-2.0
//
// bast_planted_bugs NAME: commits one bug. Exits with 0 when nothing stopped it.
#include <cstdio>
#include <cstring>

#include "planted_bugs.hpp"

namespace {

struct plant {
  const char* name;
  void (*commit)();
};

#define BAST_PLANT(name) {#name, planted_bugs::name}
constexpr plant all[] = {
    BAST_PLANT(clean),
    BAST_PLANT(use_after_return),
    BAST_PLANT(buffer_overflow),
    BAST_PLANT(uninitialised_read),
    BAST_PLANT(released_stack),
    BAST_PLANT(leak_of_the_dead),
    BAST_PLANT(kept_by_a_local),
    BAST_PLANT(kept_by_a_frame),
    BAST_PLANT(race_on_two_threads),
    BAST_PLANT(race_on_one_thread),
    BAST_PLANT(ordered_by_resuming),
    BAST_PLANT(wild_write),
    BAST_PLANT(wild_write_in_coroutine),
    BAST_PLANT(overflow),
    BAST_PLANT(growth),
    BAST_PLANT(earlier_handler),
    BAST_PLANT(later_handler),
    BAST_PLANT(default_action),
};
#undef BAST_PLANT

}  // namespace

int main(int count, char** arguments) {
  for (const plant& p : all) {
    if (count == 2 && std::strcmp(arguments[1], p.name) == 0) {
      p.commit();
      return 0;
    }
  }
  std::fprintf(stderr, "usage: bast_planted_bugs NAME, one of:\n");
  for (const plant& p : all) std::fprintf(stderr, "  %s\n", p.name);
  return 2;
}
