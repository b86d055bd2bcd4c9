# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/verify-modules and tests/verify-includes report violations of the order of folders, and of includes."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    for name in ("pmcoord", "guest-agent", "include", "tests/unit"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def verify(tree, what="modules"):
    return subprocess.run([ROOT / f"tests/verify-{what}", tree], capture_output=True, text=True)


@pytest.mark.parametrize("what", ["modules", "includes"])
def test_the_source_tree_has_no_problem(tree, what):
    result = verify(tree, what)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "source, include, problem",
    [
        ("pmcoord/model/plan.c", '"engine/executor.h"', "pmcoord/model/plan includes engine/executor.h"),
        ("pmcoord/engine/deadlines.c", '"engine/suspend.h"', "pmcoord/engine/deadlines includes engine/suspend.h"),
        ("guest-agent/net/netlink.c", '"engine/engine.h"', "guest-agent/net/netlink includes engine/engine.h"),
        ("guest-agent/guest/task.c", '"../../pmcoord/model/plan.h"', "by a path into a program"),
        ("pmcoord/engine/suspend.c", "<xenstore.h>", "pmcoord/engine/suspend includes <xenstore.h>"),
        ("pmcoord/xen/xen-store.c", "<xenctrl.h>", "pmcoord/xen/xen-store includes <xenctrl.h>"),
    ],
)
def test_an_include_that_does_not_belong_there_is_reported(tree, source, include, problem):
    path = tree / source
    path.write_text(f"#include {include}\n" + path.read_text())
    result = verify(tree)
    assert result.returncode == 1
    assert problem in result.stderr


def test_a_module_that_is_neither_built_nor_described_is_reported(tree):
    (tree / "pmcoord/base/stray.c").write_text("")
    result = verify(tree)
    assert result.returncode == 1
    assert "pmcoord/base/stray.c is not built" in result.stderr
    assert "stray.c is not described" in result.stderr


@pytest.mark.parametrize(
    "source, old, new, problem",
    [
        ("pmcoord/engine/resume.c", '#include "model/cycle.h"\n', "", "include model/cycle.h"),
        ("pmcoord/record/report.h", '#include "model/cycle.h"\n', "", "include model/cycle.h"),
        ("pmcoord/engine/resume.c", "#include <string.h>\n", "", "include <string.h>"),
        ("guest-agent/agent.c", "#include <stdbool.h>\n", "", "include <stdbool.h>"),
        ("pmcoord/engine/resume.c", "#include", '#include "base/svg.h"\n#include', "base/svg.h, from which it uses"),
        ("tests/unit/model/test_plan.c", '#include "model/plan.h"\n', "", "include model/plan.h"),
    ],
)
def test_a_header_that_is_missing_or_unused_is_reported(tree, source, old, new, problem):
    path = tree / source
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    result = verify(tree, "includes")
    assert result.returncode == 1
    assert problem in result.stderr


def test_each_unit_program_is_listed():
    listed = (ROOT / "tests/unit/sources.mk").read_text().split()
    programs = (ROOT / "tests/unit").rglob("test_*.c")
    assert [str(path) for path in programs if str(path.relative_to(ROOT / "tests/unit").with_suffix("")) not in listed] == []
