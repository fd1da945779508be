// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "draw/flame.hpp"
#include "draw/path.hpp"
#include "model/clean_text.hpp"
#include "model/mutant.hpp"
#include "show/names.hpp"

namespace bast_stacks {

namespace {

using namespace draw;

using json = nlohmann::ordered_json;

constexpr path_options unfolded{.fold_beyond = 0};

/// In this format ';' and the last space of a line are separators, and cannot be quoted.
std::string folded_name(std::string name) {
  std::ranges::replace(name, ';', ':');
  return name;
}

}  // namespace

std::string folded(const snapshot& of) {
  const std::vector<std::string> names = short_site_names(of.sites);
  std::vector<stack_path> paths;
  // Readers of the format treat equal names as one function.
  std::map<std::string, std::set<std::string>> identities;
  for (const site& each : of.sites) {
    paths.push_back(path_of(each, unfolded));
    for (const path_step& step : paths.back().steps)
      identities[step.function].insert(identity_of(step));
  }
  std::string text;
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    std::string stack = folded_name(names[i]);
    for (const path_step& step : paths[i].steps) {
      stack += ';';
      stack += folded_name(step.function);
      if (identities[step.function].size() > 1)
        stack += folded_name(" [" + identity_of(step) + ']');
      text += stack + ' ' + std::to_string(step.bytes) + '\n';
    }
  }
  return text;
}

std::string speedscope(const snapshot& of) {
  const std::vector<std::string> names = short_site_names(of.sites);
  json frames = json::array();
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> known;
  const auto frame_index = [&](const path_step& step) {
    const auto [entry, added] =
        known.try_emplace({step.function, identity_of(step), source_of(step)}, frames.size());
    if (added) {
      json described{{"name", step.function}};
      if (!step.file.empty()) described["file"] = step.file;
      if (step.line != 0) described["line"] = step.line;
      if (step.file.empty() && !step.module.empty()) described["file"] = step.module;
      frames.push_back(std::move(described));
    }
    return entry->second;
  };
  json profiles = json::array();
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    const stack_path path = path_of(of.sites[i], unfolded);
    if (path.steps.empty()) continue;
    json samples = json::array();
    json weights = json::array();
    json stack = json::array();
    for (const path_step& step : path.steps) {
      if (BAST_STACKS_MUTANT(deepest_call_first)) {
        stack.insert(stack.begin(), frame_index(step));
      } else {
        stack.push_back(frame_index(step));
      }
      samples.push_back(stack);
      weights.push_back(step.bytes);
    }
    profiles.push_back({{"type", "sampled"},
                        {"name", names[i]},
                        {"unit", "bytes"},
                        {"startValue", 0},
                        {"endValue", path.bytes},
                        {"samples", std::move(samples)},
                        {"weights", std::move(weights)}});
  }
  json document{{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                {"exporter", "bast-stacks"},
                {"name", clean_text(of.what)}};
  if (!profiles.empty()) document["activeProfileIndex"] = 0;
  document["shared"] = {{"frames", std::move(frames)}};
  document["profiles"] = std::move(profiles);
  return document.dump(1) + '\n';
}

}  // namespace bast_stacks
