# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lab tests that fail are run once more (again.py)."""

import subprocess
import sys
from pathlib import Path

CONFTEST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from again import pytest_report_teststatus, pytest_runtest_protocol, pytest_terminal_summary
"""

TESTS = """
import pathlib
import pytest

COUNTS = pathlib.Path(__file__).with_name("counts")


def count(name):
    with open(COUNTS, "a") as file:
        file.write(name + "\\n")
    return COUNTS.read_text().split().count(name)


@pytest.fixture(scope="module")
def shared():
    return count("shared")


def test_good(shared):
    assert shared == 1


def test_now_and_then(shared):
    print("printed at attempt", shared)
    assert shared == 2, "bad luck"


def test_behind_it(shared):
    assert shared == 2


@pytest.mark.parametrize("number", range(4))
def test_broken(number):
    count(f"broken{number}")
    assert False
"""


def run(directory: Path, *options: str) -> subprocess.CompletedProcess:
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_it.py").write_text(TESTS)
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, directory],
                          cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def test_a_failed_test_is_run_once_more_with_new_laptops_and_reported(tmp_path):
    result = run(tmp_path, "-k", "not broken")
    assert result.returncode == 0, result.stdout
    assert "2 passed, 1 passed at the second attempt" in result.stdout.replace(", 4 deselected", "")
    fault = result.stdout.partition("FAULT, passed only at the second attempt: test_it.py::test_now_and_then")[2]
    first, _, second = fault.partition("second attempt, ")
    assert "bad luck" in first and "printed at attempt 1" in first
    assert "printed at attempt 2" in second and "printed at attempt 1" not in second


def test_a_test_that_fails_twice_fails_and_at_most_three_are_repeated(tmp_path):
    result = run(tmp_path, "-k", "broken")
    assert result.returncode == 1 and "4 failed" in result.stdout
    assert "FAULT" not in result.stdout and result.stdout.count("failed twice: ") == 3
    counts = (tmp_path / "counts").read_text().split()
    assert [counts.count(f"broken{number}") for number in range(4)] == [2, 2, 2, 1]


LONG_CONFTEST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from long_tests import pytest_addoption, pytest_sessionfinish, pytest_terminal_summary
"""

LONG_TESTS = """
import os
import pytest


def test_core():
    pass


@pytest.mark.long
def test_long():
    assert not os.environ.get("FAIL")
"""


def test_only_a_complete_run_that_passes_is_recorded_as_one_of_the_long_tests(tmp_path, monkeypatch):
    monkeypatch.setenv("PMCOORD_LAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "conftest.py").write_text(LONG_CONFTEST)
    (tmp_path / "test_it.py").write_text(LONG_TESTS)

    def run_long(*options: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", *options, tmp_path]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False).stdout

    monkeypatch.setenv("LAB_RELEASE", "trixie")
    never, passed = "long tests on trixie: never run here", "long tests on trixie: last passed on 20"
    assert never in run_long("--record-long", "-m", "not long")
    monkeypatch.setenv("FAIL", "1")
    assert never in run_long("--record-long")
    monkeypatch.delenv("FAIL")
    assert never in run_long()
    assert never in run_long("--record-long", "--collect-only")
    assert passed in run_long("--record-long")
    assert passed in run_long("-m", "not long")
    assert "long tests on bookworm: never run here" in run_long()
    monkeypatch.setenv("LAB_RELEASE", "bookworm")
    both = run_long("--record-long")
    assert passed in both and "long tests on bookworm: last passed on 20" in both
