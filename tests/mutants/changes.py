# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the small changes that can be made in a C file: in its functions, one place at a time.

A file in the style of this repository is assumed (clang-format): a function's braces stand alone in the first column.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

KEYWORDS = {"if", "for", "while", "switch", "return", "do", "else", "case", "default", "break", "continue", "goto",
            "sizeof", "struct", "enum", "union", "static", "const", "assert", "fail_msg"}
OPPOSITES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
             "true": "false", "false": "true", "+": "-", "-": "+"}
ERROR = re.compile(r"r|-E[A-Z0-9]+|-errno|error_\w+\(.*|.*\?.*(?:-E[A-Z0-9]|-errno).*|r < 0 \?.*", re.DOTALL)
SIMPLE = re.compile(r"[&*]?[A-Za-z_][\w.]*(?:->\w+|\[\w+\])*")


@dataclass(frozen=True)
class Change:
    """Replaces text[start:end] of a file by `new`."""

    path: str
    function: str
    kind: str
    line: int  # from 1
    start: int
    end: int
    new: str
    key: str  # names the change in the list of equivalent ones, also after lines were inserted elsewhere

    def apply(self, text):
        return text[:self.start] + self.new + text[self.end:]


def blank(text):
    """The text with comments, literals, preprocessor lines and assertions as spaces, at the same offsets."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|^[ \t]*#(?:\\\n|[^\n])*"
                         r"|\bassert\((?:[^;]|\n)*?\);", re.DOTALL | re.MULTILINE)

    def spaces(match):
        inner = re.sub(r"[^\n]", " ", match.group())
        return f'"{inner[1:-1]}"' if match.group()[0] == '"' else inner

    return pattern.sub(spaces, text)


def functions(code):
    """Yields (name, returns an int, start and end of the body) of each function."""
    for match in re.finditer(r"^([a-z][^;{}=]*?\b(\w+)\([^;{}]*\))\n\{\n(.*?)^\}", code, re.DOTALL | re.MULTILINE):
        head = match.group(1)
        yield match.group(2), bool(re.match(r"(static )?(inline )?int\b", head)), match.start(3), match.end(3)


def closing(code, start):
    """The offset of the bracket that closes the one at `start`."""
    depth = 0
    for offset in range(start, len(code)):
        depth += (code[offset] in "([{") - (code[offset] in ")]}")
        if depth == 0:
            return offset
    return -1


def negated_conditions(code, start, end):
    for match in re.finditer(r"\b(?:if|while) (\()", code[start:end]):
        first = start + match.start(1)
        last = closing(code, first)
        yield first + 1, last, lambda old: f"!({old})"


def operators(pattern):
    def find(code, start, end):
        for match in re.finditer(pattern, code[start:end]):
            yield start + match.start(1), start + match.end(1), OPPOSITES.get
    return find


def dropped_statements(code, start, end):
    begin = r"(?:[;{}:)]|\belse)\s*\n\s*"
    place = r"(?:\(void\))?\*?[a-z_]\w*(?:(?:->|\.)\w+|\[[^\]\n]*\])*"
    for match in re.finditer(rf"{begin}({place}(?: [|&+-]?= |\(|\+\+;|--;))", code[start:end]):
        first = start + match.start(1)
        word = re.match(r"(?:\(void\))?\*?(\w+)", match.group(1)).group(1)
        last = code.find(";", first, end)
        if word in KEYWORDS or last < 0:
            continue
        # The lines stay, so that numbers of later lines do not change.
        yield first, last, lambda old: "\n" * old.count("\n")


def constants(step):
    def find(code, start, end):
        for match in re.finditer(r"(?<![\w.\[])(\d+)(?=[uUlL]*\b(?![.x]))", code[start:end]):
            if int(match.group(1)) + step >= 0:
                yield start + match.start(1), start + match.end(1), lambda old: str(int(old) + step)
    return find


def swallowed_errors(code, start, end):
    for match in re.finditer(r"\breturn ([^;]+);", code[start:end]):
        if ERROR.fullmatch(match.group(1)):
            yield start + match.start(1), start + match.end(1), lambda old: "0" + "\n" * old.count("\n")


def swapped_arguments(code, start, end):
    for match in re.finditer(r"\b([a-z_]\w*)(\()", code[start:end]):
        if match.group(1) in KEYWORDS:
            continue
        first = start + match.start(2)
        arguments = re.split(r"(,\s*)", code[first + 1:closing(code, first)])
        offset = first + 1
        for i in range(0, len(arguments) - 2, 2):
            left, comma, right = arguments[i:i + 3]
            if SIMPLE.fullmatch(left) and SIMPLE.fullmatch(right) and left != right:
                new = right + comma + left
                yield offset, offset + len(new), lambda old, new=new: new
            offset += len(left) + len(comma)


def dropped_jumps(code, start, end):
    for match in re.finditer(r"\b(continue|break);", code[start:end]):
        yield start + match.start(1), start + match.end(1), lambda old: ""


KINDS = {
    "negated condition": negated_conditions,
    "other comparison": operators(r"(?<![<>=!|&+*/-])(<=|>=|==|!=|<(?![<=])|(?<!-)>(?![>=]))(?= )"),
    "&& and || exchanged": operators(r"(&&|\|\|)"),
    "true and false exchanged": operators(r"\b(true|false)\b"),
    "+ and - exchanged": operators(r"(?<=[\w)\]] )([+-])(?= [\w(*&])"),
    "dropped statement": dropped_statements,
    "dropped continue or break": dropped_jumps,
    "constant + 1": constants(1),
    "constant - 1": constants(-1),
    "0 instead of the error": swallowed_errors,
    "swapped arguments": swapped_arguments,
}


def key_of(change, text, seen):
    """A hash of file, function, kind and changed line, and of how often the same occurred before in the function."""
    begin = text.rfind("\n", 0, change["start"]) + 1
    stop = text.find("\n", change["end"])
    place = (change["path"], change["function"], change["kind"], text[begin:stop].strip(), change["new"].strip())
    seen[place] += 1
    return hashlib.sha256("\0".join((*place, str(seen[place]))).encode()).hexdigest()[:12]


def find_changes(path, text):
    """Lists all changes of a file, always in the same order."""
    code = blank(text)
    changes = []
    seen = Counter()
    for function, returns_int, start, end in functions(code):
        for kind, find in KINDS.items():
            if kind == "0 instead of the error" and not returns_int:
                continue
            for first, last, replace in find(code, start, end):
                parts = {"path": path, "function": function, "kind": kind, "start": first, "end": last,
                         "new": replace(text[first:last])}
                changes.append(Change(line=text.count("\n", 0, first) + 1, key=key_of(parts, text, seen), **parts))
    return changes
