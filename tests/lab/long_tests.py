# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest hooks: remember when the tests marked `long` last passed on this machine, on which release and commit."""

import json
import subprocess
import time
from pathlib import Path

from xenlab import RELEASE, cache
from xenlab.release import RELEASES

RECORD = "long-tests.json"


def pytest_addoption(parser):
    parser.addoption("--record-long", action="store_true", help="if all tests pass, record that the long ones did, and the commit")


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"


def _records() -> dict[str, dict]:
    """By release."""
    try:
        return json.loads((cache.root() / RECORD).read_text())
    except FileNotFoundError:
        return {}


def last(release: str) -> str:
    """One line about the long tests on the release."""
    if release not in (records := _records()):
        return f"long tests on {release}: never run here"
    return f"long tests on {release}: last passed on {records[release]['date']}, commit {records[release]['commit']}"


def record() -> None:
    cache.root().mkdir(parents=True, exist_ok=True)
    new = cache.root() / f"{RECORD}.new"
    entry = {"date": time.strftime("%Y-%m-%d %H:%M"), "commit": _commit()}
    new.write_text(json.dumps(_records() | {RELEASE.suite: entry}) + "\n")
    new.rename(cache.root() / RECORD)


def pytest_sessionfinish(session, exitstatus):
    options = session.config.option
    has_long = any(item.get_closest_marker("long") for item in session.items)
    if options.record_long and not options.collectonly and has_long and exitstatus == 0:
        record()


def pytest_terminal_summary(terminalreporter):
    for release in RELEASES:
        terminalreporter.write_line(last(release))
