# SPDX-License-Identifier: Apache-2.0
"""Rewrites a source, with each fault behind a switch that the process reads when it starts.

Lines keep their numbers. If one fault is inside another, the ordinary branch of the outer one
carries the switch of the inner one and its other branch the plain text, so that the text grows with
the number of faults and not with their products.
"""

import dataclasses


@dataclasses.dataclass
class Node:
    """Faults of one place, and the places inside of it."""
    start: int
    end: int
    faults: list  # (number, fault)
    inner: list


def nest(numbered):
    """Places as a list of trees. Leaves out, and names, places that overlap another."""
    top, stack, crossing = [], [], []
    order = sorted(numbered, key=lambda row: (row[1].start, row[1].kind != "insertion",
                                              -row[1].end, row[1].kind != "statement", row[0]))
    for number, fault in order:
        while stack and (stack[-1].end <= fault.start or stack[-1].start == stack[-1].end):
            if stack[-1].start == stack[-1].end == fault.start == fault.end:
                break
            stack.pop()
        if stack and (stack[-1].start, stack[-1].end) == (fault.start, fault.end):
            stack[-1].faults.append((number, fault))
        elif stack and fault.end > stack[-1].end:
            crossing.append(fault)
        else:
            node = Node(fault.start, fault.end, [(number, fault)], [])
            (stack[-1].inner if stack else top).append(node)
            stack.append(node)
    return top, crossing


class Writer:
    """Builds the text and records the place of each fault in it, for the compiler's errors."""

    def __init__(self, text, numbered):
        self.source, self.parts, self.length = text, [], 0
        self.spans = []  # (start, end, fault), inner ones later
        top, self.crossing = nest(numbered)
        self.range(0, len(text), top)
        self.text = "".join(self.parts)

    def put(self, text):
        self.parts.append(text)
        self.length += len(text)

    def range(self, start, end, nodes):
        for node in nodes:
            self.put(self.source[start:node.start])
            self.node(node, list(node.faults))
            start = node.end
        self.put(self.source[start:end])

    def node(self, node, faults):
        if not faults:
            self.range(node.start, node.end, node.inner)
            return
        number, fault = faults[0]
        place = len(self.spans)
        self.spans.append(None)
        start = self.length
        switch = f"bast_fault{'_constexpr' if fault.constant else ''}({number})"
        if fault.kind == "insertion":
            self.put(f"if ({switch}) {fault.text} ")
            self.node(node, faults[1:])
        elif fault.kind == "statement":
            self.put(f"{{ if (!{switch}) {{ ")
            self.node(node, faults[1:])
            self.put(" } }")
        elif fault.kind == "condition":
            self.put(f"({switch} ? ({fault.text}) : static_cast<bool>(")
            self.node(node, faults[1:])
            self.put("))")
        else:
            self.put(f"({switch} ? ({fault.text}) : (")
            self.node(node, faults[1:])
            self.put("))")
        self.spans[place] = (start, self.length, fault)

    def at(self, line, column):
        """The innermost fault at a place of the new text, or None."""
        offset = self.line_start(line) + column - 1
        inside = [span for span in self.spans if span[0] <= offset < span[1]]
        return min(inside, key=lambda span: span[1] - span[0])[2] if inside else None

    def on(self, line):
        """All faults on a line of the new text."""
        begins = self.line_start(line)
        ends = self.line_start(line + 1)
        return [fault for start, end, fault in self.spans if start < ends and end > begins]

    def line_start(self, line):
        at = 0
        for _ in range(line - 1):
            at = self.text.find("\n", at) + 1 or len(self.text)
        return at
