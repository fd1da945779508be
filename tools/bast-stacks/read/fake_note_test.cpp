// SPDX-License-Identifier: Apache-2.0
//
// The ELF note through which the reader finds the fake registries of these tests.
#include "read/testing/fake_registry.hpp"

extern "C" {
// Hidden, so that the distance to it is known at link time.
[[gnu::visibility("hidden")]] bast::watch::anchor bast_stacks_fake_anchor = {
    .magic = bast::watch::magic, .registry = 0, .bytes = 0};
}

__asm__(
    ".pushsection .note.bast.fake, \"a\", %note\n"
    ".balign 4\n"
    ".long 5, 8, 1\n"
    ".asciz \"bast\"\n"
    ".balign 4\n"
    ".quad bast_stacks_fake_anchor - .\n"
    ".popsection\n");
