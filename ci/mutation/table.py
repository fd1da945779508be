# SPDX-License-Identifier: Apache-2.0
"""The output of a run: a line for each fault, the table by layer, the survivors."""

from . import candidates, equivalent, harnesses, operators


def short(text, most=60):
    return text if len(text) <= most else text[:most - 3] + "..."


def change(fault):
    if fault.kind == "insertion":
        return f"+ {fault.text}"
    return f"{short(fault.original)} -> {short(fault.text) or '(nothing)'}"


def line(fault, row, listed):
    if row["killed"]:
        word = "killed"
    else:
        word = "equivalent" if equivalent.is_listed(listed, fault) else "SURVIVED"
    by = row["by"] if row["killed"] else "" if row["reached"] else "no test reaches it"
    how = f", {row['how']}" if row["how"] in ("timeout", "memory") else ""
    return (f"{word:10} {fault.path}:{fault.line} {fault.function} [{fault.operator}] "
            f"{change(fault)}  {by}{how} {row['seconds']} s")


class Summary:
    def __init__(self, order, results, listed, rows, seed, paths):
        self.order, self.results, self.listed = order, results, listed
        self.rows, self.seed, self.paths = rows, seed, paths
        self.counts = {}  # row's name: [sampled, killed, survived, equivalent]
        self.survivors = []
        for number, result in results.items():
            fault = order[number]
            name = candidates.layer_of(fault.path)
            if fault.operator == operators.ORDERS:
                name = "memory orders"
            counts = self.counts.setdefault(name, [0, 0, 0, 0])
            counts[0] += 1
            if result["killed"]:
                counts[1] += 1
            elif equivalent.is_listed(listed, fault):
                counts[3] += 1
            else:
                counts[2] += 1
                self.survivors.append((fault, result))
        self.survivors.sort(key=lambda row: (row[0].path, row[0].start))
        self.total = [sum(counts[i] for name, counts in self.counts.items()
                          if name != "memory orders") for i in range(4)]

    def percent(self, counts):
        real = counts[0] - counts[3]
        return 100 * counts[1] / real if real else 100.0

    def lines(self):
        """The layers from the bottom up, the sum, the memory orders."""
        order = [*harnesses.LAYERS, "bast", *(f"tools/{part}" for part in harnesses.PARTS)]
        for name in sorted(self.counts, key=lambda n: (order.index(n) if n in order else 99, n)):
            if name != "memory orders":
                yield name, self.counts[name]
        yield "all", self.total
        if "memory orders" in self.counts:
            yield "memory orders, aside", self.counts["memory orders"]

    def left_out(self):
        return [f"left out: {row.harness.name} {test}: {why}"
                for row in self.rows for test, why in row.left_out.items()]

    def plain(self):
        out = [f"{'':22} sampled  killed  survived  equivalent"]
        for name, counts in self.lines():
            out.append(f"{name:22} {counts[0]:7} {counts[1]:7} {counts[2]:9} {counts[3]:11}"
                       f"  {self.percent(counts):5.1f} %")
        if self.survivors:
            out.append("survivors:")
        for fault, result in self.survivors:
            why = "" if result["reached"] else "; no test reaches it"
            out.append(f"  {fault.path}:{fault.line} {fault.function} [{fault.operator}] "
                       f"{change(fault)}{why}")
        return "\n".join(out + self.left_out())

    def markdown(self):
        out = ["| layer | sampled | killed | survived | equivalent | killed of those that count |",
               "|---|---|---|---|---|---|"]
        for name, counts in self.lines():
            out.append(f"| {name} | {counts[0]} | {counts[1]} | {counts[2]} | {counts[3]} "
                       f"| {self.percent(counts):.1f}% |")
        out += ["", f"`ci/run mutate {len(self.results)} --seed {self.seed}"
                    f"{''.join(' ' + path for path in self.paths)}`", ""]
        for fault, result in self.survivors:
            why = "" if result["reached"] else " (no test reaches it)"
            out.append(f"- `{fault.path}:{fault.line}` `{fault.function}`, {fault.operator}: "
                       f"`{change(fault)}`{why}")
        return "\n".join(out + [f"- {text}" for text in self.left_out()]) + "\n"

    def complaints(self, required):
        complaints = []
        if self.total[3] * 10 > self.total[0]:
            complaints.append(f"{self.total[3]} of {self.total[0]} faults are listed as "
                              "equivalent: more than a tenth")
        if required is not None and self.percent(self.total) < required:
            complaints.append(f"{self.percent(self.total):.1f} % of the faults were noticed, "
                              f"{required} % are required")
        return complaints
