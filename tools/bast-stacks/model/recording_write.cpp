// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "model/names.hpp"
#include "model/recording.hpp"
#include "model/recording_fields.hpp"

namespace bast_stacks {
namespace {

using nlohmann::ordered_json;

/// Builds an object from a record's members.
class encoder {
 public:
  void operator()(const char* name, const auto& member) { object_[name] = encoded(member); }
  void rare(const char* name, const auto& member) {
    if (!empty(member)) (*this)(name, member);
  }
  void flags(const char* name, std::uint64_t built) { object_[name] = built_names(built); }
  ordered_json take() { return std::move(object_); }

 private:
  template <typename T>
  static ordered_json encoded(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return std::string(name_of(value));
    } else if constexpr (std::is_arithmetic_v<T> || std::same_as<T, std::string>) {
      return value;
    } else {
      encoder record;
      internal::fields(record, value);
      return record.take();
    }
  }
  template <typename T>
  static ordered_json encoded(const std::vector<T>& values) {
    ordered_json array = ordered_json::array();
    for (const T& value : values) array.push_back(encoded(value));
    return array;
  }
  // Depths, not bucket indices: those have a meaning only in the registry's header.
  static ordered_json encoded(const bucket& of) {
    return {{"low", bast::watch::bucket_low(of.index)}, {"count", of.count}};
  }

  template <typename T>
  static bool empty(const T& value) {
    if constexpr (requires { value.empty(); }) {
      return value.empty();
    } else {
      return value == T{};
    }
  }
  static bool empty(const backtrace& of) { return of.depth == 0 && of.frames.empty(); }

  ordered_json object_ = ordered_json::object();
};

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const snapshot& of) {
  encoder record;
  internal::fields(record, of);
  const ordered_json members = record.take();

  std::string out =
      fmt::format("{{\n\"format\": \"{}\",\n\"version\": {}", recording_format, recording_version);
  for (const auto& [name, value] : members.items()) {
    out += fmt::format(",\n\"{}\": ", name);
    if (!value.is_array() || value.empty()) {
      out += dump(value);
      continue;
    }
    const char* separator = "[\n";
    for (const ordered_json& element : value) {
      out += separator;
      out += dump(element);
      separator = ",\n";
    }
    out += "\n]";
  }
  return out + "\n}\n";
}

}  // namespace bast_stacks
