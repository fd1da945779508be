// SPDX-License-Identifier: Apache-2.0
//
// What including a face costs: the time to compile a file that holds nothing else, and its lines
// after preprocessing, with this build's compiler.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support.hpp"

namespace {

std::string command_for(const std::string& header, const char* action) {
  return "echo '#include <" + header + ">' | " BAST_BENCH_COMPILER " -std=c++23 -O2 " + action +
         " -I" BAST_BENCH_LIB " -I" BAST_BENCH_GENERATED " -x c++ -";
}

void compile(benchmark::State& state, const char* header) {
  const std::string command = command_for(header, "-fsyntax-only");
  for (auto _ : state) {
    const auto begun = std::chrono::steady_clock::now();
    if (std::system(command.c_str()) != 0) bench::give_up(header);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(took.count());
  }
}

/// A line is reported as a nanosecond.
void count_lines(benchmark::State& state, const char* header) {
  const std::string command = command_for(header, "-E -P") + " | wc -l";
  for (auto _ : state) {
    std::FILE* const output = ::popen(command.c_str(), "r");
    long lines = 0;
    if (output == nullptr || std::fscanf(output, "%ld", &lines) != 1) bench::give_up(header);
    if (::pclose(output) != 0) bench::give_up(header);
    state.SetIterationTime(static_cast<double>(lines) * 1e-9);
  }
}

constexpr std::array headers = {"bast/base.hpp", "bast/coro.hpp", "bast/cancel.hpp",
                                "bast/process.hpp", "boost/context/fiber.hpp"};

}  // namespace

int main(int count, char** words) {
  for (const char* const header : headers) {
    benchmark::RegisterBenchmark((std::string("compile/") + header).c_str(), compile, header)
        ->UseManualTime()
        ->Iterations(3);
    benchmark::RegisterBenchmark((std::string("lines/") + header).c_str(), count_lines, header)
        ->UseManualTime()
        ->Iterations(1);
  }
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
}
