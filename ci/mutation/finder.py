# SPDX-License-Identifier: Apache-2.0
"""Finds the places for faults, with libclang.

Skips places inside macros, constants that the compiler needs and declarations; any others of these
do not compile and are dropped then.
"""

import errno

from clang.cindex import CursorKind as K

from .statements import FunctionFinder

CONTAINERS = {K.NAMESPACE, K.CLASS_DECL, K.STRUCT_DECL, K.UNION_DECL, K.CLASS_TEMPLATE,
              K.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION, K.LINKAGE_SPEC, K.UNEXPOSED_DECL,
              K.FRIEND_DECL}
FUNCTIONS = {K.FUNCTION_DECL, K.CXX_METHOD, K.CONSTRUCTOR, K.DESTRUCTOR, K.CONVERSION_FUNCTION,
             K.FUNCTION_TEMPLATE}


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
    """Walks translation units and collects faults; shared includes count once."""

    def __init__(self, root, wanted):
        self.root, self.wanted = root, wanted  # wanted: absolute name -> relative name
        self.faults = {}
        self.done = set()  # visited declarations: (name, offset)
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
            # Code that states the invariants is itself a test.
            if place not in self.done and cursor.spelling != "check_invariants":
                self.done.add(place)
                FunctionFinder(self, self.source(file.name)).function(cursor)
