// SPDX-License-Identifier: Apache-2.0
#include "code/module_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "code/names.hpp"
#include "code/source_lines.hpp"
#include "model/clean_text.hpp"

namespace bast_stacks {
namespace {

/// Opened files, by path and build id: `top` requests the same ones every second. A replaced file
/// has another build id; files without one are opened anew.
std::shared_ptr<code_file> cached(const std::string& path, const std::string& build_id,
                                  std::string& why_not) {
  static std::map<std::pair<std::string, std::string>, std::shared_ptr<code_file>> files;
  if (!build_id.empty()) {
    const auto known = files.find({path, build_id});
    if (known != files.end()) return known->second;
  }
  auto opened = code_file::open(path);
  if (!opened) {
    why_not = opened.error().what;
    return nullptr;
  }
  if ((*opened)->elf().build_id() != build_id) {
    why_not =
        fmt::format("{} is not the file that the process ran: its build id is {}, not {}", path,
                    (*opened)->elf().build_id().empty() ? "missing" : (*opened)->elf().build_id(),
                    build_id.empty() ? "missing" : build_id);
    return nullptr;
  }
  if (!build_id.empty()) files.emplace(std::pair{path, build_id}, *opened);
  return *opened;
}

}  // namespace

module_set::module_set(const snapshot& all) : machine_(all.machine) {
  for (const auto& described : all.modules) {
    if (described.low < described.high)
      entries_.push_back({.described = &described, .file = nullptr, .why_not = {}});
  }
  std::ranges::sort(entries_, {}, [](const entry& one) { return one.described->low; });
}

module_set::spot module_set::at(std::uint64_t pc) {
  const auto after = std::ranges::upper_bound(entries_, pc, {},
                                              [](const entry& one) { return one.described->low; });
  if (after == entries_.begin()) return {};
  auto& found = *(after - 1);
  if (pc >= found.described->high) return {};
  if (!found.tried) open(found);
  return {.in = found.described, .file = found.file.get(), .address = pc - found.described->base};
}

void module_set::open(entry& of) const {
  of.tried = true;
  // The kernel's own module, which is in no file.
  if (of.described->path.empty() || of.described->path.front() != '/') return;
  if (!of.described->here.empty())
    of.file = cached(of.described->here, of.described->build_id, of.why_not);
  // /proc/PID/root is gone once the process has ended.
  if (of.file == nullptr) {
    of.why_not.clear();
    of.file = cached(of.described->path, of.described->build_id, of.why_not);
  }
  if (of.file != nullptr && machine_ != 0 && of.file->elf().machine() != machine_) {
    of.file = nullptr;
    of.why_not = fmt::format("{} is for another CPU than the process", of.described->path);
  }
}

void module_set::describe(std::uint64_t pc, frame& out) {
  out.pc = pc;
  const auto where = at(pc);
  if (where.in == nullptr) return;
  out.module = file_name(where.in->path);
  out.module_offset = where.address;
  if (where.file == nullptr) return;
  out.function = demangled(where.file->name_at(where.address));
  if (out.function.empty()) {
    if (const auto extent = where.file->extent_at(where.address)) out.function_start = extent->low;
  }
  if (const auto place = where.file->place_of(where.address)) {
    out.file = clean_text(place->file);
    out.line = place->line;
  }
}

void module_set::tell(std::vector<std::string>& not_seen) const {
  std::vector<std::string> sentences;
  for (const auto& one : entries_) {
    if (!one.why_not.empty())
      sentences.push_back(fmt::format("Functions of a module have no names: {}.", one.why_not));
  }
  std::ranges::sort(sentences);
  const auto rest = std::ranges::unique(sentences);
  sentences.erase(rest.begin(), rest.end());
  not_seen.insert(not_seen.end(), sentences.begin(), sentences.end());
}

}  // namespace bast_stacks
