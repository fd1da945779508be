// SPDX-License-Identifier: Apache-2.0
#include "code/program_files.hpp"

#include <elf.h>

#include <algorithm>
#include <filesystem>

#include "code/names.hpp"
#include "model/clean_text.hpp"

namespace bast_stacks {
namespace {

// Desktop programs have two hundred.
constexpr std::size_t files_max = 2000;

std::vector<std::string> usual_directories(std::uint16_t machine) {
  if (machine == EM_AARCH64) {
    return {"/lib/aarch64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/aarch64-linux-gnu/lib",
            "/lib64",
            "/usr/lib64",
            "/lib",
            "/usr/lib",
            "/usr/local/lib"};
  }
  return {"/lib/x86_64-linux-gnu",
          "/usr/lib/x86_64-linux-gnu",
          "/lib64",
          "/usr/lib64",
          "/lib",
          "/usr/lib",
          "/usr/local/lib"};
}

/// "/proc/4711/root" of a path below it; else empty.
std::string root_of(std::string_view path) {
  constexpr std::string_view start = "/proc/";
  if (!path.starts_with(start)) return {};
  const auto end = path.find_first_not_of("0123456789", start.size());
  constexpr std::string_view root = "/root";
  if (end == start.size() || end == path.npos || !path.substr(end).starts_with("/root/")) return {};
  return std::string(path.substr(0, end + root.size()));
}

}  // namespace

std::vector<std::string> program_files::directories_of(const elf_file& file) const {
  std::vector<std::string> all;
  const auto origin = std::filesystem::path(file.path()).parent_path().string();
  const auto path = file.run_path();
  for (std::size_t start = 0; start < path.size();) {
    const auto end = std::min(path.find(':', start), path.size());
    auto directory = path.substr(start, end - start);
    start = end + 1;
    for (const std::string_view word : {"${ORIGIN}", "$ORIGIN"}) {
      const auto at = directory.find(word);
      if (at != std::string::npos) directory.replace(at, word.size(), origin);
    }
    if (!directory.starts_with('/')) continue;
    // The root already contains $ORIGIN.
    all.push_back(directory.starts_with(root_) ? directory : root_ + directory);
  }
  for (const auto& directory : usual_directories(file.machine())) all.push_back(root_ + directory);
  return all;
}

std::expected<program_files, problem> program_files::load(const std::string& path) {
  program_files all;
  all.root_ = root_of(path);
  // $ORIGIN is the directory of the file itself, so links are followed first; but a link in another
  // root may be absolute, which would lead to ours.
  std::error_code error;
  const auto resolved = std::filesystem::canonical(path, error);
  auto program = code_file::open(error || !all.root_.empty() ? path : resolved.string());
  if (!program) return std::unexpected(std::move(program.error()));
  all.files_.push_back(std::move(*program));
  // Breadth first: the order in which the dynamic linker searches for symbols.
  for (std::size_t i = 0; i < all.files_.size(); ++i) all.add_needed(i);
  std::ranges::sort(all.missing_);
  return all;
}

void program_files::add_needed(std::size_t index) {
  const auto machine = files_[index]->elf().machine();
  for (const auto& name : files_[index]->elf().needed()) {
    const auto is_known = [&](const std::shared_ptr<code_file>& file) {
      return std::filesystem::path(file->elf().path()).filename() == name;
    };
    if (std::ranges::any_of(files_, is_known) || std::ranges::count(missing_, name) != 0) continue;
    std::shared_ptr<code_file> found;
    const bool is_path = name.find('/') != std::string::npos;
    for (const auto& directory : directories_of(files_[index]->elf())) {
      auto opened = code_file::open(is_path ? root_ + name : directory + "/" + name);
      if (opened && (*opened)->elf().machine() == machine) found = std::move(*opened);
      if (found != nullptr || is_path) break;
    }
    if (found != nullptr && files_.size() < files_max) {
      files_.push_back(std::move(found));
    } else {
      missing_.push_back(name);
    }
  }
}

std::optional<code_address> program_files::find(std::string_view symbol) const {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (const auto* const found = files_[i]->elf().exported(symbol)) {
      return code_address{
          .file = i, .address = found->address, .chosen_at_load = found->chosen_at_load};
    }
  }
  return std::nullopt;
}

std::vector<code_address> program_files::meant_by(std::string_view text) {
  std::vector<code_address> all;
  const auto [name, module] = function_and_module(text);
  const auto is_in = [&](const code_file& file) {
    return module.empty() || module == file_name(file.elf().path());
  };
  if (const auto address = address_in(name)) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (module.empty() ? i != 0 : !is_in(*files_[i])) continue;
      const auto extent = files_[i]->extent_at(*address);
      if (extent && extent->low == *address) all.push_back({.file = i, .address = *address});
    }
    return all;
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (!is_in(*files_[i])) continue;
    for (const auto address : files_[i]->elf().addresses_of(name))
      all.push_back({.file = i, .address = address});
    // The first file with the name is the one that a program would call.
    if (!all.empty()) return all;
  }
  if (by_source_name_.empty()) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      for (const auto& function : files_[i]->elf().functions()) {
        if (!function.name.starts_with("_Z")) continue;
        const auto whole = demangled(function.name);
        const code_address address{.file = i, .address = function.address};
        const auto plain = plain_name(whole);
        const auto qualified = without_parameters(whole);
        by_source_name_.emplace(plain, address);
        if (qualified != plain) by_source_name_.emplace(qualified, address);
        by_source_name_.emplace(whole, address);
      }
    }
  }
  const auto [first, last] = by_source_name_.equal_range(name);
  for (auto at = first; at != last; ++at) {
    if (is_in(*files_[at->second.file]) && std::ranges::count(all, at->second) == 0)
      all.push_back(at->second);
  }
  std::ranges::sort(all, [](const code_address& a, const code_address& b) {
    return a.file != b.file ? a.file < b.file : a.address < b.address;
  });
  return all;
}

}  // namespace bast_stacks
