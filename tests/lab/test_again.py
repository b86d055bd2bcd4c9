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
    assert "first attempt of test_it.py::test_now_and_then" in result.stdout and "bad luck" in result.stdout


def test_a_test_that_fails_twice_fails_and_at_most_three_are_repeated(tmp_path):
    result = run(tmp_path, "-k", "broken")
    assert result.returncode == 1 and "4 failed" in result.stdout
    counts = (tmp_path / "counts").read_text().split()
    assert [counts.count(f"broken{number}") for number in range(4)] == [2, 2, 2, 1]
