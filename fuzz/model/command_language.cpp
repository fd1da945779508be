// SPDX-License-Identifier: Apache-2.0
#include "model/command_language.hpp"

namespace bast::model {

namespace {

constexpr word command_words[] = {
    {"program", true, 127},
    {"bytes", false, 65535},
    {"argument", true},
    {"env", true, 15},
    {"start", true},
    {"repeat", false, 255},
    {"unset_env", true, 15},
    {"clear_env", true},
    {"cwd", true, 7},
    {"path", true, 15},
    {"stdin_is", true},
    {"ours", false, 15},
    {"move", true, 15},
    {"fault", false, 511},
    {"mend"},
    {"check"},
};
static_assert(std::size(command_words) == command_op_kinds);

}  // namespace

const language command_language{
    .name = "command_argv_env", .words = command_words, .options = {}, .faults = command_faults};

}  // namespace bast::model
