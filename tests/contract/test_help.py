# SPDX-License-Identifier: LGPL-2.1-or-later
"""--help, the manual and bash completion agree with the program."""

import re
import subprocess

import pytest

from program import PROGRAM, ROOT

COMPLETION = ROOT / "hooks/bash-completion/pmcoord"
MANUAL = ROOT / "man/pmcoord.8"


def commands():
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z-]+)", text.split("Options")[0], re.M)


def options_of(command):
    text = subprocess.run([PROGRAM, "help", command], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M))


def complete(*words):
    """The completions that bash offers for the last word."""
    script = f"""source {COMPLETION}
COMP_WORDS=({' '.join(f"'{word}'" for word in words)}) COMP_CWORD={len(words) - 1}
_pmcoord pmcoord '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}" """
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_help_fits_a_terminal(pmcoord):
    for arguments in (["--help"], *(["help", command] for command in commands())):
        result = pmcoord.run(*arguments)
        assert result.returncode == 0 and result.stderr == ""
        assert max(map(len, result.stdout.splitlines())) <= 80, result.stdout


@pytest.mark.parametrize("arguments", [["suspend", "--help"], ["--help", "suspend"], ["help", "suspend"], ["suspend", "-h", "web"]])
def test_help_of_a_command_shows_its_options_and_an_example(pmcoord, arguments):
    text = pmcoord.run(*arguments).stdout
    assert text.startswith("Usage: pmcoord suspend GUEST... [OPTION...]\n")
    assert "--force" in text and "--dry-run" in text and "--json" in text
    assert "--svg" not in text and "--guests-only" not in text
    assert "pmcoord suspend web" in text


def test_help_of_an_unknown_command_is_a_usage_error(pmcoord):
    result = pmcoord.run("help", "fly")
    assert result.returncode == 2 and "fly" in result.stderr and result.stdout == ""


def test_the_manual_has_every_command_and_option():
    manual = MANUAL.read_text()
    for command in commands():
        assert re.search(rf"^\.It Cm {command}\b", manual, re.M), command
        for option in options_of(command):
            assert re.search(rf"Fl {option[1:]}\b|, {option[1:]}\b", manual), option


def test_completion_offers_every_command():
    assert complete("pmcoord", "") >= set(commands())
    assert complete("pmcoord", "sus") == {"suspend-all", "suspend"}
    assert complete("pmcoord", "help", "mon") == {"monitor"}


def test_completion_offers_the_options_of_a_command_and_no_others():
    for command in commands():
        if command != "help":
            assert complete("pmcoord", command, "--") == options_of(command), command
