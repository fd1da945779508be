// SPDX-License-Identifier: Apache-2.0
#include "model/sched_language.hpp"

namespace bast::model {

namespace {

constexpr word sched_words[] = {
    {"spawn", true, 15}, {"join", true, 15},   {"drop", true, 15},   {"yield", true},
    {"send", true, 2},   {"receive", true, 2}, {"choose", true, 63}, {"poll", true, 63},
    {"first", true, 63}, {"cancel", true, 15}, {"stop", true},       {"nest", true},
    {"fail", true},
};
static_assert(std::size(sched_words) == sched_op_kinds);

// Which scripts have a token of their own: none, all, the even or the odd ones; and how many stacks
// there are: enough, 2, 4 or 8.
constexpr option_field sched_options[] = {{"own", 2}, {"stacks", 2}};

}  // namespace

const language sched_language{
    .name = "sched", .words = sched_words, .options = sched_options, .faults = 0};

}  // namespace bast::model
