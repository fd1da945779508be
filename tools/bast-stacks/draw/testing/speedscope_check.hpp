// SPDX-License-Identifier: Apache-2.0
//
// Checks that https://www.speedscope.app can read a document, by the types of its file format
// (src/lib/file-format-spec.ts of jlfwong/speedscope), limited to sampled profiles, the only kind
// that we write:
//
//   file      $schema is exactly the URL below; shared.frames and profiles are arrays; name and
//             exporter are text, activeProfileIndex is an index of profiles; these three may be
//             missing
//   frame     name is text; file is text, line and col are numbers; these three may be missing
//   profile   type is "sampled"; name is text; unit is one of six words; startValue and endValue
//             are numbers, the second not less than the first; samples is an array of stacks,
//             weights one of numbers, of the same length
//   stack     an array of indices of shared.frames, the outermost first
//
// For weights the format requires only numbers; the viewer lays them end to end from startValue, so
// none may be negative and their end must equal endValue.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bast_stacks::sample {

namespace speedscope_facts {

using nlohmann::json;

inline bool is_text(const json& in, const char* key) {
  return in.contains(key) && in[key].is_string();
}
inline bool is_number(const json& in, const char* key) {
  return in.contains(key) && in[key].is_number();
}
inline bool is_array(const json& in, const char* key) {
  return in.contains(key) && in[key].is_array();
}
inline bool is_index(const json& value, std::size_t size) {
  return value.is_number_unsigned() && value.get<std::size_t>() < size;
}

inline std::string wrong_in_frame(const json& frame) {
  if (!frame.is_object() || !is_text(frame, "name")) return "a frame without a name";
  if (frame.contains("file") && !is_text(frame, "file")) return "file of a frame";
  for (const char* const key : {"line", "col"})
    if (frame.contains(key) && !is_number(frame, key)) return std::string(key) + " of a frame";
  return {};
}

inline std::string wrong_in_samples(const json& profile, std::size_t frames) {
  if (!is_array(profile, "samples") || !is_array(profile, "weights")) return "samples, weights";
  if (profile["samples"].size() != profile["weights"].size()) return "not a weight for each sample";
  for (const json& stack : profile["samples"]) {
    if (!stack.is_array()) return "a sample that is no stack";
    if (!std::ranges::all_of(stack, [&](const json& index) { return is_index(index, frames); }))
      return "index of a frame";
  }
  double at = profile["startValue"].get<double>();
  for (const json& weight : profile["weights"]) {
    if (!weight.is_number() || weight.get<double>() < 0) return "a weight that is none";
    at += weight.get<double>();
  }
  // Sums of doubles; the numbers are bytes of stacks.
  const double end = profile["endValue"].get<double>();
  return std::max(at, end) - std::min(at, end) <= 1e-9 * end ? "" : "weights end elsewhere";
}

inline std::string wrong_in_profile(const json& profile, std::size_t frames) {
  constexpr std::array<std::string_view, 6> units{"none",         "nanoseconds", "microseconds",
                                                  "milliseconds", "seconds",     "bytes"};
  if (!profile.is_object() || profile.value("type", "") != "sampled") return "type of a profile";
  if (!is_text(profile, "name")) return "name of a profile";
  if (!is_text(profile, "unit") ||
      std::ranges::find(units, profile["unit"].get<std::string>()) == units.end())
    return "unit of a profile";
  if (!is_number(profile, "startValue") || !is_number(profile, "endValue") ||
      profile["endValue"].get<double>() < profile["startValue"].get<double>())
    return "startValue, endValue";
  return wrong_in_samples(profile, frames);
}

}  // namespace speedscope_facts

/// Returns what is wrong, or empty.
inline std::string wrong_in_speedscope(const nlohmann::json& document) {
  using namespace speedscope_facts;
  if (!document.is_object()) return "no object";
  if (document.value("$schema", "") != "https://www.speedscope.app/file-format-schema.json")
    return "$schema";
  for (const char* const key : {"name", "exporter"})
    if (document.contains(key) && !is_text(document, key)) return key;
  if (!document.contains("shared") || !document["shared"].is_object() ||
      !is_array(document["shared"], "frames"))
    return "shared.frames";
  if (!is_array(document, "profiles")) return "profiles";
  const json& frames = document["shared"]["frames"];
  const json& profiles = document["profiles"];
  if (document.contains("activeProfileIndex") &&
      !is_index(document["activeProfileIndex"], profiles.size()))
    return "activeProfileIndex";
  for (const json& frame : frames)
    if (const std::string wrong = wrong_in_frame(frame); !wrong.empty()) return wrong;
  for (const json& profile : profiles)
    if (const std::string wrong = wrong_in_profile(profile, frames.size()); !wrong.empty())
      return wrong;
  return {};
}

}  // namespace bast_stacks::sample
