# SPDX-License-Identifier: Apache-2.0
"""Faults of statements and conditions: the walk of one function."""

import dataclasses
import re

from clang import cindex
from clang.cindex import CursorKind as K

from .expressions import Expressions
from .operators import ERRNOS, PLANTED, RESET, one_line

# Constants that the compiler needs, or that are never evaluated.
CLOSED = {K.CXX_UNARY_EXPR, K.STATIC_ASSERT, K.PARM_DECL, K.CXX_TYPEID_EXPR,
          K.SIZE_OF_PACK_EXPR, K.TYPE_REF, K.TEMPLATE_REF, K.NAMESPACE_REF, K.OVERLOADED_DECL_REF,
          K.TYPEDEF_DECL, K.TYPE_ALIAS_DECL, K.ENUM_DECL, K.CONCEPT_DECL, K.REQUIRES_EXPR,
          K.CONCEPT_SPECIALIZATION_EXPR, K.ASM_STMT, K.USING_DECLARATION, K.USING_DIRECTIVE}


@dataclasses.dataclass(frozen=True)
class Scope:
    """The function around a place."""
    name: str
    constant: bool
    leave: str | None  # the statement that leaves it early


class FunctionFinder(Expressions):
    def __init__(self, finder, source):
        self.finder, self.source, self.text = finder, source, source.text

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
                           self.early(cursor))
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

    def early(self, cursor):
        """A constructor has no return, and a function declared noreturn must not have one."""
        if cursor.kind == K.CONSTRUCTOR or any(
                token.spelling == "noreturn" for child in cursor.get_children()
                if child.kind == K.UNEXPOSED_ATTR for token in child.get_tokens()):
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

    methods = {
        **Expressions.methods,
        K.COMPOUND_STMT: block, K.IF_STMT: if_statement, K.WHILE_STMT: loop, K.DO_STMT: loop,
        K.FOR_STMT: loop, K.CXX_FOR_RANGE_STMT: loop, K.CASE_STMT: case, K.DEFAULT_STMT: case,
        K.VAR_DECL: variable, K.LAMBDA_EXPR: lambda_expression, K.RETURN_STMT: returned,
    }
