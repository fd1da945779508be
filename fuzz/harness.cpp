// SPDX-License-Identifier: Apache-2.0
//
// The libFuzzer entry of one target, selected by BAST_FUZZ_TARGET. Everything else is in the model.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "bast/testing/harness.hpp"
#include "model/target.hpp"

#define BAST_STRING_OF(name) #name
#define BAST_STRING(name) BAST_STRING_OF(name)

using namespace bast;

namespace {

const model::target& chosen = *model::find_target(BAST_STRING(BAST_FUZZ_TARGET));

/// Prints the program, so that the report can be read without a tool, and dies.
[[noreturn]] void fail(const model::program& p, const std::string& complaint) {
  std::fprintf(stderr, "\nbast fuzz: %s\n%s\n", complaint.c_str(),
               model::print(p, chosen.words).c_str());
  std::abort();
}

}  // namespace

/// libFuzzer installs its handlers without SA_ONSTACK, and keeps the flag if the replaced action
/// has it. Its alarm would otherwise be delivered on any small stack that runs.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  for (const int number : {SIGALRM, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ, SIGABRT}) {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    action.sa_flags = SA_ONSTACK;
    ::sigaction(number, &action, nullptr);
  }
  model::warm_up();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto p = model::decode({data, size}, chosen.words);
  if (!p) return -1;  // Keeps it out of the corpus.
  static test::input_watch watch;
  watch.begin();
  const model::run_result out = chosen.run(*p, {});
  if (!out.complaint.empty()) fail(*p, out.complaint);
  if (const std::string lost = watch.lost(); !lost.empty()) fail(*p, lost);
  return 0;
}
