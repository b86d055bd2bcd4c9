#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes small random changes of the code, one at a time, and counts those that the tests notice.

Each change is compiled in a copy of the tree. Changes that do not compile, that the compiler warns of, or that compile
to the same code, are drawn again. Unit programs, and then contract tests, that execute the changed line are run, the
fastest first, until one fails twice. The same seed draws the same changes of the same code. What no test has noticed
is listed at the end.
"""

import argparse
import collections
import fnmatch
import pathlib
import random
import signal
import sys

from changes import KINDS, find_changes
from tree import BuildError, Test, Tree

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
NOTICED, SURVIVED, EQUIVALENT = "noticed", "survived", "equivalent"
# How many unit programs are also run with sanitizers if none has noticed a change without.
SANITIZED = 3
# Contract tests that read the sources, and run no program.
SOURCES_ONLY = {"test_structure"}
# A unit program that takes longer is run after those that do not.
QUICK_S = 2


def read_equivalent():
    """The changes that change nothing a user could see: {key: reason}."""
    lines = (HERE / "equivalent").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def list_changes(only, excluded):
    """Returns ({kind: its changes}, {path: text}) of the files that were chosen."""
    texts = {}
    by_kind = collections.defaultdict(list)
    for program in ("guest-agent", "pmcoord"):
        for file in sorted((SOURCE / program).rglob("*.c")):
            path = str(file.relative_to(SOURCE))
            if any(fnmatch.fnmatch(path, pattern) for pattern in excluded) or \
                    (only and not any(fnmatch.fnmatch(path, pattern) for pattern in only)):
                continue
            texts[path] = file.read_text()
            for change in find_changes(path, texts[path]):
                by_kind[change.kind].append(change)
    return by_kind, texts


class Trial:
    """Tries changes in a tree."""

    def __init__(self, tree, tests, coverage, texts):
        self.tree = tree
        self.tests = tests
        self.coverage = coverage
        self.texts = texts
        self.plain = {}  # objects of the unchanged code, by path
        self.drawn_again = 0

    def is_usable(self, change):
        """Whether the change, which is in the tree, compiles, to other code."""
        try:
            return self.tree.compile_plainly(change.path) != self.plain[change.path]
        except BuildError:
            return False

    def tests_of(self, change):
        """The tests that execute the line: quick unit programs first, and among them those of the file's own folder."""
        lines = self.coverage.get(change.path, {})
        line = change.line
        # A statement's code may be counted at its first line.
        while line not in lines and line > 0:
            line -= 1
        names = lines.get(line, [])
        folder = change.path.removeprefix("pmcoord/").rpartition("/")[0]
        return sorted((test for test in self.tests if test.name in names),
                      key=lambda test: (not test.is_unit, test.seconds > QUICK_S, test.folder != folder, test.seconds))

    def fails(self, test, build):
        # Twice, because a machine may be busy.
        return not self.tree.run(test, build, test.limit_s)[0] and not self.tree.run(test, build, test.limit_s)[0]

    def is_noticed_by(self, test, change):
        self.tree.link(test, change.path)
        return self.fails(test, "fast")

    def is_noticed_by_sanitizers(self, test):
        self.tree.make("build", test.goals("build"))
        return self.fails(test, "build")

    def judge(self, change):
        """Returns the test that notices the change, which is in the tree, or None."""
        tests = self.tests_of(change)
        if tests:
            self.tree.compile(change.path)
        for test in (test for test in tests if test.is_unit):
            if self.is_noticed_by(test, change):
                return test
        # Sanitizers find an invalid access in any program that executes it.
        for test in [test for test in tests if test.is_unit][:SANITIZED]:
            if self.is_noticed_by_sanitizers(test):
                return test
        return next((test for test in tests if not test.is_unit and self.is_noticed_by(test, change)), None)

    def attempt(self, change, is_equivalent):
        """Returns (whether the change is usable, the test that notices it or None)."""
        source = self.tree.top / change.path
        if change.path not in self.plain:
            self.plain[change.path] = self.tree.compile_plainly(change.path)
        compiled = self.tree.top / self.tree.object(change.path)
        # The notes are what the lines of the object are found with, by a later call too.
        before = {path: path.read_bytes() for path in (compiled, compiled.with_suffix(".gcno"))}
        source.write_text(change.apply(self.texts[change.path]))
        try:
            if not self.is_usable(change):
                return False, None
            return True, None if is_equivalent else self.judge(change)
        finally:
            source.write_text(self.texts[change.path])
            for path, contents in before.items():
                path.write_bytes(contents)


def draw(by_kind, seed):
    """Yields changes without end, each kind as often as any other."""
    source = random.Random(seed)
    kinds = [kind for kind in KINDS if by_kind[kind]]
    while True:
        yield source.choice(by_kind[source.choice(kinds)])


def show(change, texts, out):
    before = texts[change.path].splitlines()
    after = change.apply(texts[change.path]).splitlines()
    print(f"{change.path}:{change.line}: {change.function}: {change.kind} [{change.key}]", file=out)
    for sign, lines in (("-", before), ("+", after)):
        print(f"  {sign} {lines[change.line - 1].strip()}", file=out)


def print_table(title, rows):
    """`rows` is {name: Counter of the three results}."""
    width = max(len(title), *(len(name) for name in rows))
    print(f"\n{title:{width}}  noticed  survived  equivalent  rate")
    for name in (*sorted(rows), "total"):
        counts = sum(rows.values(), collections.Counter()) if name == "total" else rows[name]
        judged = counts[NOTICED] + counts[SURVIVED]
        rate = f"{100 * counts[NOTICED] / judged:.0f} %" if judged else "-"
        print(f"{name:{width}}  {counts[NOTICED]:7}  {counts[SURVIVED]:8}  {counts[EQUIVALENT]:10}  {rate:>5}")


def try_changes(trial, changes, number, equivalent, results):
    """Appends (change, result) of `number` changes that are not drawn again to `results`."""
    tried = set()
    for change in changes:
        if len(results) == number:
            break
        if change.key in tried:
            continue
        tried.add(change.key)
        is_usable, noticed_by = trial.attempt(change, change.key in equivalent)
        if not is_usable:
            trial.drawn_again += 1
            continue
        result = EQUIVALENT if change.key in equivalent else NOTICED if noticed_by else SURVIVED
        results.append((change, result))
        by = f" by {noticed_by.name}" if noticed_by else ""
        print(f"{len(results)}/{number} {change.path}:{change.line} {change.kind}: {result}{by}", file=sys.stderr,
              flush=True)


def report(results, trial, equivalent):
    by_folder = collections.defaultdict(collections.Counter)
    by_kind = collections.defaultdict(collections.Counter)
    for change, result in results:
        by_folder[str(pathlib.PurePath(change.path).parent)][result] += 1
        by_kind[change.kind][result] += 1
    print_table("folder", by_folder)
    print_table("kind", by_kind)
    print(f"\n{trial.drawn_again} changes did not compile without a warning, or not to other code, and were drawn again.")
    for wanted in (EQUIVALENT, SURVIVED):
        chosen = [change for change, result in results if result == wanted]
        if chosen:
            print(f"\n{wanted}:")
        for change in sorted(chosen, key=lambda change: (change.path, change.line)):
            show(change, trial.texts, sys.stdout)
            if wanted == EQUIVALENT:
                print(f"  = {equivalent[change.key]}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=50, help="changes to judge")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="files to change")
    parser.add_argument("--except", action="append", default=[], metavar="PATTERN", help="files not to change",
                        dest="excluded")
    parser.add_argument("--build", default="build/mutants", help="directory of the copy and its builds")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("programs", nargs="+", help="unit programs, such as model/test_graph")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # A shell's background job ignores it, and the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    by_kind, texts = list_changes(arguments.only, arguments.excluded)
    if not texts:
        print("no file matches", file=sys.stderr)
        return 2
    tree = Tree(SOURCE, arguments.build, arguments.cc)
    contract = sorted(path.stem for path in (SOURCE / "tests/contract").glob("test_*.py") if path.stem not in SOURCES_ONLY)
    tests = [Test(name) for name in (*arguments.programs, *contract)]
    names = tree.copy()
    equivalent = read_equivalent()
    results = []
    print("building the copy and its tests", file=sys.stderr, flush=True)
    try:
        tree.build_fast(tests)
        coverage = tree.read_coverage(tests, names)
        trial = Trial(tree, tests, coverage, texts)
        try_changes(trial, draw(by_kind, arguments.seed), arguments.number, equivalent, results)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: these are the results so far", file=sys.stderr)
    if results:
        report(results, trial, equivalent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
