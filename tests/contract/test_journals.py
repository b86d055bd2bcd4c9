# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever is wrong with a journal on /run, the guests in it are resumed, and the next cycle sleeps."""

import json

import pytest

GUESTS = [f"g{number}" for number in range(1, 21)]


@pytest.fixture
def many(pmcoord):
    return pmcoord.scenario("".join(f'[Guest "{guest}"]\n' for guest in GUESTS))


def test_guests_are_resumed_one_by_one(pmcoord, many):
    assert pmcoord.on(many, "suspend-all", "--guests-only", "-q").returncode == 0
    for number, guest in enumerate(GUESTS, 1):
        result = pmcoord.on(many, "resume", guest)
        assert result.returncode == 0, result
        states = pmcoord.states(many)
        assert {name for name, state in states.items() if state == "running"} == set(GUESTS[:number])
    assert not list(pmcoord.journals(many).iterdir())


def of_another_version(lines):
    """Types of records, words in the head and mechanisms that this version does not know."""
    head, *plan = lines
    return [head, "1 policy everything\n", *(line.replace(" xenstore ", " telepathy ") for line in plan[:-1]), "1 invented 3 x\n", plan[-1],
            "99999999 mechanism 0 telepathy\n", "99999999 invented\n"]


DAMAGED = {
    "garbage at the end": lambda lines: [*lines, "garbage\n"],
    "garbage in the middle": lambda lines: [*lines[:-1], "\x01\x02 garbage\n", lines[-1]],
    "an incomplete line": lambda lines: [*lines, "9999 dow"],
    "no head": lambda lines: lines[1:],
    "a damaged head": lambda lines: ["5 cycle one\n", *lines[1:]],
    "another head": lambda lines: [*lines, "5 cycle 77 boot 17 sleep lid\n"],
    "a guest that does not exist": lambda lines: [*lines, "9999 down 4711\n"],
    "a number that is none": lambda lines: [*lines, "9999 slept long\n"],
    "another version": of_another_version,
}


@pytest.mark.parametrize("what", DAMAGED)
@pytest.mark.parametrize("command", [("resume-all",), ("resume", "web", "mail", "vault")], ids=["all", "named"])
def test_guests_in_a_damaged_journal_are_resumed(pmcoord, laptop, what, command):
    assert pmcoord.on(laptop, "suspend-all", "--guests-only", "-q").returncode == 0
    [journal] = pmcoord.journals(laptop).iterdir()
    journal.write_text("".join(DAMAGED[what](journal.read_text().splitlines(True))))
    assert {held["guest"] for held in pmcoord.json(laptop, "status")["held"]} == set(pmcoord.states(laptop))

    result = pmcoord.on(laptop, *command)

    assert set(pmcoord.states(laptop).values()) == {"running"}
    damaged = what not in ("an incomplete line", "another version")
    assert result.returncode == (3 if damaged else 0), result
    assert ("journal that are damaged: 1" in result.stderr) == damaged, result.stderr
    warnings = pmcoord.json(laptop, "report")["warnings"]
    assert any("journal that are damaged: 1" in warning for warning in warnings) == damaged, warnings
    # It can be examined, and stops nobody.
    assert [path.suffix for path in pmcoord.journals(laptop).iterdir()] == [".broken"] * damaged
    assert pmcoord.on(laptop, "suspend-all", "-q").returncode == 0


def test_a_guest_that_cannot_be_read_is_reported_as_unknown_and_the_others_are_resumed(pmcoord, laptop):
    assert pmcoord.on(laptop, "suspend-all", "--guests-only", "-q").returncode == 0
    [journal] = pmcoord.journals(laptop).iterdir()
    lines = journal.read_text().splitlines(True)
    lost = lines[1].split()[-1]
    journal.write_text("".join([lines[0], "?\n", *lines[2:]]))

    result = pmcoord.on(laptop, "resume-all")

    assert result.returncode == 3
    states = pmcoord.states(laptop)
    assert {name for name, state in states.items() if state != "running"} == {lost}
    report = pmcoord.json(laptop, "report")
    assert report["result"] == "degraded"
    [unknown] = [guest for guest in report["guests"] if guest["name"] == "(unknown)"]
    assert "'xl list'" in unknown["detail"]


@pytest.mark.parametrize("what", ["nonsense", "a directory"])
def test_a_journal_without_a_guest_stops_no_cycle(pmcoord, laptop, what):
    assert pmcoord.on(laptop, "suspend-all", "-q").returncode == 0
    journal = pmcoord.journals(laptop) / "1"
    if what == "nonsense":
        journal.write_text("nonsense\n")
    else:
        journal.mkdir()

    result = pmcoord.on(laptop, "suspend-all")

    assert result.returncode == 0, result
    assert f"{journal} cannot be read" in pmcoord.json(laptop, "report")["detail"]
    assert pmcoord.json(laptop, "status")["unreadable_journals"] == 1


def test_resume_all_says_which_journal_cannot_be_read(pmcoord, laptop):
    assert pmcoord.on(laptop, "suspend-all", "--guests-only", "-q").returncode == 0
    (pmcoord.journals(laptop) / "9").write_text("nonsense\n")

    result = pmcoord.on(laptop, "resume-all")

    assert result.returncode == 6 and "cycles/9 cannot be read" in result.stderr and "'xl list'" in result.stderr
    assert set(pmcoord.states(laptop).values()) == {"running"}


def test_resume_all_prints_an_object_even_if_it_fails(pmcoord):
    scenario = pmcoord.scenario('[Guest "web"]\nBehaviour=fails-to-resume\n')
    assert pmcoord.on(scenario, "suspend-all", "--guests-only", "-q").returncode == 0
    result = pmcoord.on(scenario, "resume-all", "--json")
    assert result.returncode == 6
    assert "web" in json.loads(result.stdout).get("message", "") + str(json.loads(result.stdout).get("stranded"))
