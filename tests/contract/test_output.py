# SPDX-License-Identifier: LGPL-2.1-or-later
"""Output that cannot be written, and closed pipes."""

import os

import pytest

LOST = "pmcoord: cannot write the output: No space left on device"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["plan"], ["report"], ["status"], ["check"], ["--help"], ["--version"]])
def test_lost_output_fails_commands_that_only_print(pmcoord, laptop, arguments):
    pmcoord.on(laptop, "suspend-all")
    with open("/dev/full", "w") as full:
        result = pmcoord.on(laptop, *arguments, stdout=full)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (1, LOST)


def test_lost_output_leaves_the_exit_code_of_status(pmcoord):
    scenario = pmcoord.shipped("laptop-hung-guest.sim")
    assert pmcoord.on(scenario, "suspend-all", "-q").returncode == 3
    with open("/dev/full", "w") as full:
        result = pmcoord.on(scenario, "status", stdout=full)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (3, LOST)
    result = pmcoord.on(scenario, "status")
    assert (result.returncode, "cannot write" in result.stderr) == (3, False)


def test_lost_output_does_not_fail_commands_that_change_guests(pmcoord, laptop):
    with open("/dev/full", "w") as full:
        result = pmcoord.on(laptop, "suspend-all", "--guests-only", stdout=full)
    assert result.returncode == 0 and "cannot write the output" in result.stderr
    assert set(pmcoord.states(laptop).values()) == {"suspended"}


def test_a_closed_pipe_does_not_end_a_command(pmcoord, laptop):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        result = pmcoord.on(laptop, "suspend-all", "--guests-only", stdout=closed)
    assert result.returncode == 0 and "cannot write" not in result.stderr
    assert set(pmcoord.states(laptop).values()) == {"suspended"}
