# SPDX-License-Identifier: LGPL-2.1-or-later
"""A configuration that is wrong keeps nothing from sleeping, and nothing from resuming."""

import os
import re

import pytest

LAPTOP = "laptop.sim"


def text(content):
    return lambda path: path.write_bytes(content)


def large(path):
    path.touch()
    os.truncate(path, 1 << 30)


# Kinds of files of which a part can be taken: at least Deadline=20s.
READABLE = {
    "bad value": text(b"[Coordinator]\nGuestTimeout=30sec onds\nDeadline=20s\n"),
    "bad choice": text(b"[Coordinator]\nDeadline=20s\nOnDeadline=maybe\n"),
    "bad policy": text(b"[Coordinator]\nDeadline=20s\n[Guest \"web\"]\nPolicy=ignroe\n"),
    "no value": text(b"[Coordinator]\nDeadline=20s\nGuestTimeout\n"),
    "no section": text(b"GuestTimeout=3s\n[Coordinator]\nDeadline=20s\n"),
    "open section": text(b"[Coordinator]\nDeadline=20s\n[Guest \"web\"\nPolicy=ignore\n"),
    "odd section": text(b"[Coordinator]\nDeadline=20s\n[Guest web]\nPolicy=ignore\n"),
    "NUL bytes": text(b"[Coordinator]\n\0\0\0\nDeadline=20s\nGuest\0Timeout=3s\n"),
    "garbage": text(bytes(i * 7919 % 251 for i in range(5000)) + b"\n[Coordinator]\nDeadline=20s\n"),
    "long line": text(b"[Coordinator]\nDeadline=20s\nGuestTimeout=" + b"3" * 100000 + b"\n"),
    "long key": text(b"[Coordinator]\nDeadline=20s\n" + b"k" * 300 + b"=1\n"),
    "latin-1": text(b"[Coordinator]\nDeadline=20s\nOnDeadline=\xe4\n"),
}

# Kinds of what cannot be read at all. A test that runs as root can read a file without permission.
UNREADABLE = {
    "directory": lambda path: path.mkdir(),
    "dangling link": lambda path: path.symlink_to("/nonexistent/x"),
    "link to itself": lambda path: path.symlink_to(path),
    "FIFO": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "1 GB": large,
    "no permission": lambda path: (path.touch(), path.chmod(0)),
    "missing": lambda path: None,
}
if os.geteuid() == 0:
    del UNREADABLE["no permission"]

REPORTING = [("list",), ("plan",), ("status",), ("report",), ("list", "--json")]
RESUMING = [("resume-all",), ("resume", "web"), ("recover",)]
SUSPENDING = [("suspend-all",), ("suspend-all", "--guests-only"), ("suspend", "web"), ("suspend-all", "--dry-run"),
              ("cycle", "-n", "1"), ("bench", "-n", "1"), ("sleep-unit",)]


@pytest.fixture(name="kept")
def kept_fixture(pmcoord):
    """A laptop whose guests are kept suspended."""
    laptop = pmcoord.shipped(LAPTOP)
    assert pmcoord.on(laptop, "suspend-all", "--guests-only").returncode == 0
    return laptop


def make(kinds, kind, tmp_path):
    path = tmp_path / "bad.conf"
    kinds[kind](path)
    return path


def suspended(pmcoord, laptop):
    return [name for name, state in pmcoord.states(laptop).items() if state in ("suspended", "paused")]


@pytest.mark.parametrize("kind", [*READABLE, *UNREADABLE])
def test_no_file_keeps_anything_from_reporting_or_resuming(pmcoord, kept, tmp_path, kind):
    config = make({**READABLE, **UNREADABLE}, kind, tmp_path)
    for command in REPORTING + RESUMING:
        result = pmcoord.on(kept, *command, config=config)
        assert result.returncode == 0, (command, result.stderr)
        assert "bad.conf" in result.stderr, command
    assert not suspended(pmcoord, kept)


@pytest.mark.parametrize("kind", READABLE)
def test_a_bad_value_costs_only_itself(pmcoord, tmp_path, kind):
    laptop = pmcoord.shipped(LAPTOP)
    config = make(READABLE, kind, tmp_path)
    for command in SUSPENDING:
        result = pmcoord.on(laptop, *command, config=config)
        runs_a_cycle = "--dry-run" not in command and command[0] != "bench"
        assert result.returncode == (3 if runs_a_cycle else 0), (command, result.stderr)
        assert re.search(r"bad\.conf:\d+: ", result.stderr), command
        if command[0] == "suspend-all" and len(command) == 1:
            report = pmcoord.json(laptop, "report")
            assert report["result"] == "degraded" and report["slept_us"] is not None
            assert any(re.search(r"bad\.conf:\d+: ", warning) for warning in report["warnings"])
        assert pmcoord.on(laptop, "resume-all").returncode in (0, 3)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_named_file_that_cannot_be_read_is_wrong_usage_of_what_suspends(pmcoord, tmp_path, kind):
    laptop = pmcoord.shipped(LAPTOP)
    config = make(UNREADABLE, kind, tmp_path)
    for command in SUSPENDING:
        result = pmcoord.on(laptop, *command, config=config)
        assert result.returncode == 2, command
        assert f"cannot read {config}: " in result.stderr, command
    assert not suspended(pmcoord, laptop)


@pytest.mark.parametrize("kind", [*READABLE, *UNREADABLE])
def test_only_check_fails_for_a_bad_file(pmcoord, tmp_path, kind):
    laptop = pmcoord.shipped(LAPTOP)
    result = pmcoord.on(laptop, "check", "--json", config=make({**READABLE, **UNREADABLE}, kind, tmp_path))
    assert result.returncode == 2
    assert "bad.conf" in result.stdout


@pytest.mark.parametrize("kind", [kind for kind in (*READABLE, *UNREADABLE) if kind != "missing"])
def test_a_bad_drop_in_is_no_obstacle(pmcoord, tmp_path, kind):
    laptop = pmcoord.shipped(LAPTOP)
    (tmp_path / "main.conf").write_text("[Coordinator]\nKeepReports=9\n")
    (tmp_path / "main.conf.d").mkdir()
    make({**READABLE, **UNREADABLE}, kind, tmp_path / "main.conf.d")
    result = pmcoord.on(laptop, "suspend-all", config=tmp_path / "main.conf")
    assert result.returncode == 3
    assert "main.conf.d/bad.conf" in result.stderr


def test_a_bad_policy_counts_as_pause(pmcoord, tmp_path):
    laptop = pmcoord.shipped(LAPTOP)
    config = make(READABLE, "bad policy", tmp_path)
    guests = {guest["name"]: guest for guest in pmcoord.json(laptop, "list")["guests"]}
    assert guests["web"]["policy"] == "suspend"
    result = pmcoord.on(laptop, "list", "--json", config=config)
    assert '"policy": "pause"' in result.stdout.replace('":"', '": "')


@pytest.mark.parametrize("length", [41, 42, 63, 64, 200, 3000])
def test_a_guest_may_have_a_name_of_any_length(pmcoord, tmp_path, length):
    laptop = pmcoord.shipped(LAPTOP)
    config = tmp_path / "long.conf"
    config.write_text(f'[Guest "{"a" * length}"]\nPolicy=ignore\n[Guest "web"]\nPolicy=pause\n')
    result = pmcoord.on(laptop, "suspend-all", "--json", config=config)
    assert result.stderr.count("long.conf") == 0
    assert '"paused"' in result.stdout


def test_a_loop_of_suspend_before_is_broken_and_named(pmcoord, tmp_path):
    laptop = pmcoord.shipped(LAPTOP)
    config = tmp_path / "loop.conf"
    config.write_text('[Guest "web"]\nSuspendBefore=mail\n[Guest "mail"]\nSuspendBefore=web\n')
    result = pmcoord.on(laptop, "suspend-all", "--json", config=config)
    assert result.returncode in (0, 3), result.stderr
    assert "dependency loop" in result.stdout
