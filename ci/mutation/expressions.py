# SPDX-License-Identifier: Apache-2.0
"""Faults inside of expressions."""

import re

from clang import cindex
from clang.cindex import CursorKind as K

from .operators import (ATOMIC, BINARY, COMPARISONS, LITERAL, NUMBER, ORDER, ORDERS, OVERLOADED,
                        PLANTED, SYMMETRIC, Fault, one_line)

INTEGERS = {cindex.TypeKind[name] for name in (
    "UCHAR", "USHORT", "UINT", "ULONG", "ULONGLONG", "SHORT", "INT", "LONG", "LONGLONG",
    "CHAR_S", "SCHAR")}


class Expressions:
    """Walks expressions; the walk of statements in statements.py builds on it."""

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
    def is_comparison(self, cursor):
        operation = self.operation(cursor)
        return operation is not None and operation[0] in COMPARISONS

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
        K.INTEGER_LITERAL: literal, K.CXX_BOOL_LITERAL_EXPR: boolean, K.DECL_REF_EXPR: name,
        K.MEMBER_REF_EXPR: member, K.CXX_STATIC_CAST_EXPR: cast,
        K.CXX_REINTERPRET_CAST_EXPR: cast, K.CXX_CONST_CAST_EXPR: cast,
        K.CSTYLE_CAST_EXPR: cast, K.ARRAY_SUBSCRIPT_EXPR: subscript, K.UNARY_OPERATOR: unary,
        K.BINARY_OPERATOR: binary, K.COMPOUND_ASSIGNMENT_OPERATOR: binary,
        K.CONDITIONAL_OPERATOR: conditional, K.CALL_EXPR: call,
    }
