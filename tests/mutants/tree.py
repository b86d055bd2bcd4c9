# SPDX-License-Identifier: LGPL-2.1-or-later
"""A copy of the source tree, its tests, and which lines each test executes.

The copy has two builds. `fast` counts executed lines and has no sanitizers: it finds the tests of a change, and runs
them. `build` is that of `make check-unit`: a change that no fast program has noticed may still be an invalid access.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

FAST_FLAGS = "-O0 -w --coverage"
# Compilers' output that differs only if the code does; a change that the compiler warns of lives in no tree.
PLAIN_FLAGS = "-O2 -Werror"
FAST = {
    "CFLAGS": FAST_FLAGS, "UNIT_CFLAGS": FAST_FLAGS, "LDFLAGS": "-Wl,--wrap=_exit", "LIBS": "fast/flush.o",
    # Both kinds of programs are linked from the same objects.
    "unit_object": "$(patsubst %.c,$(BUILD)/obj/%.o,$(1))",
}
# The agent's children end by _exit(2), which writes no counters.
FLUSH = """
void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
"""
# What decides which lines a test executes.
PROGRAMS = ("Makefile", "guest-agent", "hooks", "include", "pmcoord")
TESTS = ("tests/contract/", "tests/unit/")
# Failing tests end long before; a test that hangs must not take too much time.
LIMIT_MIN_S = 10
LIMIT_FACTOR = 5


class BuildError(Exception):
    """A build or a test of the unchanged code failed; the text is its output."""


class Test:
    """A unit program, such as model/test_graph, or a file of contract tests, such as test_cli."""

    def __init__(self, name):
        self.name = name
        self.folder = name.rpartition("/")[0]
        self.is_unit = bool(self.folder)
        self.seconds = 0.0  # of a run on the unchanged code

    @property
    def limit_s(self):
        return max(LIMIT_MIN_S, LIMIT_FACTOR * self.seconds)

    def goals(self, build):
        return [f"{build}/tests/unit/{self.name}"] if self.is_unit else [f"{build}/pmcoord", f"{build}/pmcoord-agent"]

    def command(self, build):
        if self.is_unit:
            return self.goals(build)
        return ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                f"tests/contract/{self.name}.py"]


class Tree:
    def __init__(self, source, directory, compiler):
        self.source = pathlib.Path(source)
        self.top = pathlib.Path(directory).resolve() / "tree"
        self.compiler = compiler
        self.environment = {name: value for name, value in os.environ.items()
                            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD")}
        self.commands = {}  # that make runs for a goal

    def copy(self):
        """Makes the copy like the source, files of git only. Equal files keep their time, so that little is built.

        Returns the names of the files that the programs and their tests consist of.
        """
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=self.source, check=True,
                                capture_output=True, text=True).stdout
        names = [name for name in listed.split("\0") if name and (self.source / name).is_file()]
        for path in [path for path in self.top.rglob("*") if path.is_file()]:
            name = str(path.relative_to(self.top))
            if name not in names and name.split("/")[0] not in ("build", "fast"):
                path.unlink()
        for name in names:
            target = self.top / name
            if not target.exists() or target.read_bytes() != (self.source / name).read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.source / name, target)
                shutil.copymode(self.source / name, target)
        return [name for name in names if name.split("/")[0] in PROGRAMS or name.startswith(TESTS)]

    # ---- builds ----

    def make(self, build, goals, *options):
        settings = {"BUILD": build, "CC": self.compiler, **(FAST if build == "fast" else {})}
        result = subprocess.run(["make", *options, *(f"{name}={value}" for name, value in settings.items()), *goals],
                                cwd=self.top, env=self.environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise BuildError(result.stdout + result.stderr)
        return result.stdout

    def build_fast(self, tests):
        (self.top / "fast").mkdir(exist_ok=True)
        (self.top / "fast/flush.c").write_text(FLUSH)
        self.shell(f"{self.compiler} -c -o fast/flush.o fast/flush.c")
        self.make("fast", dict.fromkeys(goal for test in tests for goal in test.goals("fast")))

    def last_command(self, goal, path):
        """What make runs at last to build a goal of the build `fast` again after `path` has changed."""
        if goal not in self.commands:
            lines = self.make("fast", [goal], "--dry-run", "V=1", f"--assume-new={path}").splitlines()
            self.commands[goal] = [line for line in lines if not line.startswith(("mkdir ", "make"))][-1]
        return self.commands[goal]

    def shell(self, command):
        result = subprocess.run(command, shell=True, cwd=self.top, env=self.environment, capture_output=True, text=True,
                                check=False)
        if result.returncode != 0:
            raise BuildError(result.stdout + result.stderr)

    @staticmethod
    def object(path):
        """The object of a source in the build `fast`."""
        return "fast/obj/" + path.removesuffix(".c") + ".o"

    def compile_plainly(self, path):
        """Returns the object that the optimizer makes of a source."""
        goal = self.object(path)
        command = self.last_command(goal, path).replace(FAST_FLAGS, PLAIN_FLAGS).replace(" -MMD -MP", "")
        self.shell(command.replace(f"-o {goal}", "-o fast/plain.o"))
        return (self.top / "fast/plain.o").read_bytes()

    def compile(self, path):
        self.shell(self.last_command(self.object(path), path))

    def link(self, test, path):
        """Links what a test runs, with the objects as they are."""
        for goal in test.goals("fast"):
            if test.is_unit or path.startswith("guest-agent/") == goal.endswith("agent") or "/base/" in path:
                self.shell(self.last_command(goal, path))

    # ---- tests ----

    def run(self, test, build, limit_s, more=None):
        """Returns (whether it passed, its output); a test that does not end in time has failed."""
        # The counters are thrown away, unless `more` has another place for them. A place where none can be written would
        # not do: programs report that, and tests of their standard error fail.
        with tempfile.TemporaryFile("w+", errors="replace") as output, tempfile.TemporaryDirectory() as counters:
            environment = {**self.environment, "BUILD": build, "GCOV_PREFIX": counters, **(more or {})}
            process = subprocess.Popen(test.command(build), cwd=self.top, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, env=environment, start_new_session=True)
            try:
                status = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                status = None
            # Also ends what the test has started and not ended.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            output.seek(0)
            return status == 0, output.read()

    def measure(self, test, more):
        """Runs a test on the unchanged code, to learn how long it takes."""
        # More than once, because a machine may be busy.
        for _ in range(3):
            start = time.monotonic()
            passed, output = self.run(test, "fast", 600, more)
            test.seconds = time.monotonic() - start
            if passed:
                return
        raise BuildError(f"{test.name} fails on the unchanged code:\n{output}")

    # ---- coverage ----

    def digest(self, names):
        total = hashlib.sha256()
        for name in sorted(names):
            total.update(name.encode() + b"\0" + (self.top / name).read_bytes())
        return total.hexdigest()

    def read_coverage(self, tests, names):
        """Returns {path: {line: [names of the tests that execute it]}} for all lines that have code.

        Also measures the tests. What the last call has counted is used again if nothing has changed.
        """
        cache = self.top.parent / "coverage.json"
        digest = self.digest(names)
        known = json.loads(cache.read_text()) if cache.exists() else {}
        if known.get("digest") != digest:
            known = {"digest": digest, "files": {}, "seconds": {}}
        try:
            for test in (test for test in tests if test.name not in known["seconds"]):
                self.count_lines(test, known["files"])
                known["seconds"][test.name] = test.seconds
        finally:
            cache.write_text(json.dumps(known))
        for test in tests:
            test.seconds = known["seconds"][test.name]
        return {path: {int(line): by for line, by in lines.items()} for path, lines in known["files"].items()}

    def count_lines(self, test, files):
        with tempfile.TemporaryDirectory() as counters:
            self.measure(test, {"GCOV_PREFIX": counters})
            for path, line, count in self.read_counters(counters):
                names_of_line = files.setdefault(path, {}).setdefault(str(line), [])
                if count > 0 and test.name not in names_of_line:
                    names_of_line.append(test.name)

    def read_counters(self, counters):
        """Yields (path, line, count) from the counters that one test has written below `counters`."""
        found = list(pathlib.Path(counters).rglob("*.gcda"))
        for data in found:
            notes = pathlib.Path("/" + str(data.relative_to(counters))).with_suffix(".gcno")
            shutil.copyfile(notes, data.with_suffix(".gcno"))
        if not found:
            return
        result = subprocess.run(["gcov", "--json-format", "--stdout", *map(str, found)], cwd=self.top,
                                capture_output=True, text=True, check=True)
        for document in result.stdout.splitlines():
            for file in json.loads(document)["files"]:
                for line in file["lines"]:
                    yield file["file"], line["line_number"], line["count"]
