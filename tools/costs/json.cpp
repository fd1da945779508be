// SPDX-License-Identifier: Apache-2.0
//
// nlohmann-json on nested documents. It parses without recursion; it destroys and prints with it.
#include "costs.hpp"

#include <nlohmann/json.hpp>
#include <string>

namespace costs {
namespace {

std::string nested_arrays(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

std::span<const call> json() {
  static const call all[] = {
      {"nlohmann-json: parse and dump, small", "nlohmann-json: parse and dump, small, again",
       [] { keep(nlohmann::json::parse(R"({"a":[1,2,{"b":null}],"c":"text"})").dump()); }},
      {"nlohmann-json: parse, 1,000 deep", "nlohmann-json: parse, 1,000 deep, again",
       [] { keep(nlohmann::json::parse(nested_arrays(1000))); }},
      {"nlohmann-json: dump, 1,000 deep", "nlohmann-json: dump, 1,000 deep, again",
       [] { keep(nlohmann::json::parse(nested_arrays(1000)).dump()); }},
  };
  return all;
}

}  // namespace costs
