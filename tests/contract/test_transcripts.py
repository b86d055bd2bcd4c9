# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions on simulated hosts, compared to the last character with what they have printed before.

Each file of transcripts/ begins with a scenario, or the name of a shipped one, and a configuration if it has one. A line
"$ list" is a command. The lines after it are its output, with "! " before each line of its standard error, and its exit
code if that is not 0. A simulated host has a clock of its own, so that all times are always the same, except for dates.

After a change that is wanted, `TRANSCRIBE=yes pytest tests/contract/test_transcripts.py` writes the files anew. Read the
difference: it is what users will see.
"""

import os
import pathlib
import re
import shlex
import shutil
import tempfile

import pytest

from program import Pmcoord

DIRECTORY = pathlib.Path(__file__).resolve().parent / "transcripts"


def plain(text, directory, run):
    """The text without what is different each time: dates, directories, and bytes that were written."""
    text = text.replace(str(directory), "DIRECTORY").replace(str(run), "RUN")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "DATE", text)
    text = re.sub(r"(\b\w{3} )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+\b", "DATE", text)
    return re.sub(r'("written_bytes": )\d+', r"\1N", text)


def run(pmcoord, scenario, line):
    """The command's line and its output."""
    result = pmcoord.on(scenario, *shlex.split(line.replace("DIRECTORY", str(pmcoord.directory))))
    errors = [f"! {error}\n" for error in result.stderr.splitlines() if "SIMULATION" not in error]
    code = f"[exit code {result.returncode}]\n" if result.returncode else ""
    output = result.stdout if result.stdout.endswith("\n") or not result.stdout else result.stdout + "\n"
    return f"$ {line}\n" + plain(output + "".join(errors) + code, pmcoord.directory, pmcoord.journals(scenario).parent)


@pytest.fixture
def pmcoord():
    """In a directory whose name is always of the same length, so that lines are wrapped at the same words."""
    with tempfile.TemporaryDirectory(prefix="pmcoord-", dir="/tmp") as directory:
        yield Pmcoord(pathlib.Path(directory))


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.txt")))
def test_transcript(pmcoord, monkeypatch, name):
    monkeypatch.setenv("TZ", "UTC")
    path = DIRECTORY / f"{name}.txt"
    text = path.read_text()
    head, _, _ = text.partition("$ ")
    hosts, _, config = head.partition("---- pmcoord.conf\n")
    name_of_shipped = hosts.strip()
    scenario = pmcoord.shipped(name_of_shipped) if name_of_shipped.endswith(".sim") else pmcoord.scenario(hosts)
    (pmcoord.directory / "pmcoord.conf").write_text(config)
    found = head + "".join(run(pmcoord, scenario, line) for line in re.findall(r"^\$ (.*)$", text, re.M))
    if os.environ.get("TRANSCRIBE"):
        path.write_text(found)
    shutil.rmtree(pmcoord.journals(scenario).parent, ignore_errors=True)
    assert found == text
