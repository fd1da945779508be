# SPDX-License-Identifier: Apache-2.0
"""The operators: the kinds of faults, and the replacement for each original."""

import dataclasses
import re

ORDERS = "memory order"

OPERATORS = ("comparison", "arithmetic", "logic", "bits", "off by one", "constant",
             "negated condition", "dropped condition", "deleted statement", "deleted call",
             "dropped reset", "swapped arguments", ORDERS, "errno", "error code", "early return")


@dataclasses.dataclass(frozen=True)
class Fault:
    path: str       # relative to the root
    start: int
    end: int
    operator: str
    text: str       # replaces the original
    kind: str       # expression, condition, statement or insertion: how it is rewritten
    constant: bool  # inside a constexpr function
    function: str
    line: int
    original: str

    def key(self):
        return (self.path, self.start, self.end, self.operator, self.text)


# Comments, and literals that may contain the start of a comment.
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'", re.DOTALL)


def one_line(text):
    """The same code without comments and on one line."""
    bare = TOKEN.sub(lambda m: " " if m[0].startswith("/") else m[0], text)
    return re.sub(r"\s+", " ", bare).strip()


COMPARISONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
               "==": ("!=",), "!=": ("==",)}
BINARY = {
    **{op: ("comparison", to) for op, to in COMPARISONS.items()},
    "+": ("arithmetic", ("-",)), "-": ("arithmetic", ("+",)), "*": ("arithmetic", ("/",)),
    "/": ("arithmetic", ("*",)), "%": ("arithmetic", ("/",)),
    "+=": ("arithmetic", ("-=",)), "-=": ("arithmetic", ("+=",)), "*=": ("arithmetic", ("/=",)),
    "/=": ("arithmetic", ("*=",)), "%=": ("arithmetic", ("/=",)),
    "&&": ("logic", ("||",)), "||": ("logic", ("&&",)),
    "&": ("bits", ("|",)), "|": ("bits", ("&",)), "^": ("bits", ("|",)),
    "<<": ("bits", (">>",)), ">>": ("bits", ("<<",)),
    "&=": ("bits", ("|=",)), "|=": ("bits", ("&=",)), "^=": ("bits", ("|=",)),
    "<<=": ("bits", (">>=",)), ">>=": ("bits", ("<<=",)),
}
OVERLOADED = set(COMPARISONS) | {"|", "&"}
ERRNOS = ("EINVAL", "ENOMEM", "EAGAIN", "EINTR", "EPERM", "ENOENT", "EBADF", "ENOSYS", "ESRCH",
          "EIO", "EMFILE", "EBUSY")
ORDER = re.compile(r"\b(?:std::)?memory_order(?:_|::)(?:acquire|release|acq_rel|seq_cst|consume)\b"
                   r"|\b__ATOMIC_(?:ACQUIRE|RELEASE|ACQ_REL|SEQ_CST|CONSUME)\b")
ATOMIC = re.compile(r"[.>](?:load|store|exchange|fetch_\w+|test_and_set|clear|test)\s*\($")
SYMMETRIC = re.compile(r"\b(?:max|min|gcd|swap|equal_to|hash_combine)\s*(?:<[^()]*>)?\s*\($")
RESET = re.compile(r"=\s*(?:0[uUlL]*|nullptr|NULL|false|-1|[\w:<>]*\{\}|[\w:]*::(?:none|null)|{}"
                   r"|std::nullopt)$|(?:\.|->)(?:reset|clear)\(\)$")
LITERAL = re.compile(r"(0|[1-9][0-9]*)([uUlLzZ]*)$")
NUMBER = re.compile(r"[0-9][0-9a-fA-FxXbB']*[uUlLzZ]*$")
PLANTED = "MUTANT("  # BAST_MUTANT: bugs that are planted on purpose, and off here
