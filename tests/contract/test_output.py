# SPDX-License-Identifier: LGPL-2.1-or-later
"""Output that cannot be written, or that nobody reads."""

import os

import pytest

LOST = "pmcoord: cannot write the output: No space left on device"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["plan"], ["report"], ["status"], ["check"], ["--help"], ["--version"]])
def test_lost_output_is_an_error_of_who_only_tells(pmcoord, laptop, arguments):
    pmcoord.on(laptop, "suspend-all")
    with open("/dev/full", "w") as full:
        result = pmcoord.on(laptop, *arguments, stdout=full)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (1, LOST)


def test_who_acts_tells_of_guests_all_the_same(pmcoord, laptop):
    with open("/dev/full", "w") as full:
        result = pmcoord.on(laptop, "suspend-all", "--guests-only", stdout=full)
    assert result.returncode == 0 and "cannot write the output" in result.stderr
    assert set(pmcoord.states(laptop).values()) == {"suspended"}


def test_who_stops_reading_stops_nothing(pmcoord, laptop):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        result = pmcoord.on(laptop, "suspend-all", "--guests-only", stdout=nobody)
    assert result.returncode == 0 and "cannot write" not in result.stderr
    assert set(pmcoord.states(laptop).values()) == {"suspended"}
