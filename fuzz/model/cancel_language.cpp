// SPDX-License-Identifier: Apache-2.0
#include "model/cancel_language.hpp"

namespace bast::model {

namespace {

constexpr word cancel_words[] = {
    {"root", true},
    {"child", true, 31},
    {"enlist", true, 4095},
    {"delist", true},
    {"cancel", true, 6},
    {"drop", true},
    {"shield", true, 1},
    {"deadline", true, cancel_time_max + 1},
    {"advance", false, 15},
    {"join", true, 1023},
    {"forget", true},
    {"fault", false, 255},
    {"mend"},
    {"check"},
};
static_assert(std::size(cancel_words) == cancel_op_kinds);

}  // namespace

const language cancel_language{
    .name = "cancel_order", .words = cancel_words, .options = {}, .faults = cancel_faults};

}  // namespace bast::model
