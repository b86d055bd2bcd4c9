# SPDX-License-Identifier: LGPL-2.1-or-later
"""Output on a terminal and in a pipe."""

import fcntl
import os
import pty
import re
import struct
import termios

import pytest

from program import PROGRAM


class Screen:
    """The terminal functions that pmcoord uses: lines, cursor up and down, clearing, no wrapping."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text):
        for piece in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self._move(1)
            elif piece[0] != "\x1b":
                self._write(piece)
            elif piece[-1] == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif piece[-1] in "AB":
                self._move(int(piece[2:-1]) * (1 if piece[-1] == "B" else -1))
            else:
                assert piece in ("\x1b[?7l", "\x1b[?7h"), piece

    def _move(self, rows):
        self.row += rows
        assert self.row >= 0, "the cursor left the screen"
        self.lines += [""] * (self.row + 1 - len(self.lines))

    def _write(self, text):
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = (line[:self.column] + text + line[self.column + len(text):])
        self.column += len(text)


def on_terminal(pmcoord, scenario, *arguments, columns=80, rows=24, term="xterm"):
    """Runs pmcoord on a terminal of its own; returns its output."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = term
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execv(PROGRAM, ["pmcoord", "--config", pmcoord.directory / "pmcoord.conf",
                           f"--hypervisor=sim:{scenario}", *arguments])
    written = b""
    try:
        while piece := os.read(terminal, 65536):
            written += piece
    except OSError:  # EIO: the other end is closed
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    return written.decode().replace("\r\n", "\n")


def seen(text, columns=80):
    screen = Screen(columns)
    screen.feed(text)
    return [line.rstrip() for line in screen.lines]


def test_progress_on_a_terminal_is_one_line_per_guest(pmcoord, laptop):
    lines = seen(on_terminal(pmcoord, laptop, "suspend-all"))
    lines = lines[:lines.index("Cycle 1: ok")]
    words = {line.split()[2]: line.split()[3] for line in lines if " ms  " in line}
    assert words == {"netvm": "ready", "fw": "running", "web": "running", "mail": "running", "vault": "running"}
    assert sum("netvm" in line for line in lines) == 1
    assert "   host awake" in lines


def test_progress_of_a_resume_is_one_line_per_guest(pmcoord, laptop):
    pmcoord.on(laptop, "suspend", "fw")
    lines = seen(on_terminal(pmcoord, laptop, "resume-all"))
    assert sorted(line.split()[2] for line in lines if line.endswith(" running")) == ["fw", "mail", "web"]


@pytest.mark.parametrize("options", [{"rows": 4}, {"term": "dumb"}])
def test_progress_on_a_terminal_that_is_too_small_or_dumb_is_plain(pmcoord, laptop, options):
    text = on_terminal(pmcoord, laptop, "suspend-all", **options)
    assert "\x1b" not in text
    assert re.search(r"ms  web +suspended\n", text) and re.search(r"ms  web +running\n", text)


@pytest.mark.parametrize("rows, is_drawn_anew", [(7, True), (8, False), (24, False)])
def test_lines_that_have_left_the_terminal_are_drawn_anew(pmcoord, laptop, rows, is_drawn_anew):
    text = on_terminal(pmcoord, laptop, "suspend-all", rows=rows).partition("host awake\n")[2]
    # The cursor can only reach lines that are still there.
    assert text.startswith("\n" * 5) == is_drawn_anew, text
    assert max(int(up) for up in re.findall(r"\x1b\[(\d+)A", text)) < rows


def test_progress_in_a_pipe_is_plain(pmcoord, laptop):
    text = pmcoord.on(laptop, "suspend-all").stdout
    assert "\x1b" not in text
    assert re.search(r"ms  web +suspended\n", text) and re.search(r"ms  web +running\n", text)


@pytest.mark.parametrize("columns", [100, 80, 60, 45])
def test_tables_fit_the_terminal(pmcoord, columns):
    scenario = pmcoord.shipped("laptop-hung-guest.sim")
    pmcoord.on(scenario, "suspend-all")
    for arguments in (["list"], ["plan"], ["report"], ["check"]):
        text = on_terminal(pmcoord, scenario, "-q" if arguments == ["list"] else "-v", *arguments, columns=columns)
        table = [line for line in text.splitlines() if re.match(r"(NAME|GUEST|DEPTH|netvm|fw|web|mail) ", line)]
        assert all(len(line) <= columns for line in table), text
    assert "NEEDS" in on_terminal(pmcoord, scenario, "list", columns=columns)


def test_a_report_of_some_guests_lists_only_them_and_the_resume_command_once(pmcoord, laptop):
    text = pmcoord.on(laptop, "suspend", "web").stdout
    table = [line.split()[0] for line in text.partition("GUEST ")[2].splitlines()[1:2]]
    assert table == ["web"] and "vault" not in text
    assert text.count("resume-all") == 1
    assert "RUNNING" not in text
    assert {guest["name"] for guest in pmcoord.json(laptop, "report")["guests"]} > {"web", "vault"}


def test_no_line_of_a_table_ends_with_blanks(pmcoord, laptop):
    pmcoord.on(laptop, "suspend-all")
    for command in ("list", "plan", "report"):
        assert not re.search(r" $", pmcoord.on(laptop, command).stdout, re.M), command


def test_a_pipe_gets_every_column_and_name(pmcoord):
    scenario = pmcoord.scenario('[Guest "%s"]\n' % ("n" * 40) + '[Guest "web"]\nNeeds=%s\n' % ("n" * 40))
    text = pmcoord.on(scenario, "list").stdout
    assert text.splitlines()[0].split() == ["NAME", "DOMID", "TYPE", "ROLE", "STATE", "MECHANISM", "AGENT", "POLICY", "NEEDS"]
    assert text.splitlines()[2].endswith("n" * 40)
