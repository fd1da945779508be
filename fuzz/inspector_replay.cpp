// SPDX-License-Identifier: Apache-2.0
//
// bast_stacks_replay: runs the inspector's fuzz targets on files, without libFuzzer and under any
// compiler and sanitizer. A target that finds something ends the program.
//
//   bast_stacks_replay TARGET PATH...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/targets.hpp"

namespace {

namespace files = std::filesystem;
using namespace bast_stacks;

struct target {
  std::string_view name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};
constexpr target targets[] = {
    {"registry", fuzz_registry},     {"core", fuzz_core},   {"perf_ring", fuzz_perf_ring},
    {"elf_frames", fuzz_elf_frames}, {"su_ci", fuzz_su_ci}, {"recording", fuzz_recording},
    {"budget", fuzz_budget},         {"draw", fuzz_draw},
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bast_stacks_replay: %s\n", why.c_str());
  std::exit(2);
}

std::vector<files::path> all_files(std::span<char* const> paths) {
  std::vector<files::path> found;
  for (const char* const path : paths) {
    if (!files::exists(path)) die("there is no '" + std::string(path) + "'");
    if (!files::is_directory(path)) {
      found.emplace_back(path);
      continue;
    }
    for (const auto& entry : files::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

int main(int count, char** values) {
  if (count < 3) die("usage: bast_stacks_replay TARGET PATH...");
  const auto* const chosen = std::ranges::find(targets, std::string_view(values[1]), &target::name);
  if (chosen == std::end(targets)) die("unknown target '" + std::string(values[1]) + "'");
  const auto inputs = all_files(std::span(values, static_cast<std::size_t>(count)).subspan(2));
  if (inputs.empty()) die("there is no input");
  for (const files::path& path : inputs) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file) die("cannot read '" + path.string() + "'");
    // Printed first, so that the last line names the failing input.
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
    chosen->run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("%s: %zu inputs\n", values[1], inputs.size());
  return 0;
}
