# SPDX-License-Identifier: Apache-2.0
"""Finds the places where a fault can stand, with libclang.

A fault is a place in a file (bytes from `start` to `end`) and what stands there instead. Places
inside macros, constants that the compiler needs and declarations are left out; what slips through
does not compile and is dropped then.
"""

import dataclasses
import errno
import re

from clang import cindex
from clang.cindex import CursorKind as K

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
    text: str       # stands in place of the original
    kind: str       # expression, condition, statement or insertion: how it is rewritten
    constant: bool  # inside a constexpr function
    function: str
    line: int
    original: str

    def key(self):
        return (self.path, self.start, self.end, self.operator, self.text)


# Comments, and literals in which a comment may seem to begin.
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

CONTAINERS = {K.NAMESPACE, K.CLASS_DECL, K.STRUCT_DECL, K.UNION_DECL, K.CLASS_TEMPLATE,
              K.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION, K.LINKAGE_SPEC, K.UNEXPOSED_DECL,
              K.FRIEND_DECL}
FUNCTIONS = {K.FUNCTION_DECL, K.CXX_METHOD, K.CONSTRUCTOR, K.DESTRUCTOR, K.CONVERSION_FUNCTION,
             K.FUNCTION_TEMPLATE}
# Constants that the compiler needs, or that are never evaluated.
CLOSED = {K.CXX_UNARY_EXPR, K.STATIC_ASSERT, K.PARM_DECL, K.CXX_TYPEID_EXPR,
          K.SIZE_OF_PACK_EXPR, K.TYPE_REF, K.TEMPLATE_REF, K.NAMESPACE_REF, K.OVERLOADED_DECL_REF,
          K.TYPEDEF_DECL, K.TYPE_ALIAS_DECL, K.ENUM_DECL, K.CONCEPT_DECL, K.REQUIRES_EXPR,
          K.CONCEPT_SPECIALIZATION_EXPR, K.ASM_STMT, K.USING_DECLARATION, K.USING_DIRECTIVE}
INTEGERS = {cindex.TypeKind[name] for name in (
    "UCHAR", "USHORT", "UINT", "ULONG", "ULONGLONG", "SHORT", "INT", "LONG", "LONGLONG",
    "CHAR_S", "SCHAR")}


@dataclasses.dataclass(frozen=True)
class Scope:
    """The function around a place."""
    name: str
    constant: bool
    leave: str | None  # the statement that leaves it early


class Source:
    """One file in one translation unit."""

    def __init__(self, path, name, macros):
        self.name = name
        self.text = path.read_bytes().decode("latin-1")  # A character is a byte, as in libclang.
        self.macros = sorted((start, end) for _, start, end in macros)
        self.errnos = [row for row in macros if row[0] in errno.errorcode.values()]
        self.cases = []

    def is_expanded(self, start, end):
        """True if a macro's expansion holds either end of the range, or all of it."""
        for low, high in self.macros:
            if low > end:
                return False
            if low <= start and end <= high or low < start < high or low < end < high:
                return True
        return False

    def before(self, offset):
        return self.text[max(0, offset - 80):offset].rstrip()[-1:]

    def after(self, offset):
        return self.text[offset:offset + 80].lstrip()[:1]


class Finder:
    """Walks translation units and collects faults; what several of them include counts once."""

    def __init__(self, root, wanted):
        self.root, self.wanted = root, wanted  # wanted: absolute name -> relative name
        self.faults = {}
        self.done = set()  # declarations that were walked: (name, offset)
        self.files = set()

    def walk(self, unit):
        macros = {}
        declarations = []
        for cursor in unit.cursor.get_children():
            file = cursor.location.file
            if cursor.kind == K.MACRO_INSTANTIATION:
                if file and file.name in self.wanted:
                    extent = cursor.extent
                    macros.setdefault(file.name, []).append(
                        (cursor.spelling, extent.start.offset, extent.end.offset))
            elif cursor.kind in CONTAINERS or cursor.kind in FUNCTIONS:
                declarations.append(cursor)
        self.macros, self.sources = macros, {}
        for cursor in declarations:
            self.declaration(cursor)

    def source(self, file):
        if file not in self.sources:
            self.files.add(file)
            self.sources[file] = Source(self.root / self.wanted[file], self.wanted[file],
                                        self.macros.get(file, []))
        return self.sources[file]

    def declaration(self, cursor):
        if cursor.kind in CONTAINERS:
            if cursor.kind == K.NAMESPACE and cursor.spelling in ("std", "__gnu_cxx", "testing"):
                return
            for child in cursor.get_children():
                if child.kind in CONTAINERS or child.kind in FUNCTIONS:
                    self.declaration(child)
        elif cursor.kind in FUNCTIONS:
            file = cursor.location.file
            if not file or file.name not in self.wanted:
                return
            place = (file.name, cursor.extent.start.offset)
            # What states the invariants is a test by itself.
            if place not in self.done and cursor.spelling != "check_invariants":
                self.done.add(place)
                FunctionFinder(self, self.source(file.name)).function(cursor)


class FunctionFinder:
    def __init__(self, finder, source):
        self.finder, self.source, self.text = finder, source, source.text

    # -- what is found

    def add(self, operator, start, end, text, kind="expression"):
        source, scope = self.source, self.scope
        original = self.text[start:end]
        if start > end or source.is_expanded(start, end) and operator != "errno":
            return
        if 'R"' in original or re.search(r"^\s*#", original, re.MULTILINE) or len(text) > 1200:
            return
        original, text = one_line(original), one_line(text)
        if original == text:
            return
        fault = Fault(source.name, start, end, operator, text, kind, scope.constant, scope.name,
                      self.text.count("\n", 0, start) + 1, original)
        self.finder.faults.setdefault(fault.key(), fault)

    def range(self, cursor):
        extent = cursor.extent
        return extent.start.offset, extent.end.offset

    def spelled(self, cursor):
        start, end = self.range(cursor)
        return self.text[start:end]

    # -- functions and statements

    def function(self, cursor):
        body = None
        children = list(cursor.get_children())
        for child in children:
            if child.kind in (K.COMPOUND_STMT, K.CXX_TRY_STMT):
                body = child
        if body is None:
            return
        start, end = self.range(cursor)
        head = self.text[start:self.range(body)[0]]
        self.scope = Scope(self.full_name(cursor), bool(re.search(r"\bconst(expr|eval)\b", head)),
                           self.early(cursor, head))
        if "consteval" in head:
            return
        if cursor.kind == K.CONSTRUCTOR:
            for child in children:
                if child.kind.is_expression() and self.source.before(self.range(child)[0]) in "({":
                    self.visit(child)
        self.visit(body)
        low, high = self.range(body)
        for name, start, end in self.source.errnos:
            if low < start < high and not self.is_closed(start, end):
                others = [other for other in ERRNOS if other != name]
                self.add("errno", start, end, others[(start + len(name)) % len(others)])

    def is_closed(self, start, end):
        """True inside another macro, and in a case label."""
        return any(low <= start and end <= high and (low, high) != (start, end)
                   for low, high in self.source.macros + self.source.cases) \
            or (start, end) in self.source.cases

    def full_name(self, cursor):
        parent = cursor.semantic_parent
        if parent is not None and parent.kind not in (K.NAMESPACE, K.TRANSLATION_UNIT) \
                and parent.spelling:
            return f"{parent.spelling}::{cursor.spelling}"
        return cursor.spelling

    def early(self, cursor, head):
        if cursor.kind == K.CONSTRUCTOR or "noreturn" in head:
            return None
        result = cursor.result_type.spelling
        if cursor.kind == K.DESTRUCTOR or result == "void":
            return "return;"
        return "return {};" if result.endswith("result<void>") else None

    def block(self, cursor):
        for child in cursor.get_children():
            start, end = self.range(child)
            if self.scope.leave and not self.source.is_expanded(start, start + 1) \
                    and child.kind not in (K.RETURN_STMT, K.CASE_STMT, K.DEFAULT_STMT,
                                           K.BREAK_STMT, K.LABEL_STMT) \
                    and not self.text.startswith(("constexpr", "static_assert"), start):
                self.add("early return", start, start, self.scope.leave, "insertion")
            self.statement(child)

    def statement(self, cursor):
        """A statement that may be left out, if it is an expression."""
        if cursor.kind.is_expression():
            start, end = self.range(cursor)
            code = self.text[start:end]
            stop = re.compile(r"(?:\s|//[^\n]*\n|/\*.*?\*/)*;", re.DOTALL).match(self.text, end)
            if stop and not re.fullmatch(r"\(void\)\s*\w+", code) \
                    and not self.source.is_expanded(start, end):
                operator = "deleted statement" if self.operation(cursor) or code[-1] != ")" \
                    else "deleted call"
                if RESET.search(one_line(code)):
                    operator = "dropped reset"
                self.add(operator, start, stop.end(), "", "statement")
        self.visit(cursor)

    def condition(self, cursor, may_be_false=True):
        """A condition in parentheses: negated, always true, never true."""
        start, end = self.range(cursor)
        if not cursor.kind.is_expression() or self.source.before(start) not in "(;" \
                or self.source.after(end) != ")":
            return
        code = self.text[start:end]
        if PLANTED in code:
            return
        if not self.is_comparison(cursor) and not code.startswith("!"):
            self.add("negated condition", start, end, f"!({code})", "condition")
        self.add("dropped condition", start, end, "true", "condition")
        if may_be_false:
            self.add("dropped condition", start, end, "false", "condition")

    def is_comparison(self, cursor):
        operation = self.operation(cursor)
        return operation is not None and operation[0] in COMPARISONS

    def if_statement(self, cursor):
        children = list(cursor.get_children())
        if len(children) < 2:
            return
        has_else = len(children) > 2 and re.search(
            r"\belse\b", self.text[self.range(children[-2])[1]:self.range(children[-1])[0]])
        then = len(children) - (2 if has_else else 1)
        head = self.text[self.range(cursor)[0]:self.range(children[0])[0]]
        code = self.spelled(children[then - 1])
        if "constexpr" not in head:
            for child in children[:then - 1]:
                self.visit(child)
            if PLANTED not in code:
                self.condition(children[then - 1])
                self.visit(children[then - 1])
        if PLANTED not in code or code.startswith("!"):
            self.statement(children[then])
        for child in children[then + 1:]:
            self.statement(child)

    # -- expressions

    def visit(self, cursor):
        kind = cursor.kind
        if kind in CLOSED:
            return
        method = self.methods.get(kind)
        if method is not None:
            method(self, cursor)
        else:
            for child in cursor.get_children():
                self.visit(child)

    def loop(self, cursor):
        children = list(cursor.get_children())
        if cursor.kind == K.WHILE_STMT:
            self.condition(children[-2])
        elif cursor.kind == K.DO_STMT:
            self.condition(children[-1])
        for child in children:
            if child.kind.is_expression() and cursor.kind != K.DO_STMT and child == children[-1]:
                self.statement(child)
            else:
                self.visit(child)

    def case(self, cursor):
        children = list(cursor.get_children())
        if cursor.kind == K.CASE_STMT:
            self.source.cases.append(self.range(children[0]))
        if children:
            self.statement(children[-1])

    def variable(self, cursor):
        start, end = self.range(cursor)
        name = cursor.location.offset
        if re.search(r"\b(?:constexpr|constinit|static|thread_local)\b", self.text[start:name]):
            return
        for child in cursor.get_children():
            low = self.range(child)[0]
            if low > name and self.source.before(low) != "[":
                self.visit(child)

    def lambda_expression(self, cursor):
        outer = self.scope
        self.scope = dataclasses.replace(outer, leave=None)
        for child in cursor.get_children():
            if child.kind == K.COMPOUND_STMT:
                self.visit(child)
        self.scope = outer

    def returned(self, cursor):
        for child in cursor.get_children():
            start, end = self.range(child)
            code = self.text[start:end]
            if child.type.get_canonical().kind == cindex.TypeKind.BOOL \
                    and not self.is_comparison(child) and not code.startswith("!") \
                    and code not in ("true", "false") and PLANTED not in code:
                self.add("negated condition", start, end, f"!({code})", "condition")
            self.one_more(child)
            self.visit(child)

    def one_more(self, cursor):
        """An integer that is one too large; literals have faults of their own."""
        if cursor.type.get_canonical().kind in INTEGERS:
            start, end = self.range(cursor)
            code = self.text[start:end]
            if not NUMBER.match(code):
                self.add("off by one", start, end, f"({code}) + 1")

    def literal(self, cursor):
        start, end = self.range(cursor)
        code = self.text[start:end]
        before, after = self.source.before(start), self.source.after(end)
        if not NUMBER.match(code) or before in "<" and after in ",>" or before == "," \
                and after == ">":
            return
        match = LITERAL.match(code)
        if not match:
            self.add("off by one", start, end, f"({code} + 1)")
            self.add("off by one", start, end, f"({code} - 1)")
            return
        value = int(match[1])
        self.add("off by one" if value else "constant", start, end, f"{value + 1}{match[2]}")
        if value:
            self.add("constant" if value == 1 else "off by one", start, end,
                     f"{value - 1}{match[2]}")

    def boolean(self, cursor):
        start, end = self.range(cursor)
        code = self.text[start:end]
        if code in ("true", "false"):
            self.add("constant", start, end, "false" if code == "true" else "true")

    def name(self, cursor):
        """A named constant; arguments of templates are not walked."""
        referred = cursor.referenced
        if referred is None:
            return
        start, end = self.range(cursor)
        code = self.text[start:end]
        if referred.kind == K.ENUM_CONSTANT_DECL:
            enum = referred.semantic_parent
            if not (enum.location.file and enum.location.file.name.startswith(
                    str(self.finder.root))):
                return
            names = [c.spelling for c in enum.get_children() if c.kind == K.ENUM_CONSTANT_DECL]
            at = names.index(referred.spelling)
            other = names[(at + 1) % len(names)]
            if code.endswith(referred.spelling):
                self.add("error code" if enum.spelling == "errc" else "constant", start, end,
                         code[:len(code) - len(referred.spelling)] + other)
        elif referred.kind == K.VAR_DECL and referred.type.is_const_qualified() \
                and referred.type.get_canonical().kind in INTEGERS:
            self.add("constant", start, end, f"({code} + 1)")

    def member(self, cursor):
        for child in cursor.get_children():
            if self.range(child)[1] <= cursor.location.offset:
                self.visit(child)

    def cast(self, cursor):
        children = list(cursor.get_children())
        if children:
            self.visit(children[-1])

    def subscript(self, cursor):
        children = list(cursor.get_children())
        if len(children) == 2:
            self.one_more(children[1])
        for child in children:
            self.visit(child)

    def unary(self, cursor):
        start, end = self.range(cursor)
        children = list(cursor.get_children())
        low, high = self.range(children[0])
        sign = self.text[start:low].strip() or self.text[high:end].strip()
        operand = self.text[low:high]
        if sign == "!" and PLANTED not in operand:
            self.add("negated condition", start, end, f"static_cast<bool>({operand})")
        elif sign == "-" and not NUMBER.match(operand):
            self.add("arithmetic", start, end, f"({operand})")
        elif sign == "~":
            self.add("bits", start, end, f"({operand})")
        elif sign in ("++", "--"):
            other = "--" if sign == "++" else "++"
            self.add("arithmetic", start, end,
                     self.text[start:end].replace(sign, other, 1))
        self.visit(children[0])

    def operation(self, cursor):
        """(operator, left, right) of a binary operator, overloaded or not."""
        if cursor.kind == K.CALL_EXPR:
            operands = list(cursor.get_arguments())
        elif cursor.kind in (K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR):
            operands = list(cursor.get_children())
        elif cursor.kind == K.UNEXPOSED_EXPR:
            children = list(cursor.get_children())
            return self.operation(children[0]) if len(children) == 1 else None
        else:
            return None
        if len(operands) != 2:
            return None
        start, end = self.range(cursor)
        (left, middle), (right, last) = self.range(operands[0]), self.range(operands[1])
        if start != left or end != last or middle > right:
            return None
        sign = one_line(self.text[middle:right])
        return (sign, *operands) if sign in BINARY or sign == "=" else None

    def binary(self, cursor):
        operation = self.operation(cursor)
        if operation is None:
            for child in cursor.get_children():
                self.visit(child)
            return
        sign, left, right = operation
        start, end = self.range(cursor)
        a, b = self.spelled(left), self.spelled(right)
        if PLANTED in a or PLANTED in b:
            if sign == "&&" and a.startswith("!"):
                self.visit(right)
            return
        if sign in BINARY and (cursor.kind != K.CALL_EXPR or sign in OVERLOADED):
            operator, others = BINARY[sign]
            for other in others:
                self.add(operator, start, end, f"{a} {other} {b}")
            if sign in ("&&", "||"):
                self.add("dropped condition", start, end, a, "condition")
                self.add("dropped condition", start, end, b, "condition")
            if sign == "|":
                self.add("bits", start, end, a)
        self.visit(left)
        self.visit(right)

    def conditional(self, cursor):
        children = list(cursor.get_children())
        if len(children) != 3:
            return
        condition, yes, no = children
        start, end = self.range(condition)
        code = self.text[start:end]
        if PLANTED not in code:
            for operator, text in (("negated condition", f"!({code})"),
                                   ("dropped condition", "true"), ("dropped condition", "false")):
                if operator == "dropped condition" or not self.is_comparison(condition):
                    self.add(operator, start, end, text, "condition")
            self.visit(condition)
            self.visit(yes)
        self.visit(no)

    def call(self, cursor):
        if self.operation(cursor) is not None:
            self.binary(cursor)
            return
        start, end = self.range(cursor)
        arguments = [a for a in cursor.get_arguments()
                     if a is not None and start <= self.range(a)[0] < self.range(a)[1] <= end]
        ranges = [self.range(a) for a in arguments]
        if ranges and ranges == sorted(ranges):
            self.swapped(start, end, arguments, ranges)
        self.orders(cursor, start, end, ranges)
        for argument in arguments:
            if argument.kind in (K.DECL_REF_EXPR, K.MEMBER_REF_EXPR, K.UNEXPOSED_EXPR) \
                    and "memory_order" not in self.spelled(argument):
                referred = argument.referenced
                if referred is not None and referred.kind in (K.VAR_DECL, K.PARM_DECL,
                                                              K.FIELD_DECL) \
                        and not referred.type.is_const_qualified():
                    self.one_more(argument)
        for child in cursor.get_children():
            low = self.range(child)[0]
            if start <= low:
                self.visit(child)

    def swapped(self, start, end, arguments, ranges):
        head = self.text[start:ranges[0][0]].rstrip()
        if not head.endswith(("(", "{")) or SYMMETRIC.search(head):
            return
        for i in range(len(arguments) - 1):
            types = [a.type.get_canonical().spelling for a in arguments[i:i + 2]]
            if types[0] != types[1] or "dependent" in types[0]:
                continue
            (a, b), (c, d) = ranges[i:i + 2]
            text = self.text
            if b <= c:
                self.add("swapped arguments", start, end, text[start:a] + text[c:d] + text[b:c]
                         + text[a:b] + text[d:end])

    def orders(self, cursor, start, end, ranges):
        code = self.text[start:end]
        found = False
        for low, high in ranges:
            if ORDER.fullmatch(self.text[low:high]):
                found = True
                relaxed = "__ATOMIC_RELAXED" if "__" in self.text[low:high] \
                    else "std::memory_order_relaxed"
                self.add(ORDERS, start, end, self.text[start:low] + relaxed + self.text[high:end])
        if found or "memory_order" in code or not code.endswith(")"):
            return
        head = self.text[start:ranges[0][0]] if ranges else code[:-1]
        children = list(cursor.get_children())
        if ATOMIC.search(head) and children and children[0].kind == K.MEMBER_REF_EXPR:
            owner = next(iter(children[0].get_children()), None)
            if owner is not None and "atomic" in owner.type.get_canonical().spelling:
                comma = ", " if ranges else ""
                self.add(ORDERS, start, end, code[:-1] + comma + "std::memory_order_relaxed)")

    methods = {
        K.COMPOUND_STMT: block, K.IF_STMT: if_statement, K.WHILE_STMT: loop, K.DO_STMT: loop,
        K.FOR_STMT: loop, K.CXX_FOR_RANGE_STMT: loop, K.CASE_STMT: case, K.DEFAULT_STMT: case,
        K.VAR_DECL: variable, K.LAMBDA_EXPR: lambda_expression, K.RETURN_STMT: returned,
        K.INTEGER_LITERAL: literal, K.CXX_BOOL_LITERAL_EXPR: boolean, K.DECL_REF_EXPR: name,
        K.MEMBER_REF_EXPR: member, K.CXX_STATIC_CAST_EXPR: cast,
        K.CXX_REINTERPRET_CAST_EXPR: cast, K.CXX_CONST_CAST_EXPR: cast,
        K.CSTYLE_CAST_EXPR: cast, K.ARRAY_SUBSCRIPT_EXPR: subscript, K.UNARY_OPERATOR: unary,
        K.BINARY_OPERATOR: binary, K.COMPOUND_ASSIGNMENT_OPERATOR: binary,
        K.CONDITIONAL_OPERATOR: conditional, K.CALL_EXPR: call,
    }
