// SPDX-License-Identifier: Apache-2.0
#include "model/scope_language.hpp"

namespace bast::model {

namespace {

constexpr word scope_words[] = {
    {"spawn", true, 2047}, {"open", true, 63},  {"end", true, 3},       {"wait", true, 15},
    {"cancel", true, 3},   {"yield", true},     {"check", true},        {"join", true, 15},
    {"drop", true, 15},    {"defer", true, 7},  {"forget", true, 15},   {"close", true, 3},
    {"await", true, 3},    {"watch", true, 15}, {"deadline", true, 15}, {"limit", true, 7},
    {"shield", true},      {"bind", true},      {"fire", true, 15},     {"stop", true},
    {"nest", true},
};
static_assert(std::size(scope_words) == scope_op_kinds);

// At the end of the program all is cancelled, or what waits is let go on, before the other.
constexpr option_field scope_option_fields[] = {{"gate_first", 1}};

}  // namespace

const language scope_language{
    .name = "scope", .words = scope_words, .options = scope_option_fields, .faults = 0};

}  // namespace bast::model
