// SPDX-License-Identifier: Apache-2.0
//
// The libFuzzer entry of one target, chosen by BAST_FUZZ_TARGET. Everything else is in the model.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "bast/testing/baseline.hpp"
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

/// Looking at all mappings and descriptors takes as long as a short input, so one in this many.
constexpr std::uint64_t inputs_between_looks = 64;

}  // namespace

/// libFuzzer installs its handlers for these without SA_ONSTACK, and keeps the flag when the action
/// that it replaces has it. Its alarm would otherwise be delivered onto whatever small stack runs.
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
  if (!p) return -1;  // Not to be kept in a corpus.
  static std::uint64_t inputs = 0;
  std::optional<test::leak_baseline> before;
  if (++inputs % inputs_between_looks == 0) before.emplace();
  const model::run_result out = chosen.run(*p, {});
  if (!out.complaint.empty()) fail(*p, out.complaint);
  if (before) {
    if (const std::string lost = before->differences(); !lost.empty()) fail(*p, lost);
  }
  return 0;
}
