# SPDX-License-Identifier: Apache-2.0
"""Faults without an effect that a test could detect, as listed in ci/equivalent.toml.

    [[fault]]
    file = "lib/bast/base/text.cpp"
    function = "text::operator<<"
    operator = "comparison"
    original = "s.size() < room"
    fault = "s.size() <= room"
    reason = "both branches copy the same bytes when the sizes are equal"
    confirmed = true    # by a second reader; without it the entry does not count
"""

import tomllib

FIELDS = ("file", "function", "operator", "original", "fault", "reason")


def read(file):
    """{(file, function, operator, original, fault): reason} of the confirmed entries."""
    if not file.exists():
        return {}
    listed = {}
    for row in tomllib.loads(file.read_text()).get("fault", []):
        missing = [field for field in FIELDS if not isinstance(row.get(field), str)]
        if missing:
            raise SystemExit(f"ci/mutate: {file.name}: no {', '.join(missing)} in {row}")
        if row.get("confirmed") is True:
            listed[tuple(row[field] for field in FIELDS[:5])] = row["reason"]
    return listed


def is_listed(listed, fault):
    return (fault.path, fault.function, fault.operator, fault.original, fault.text) in listed
