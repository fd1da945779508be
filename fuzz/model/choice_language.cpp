// SPDX-License-Identifier: Apache-2.0
#include "model/choice_language.hpp"

namespace bast::model {

namespace {

constexpr word choice_words[] = {
    {"arm", true, 0x1fff},
    {"clear", true},
    {"perform", true, 15},
    {"poll", true},
    {"fire", false, 2},
    {"renew", false, 2},
    {"give", false, 3},
    {"cancel", true},
    {"release", true},
    {"abandon", true},
    {"run"},
};
static_assert(std::size(choice_words) == choice_op_kinds);

constexpr option_field choice_options[] = {{"seed", 8}};

}  // namespace

const language choice_language{
    .name = "choice", .words = choice_words, .options = choice_options, .faults = 0};

}  // namespace bast::model
