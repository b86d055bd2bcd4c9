# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every scenario that is shipped: its plan keeps the law of order, and its guests come back."""

import json

import pytest

from conftest import ROOT

SCENARIOS = sorted(path.name for path in (ROOT / "hooks/scenarios").glob("*.sim"))


def test_there_are_those_that_the_manual_promises():
    assert {"laptop.sim", "workstation.sim", "storage-domain.sim", "stub-domains.sim", "server-500.sim"} <= set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_plan_suspends_dependents_first_and_resumes_in_reverse(pmcoord, name):
    scenario = pmcoord.shipped(name)
    needs = {guest["name"]: guest["needs"] for guest in pmcoord.json(scenario, "list")["guests"]}
    plan = pmcoord.json(scenario, "plan")
    down = [step["guest"] for step in plan["suspend"]]
    back = [step["guest"] for step in plan["resume"]]
    assert sorted(down) == sorted(back) == sorted(needs)
    position = {guest: i for i, guest in enumerate(down)}
    again = {guest: i for i, guest in enumerate(back)}
    for guest, needed in needs.items():
        for other in needed:
            assert position[guest] < position[other] and again[other] < again[guest]


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_a_cycle_everybody_runs(pmcoord, name):
    scenario = pmcoord.shipped(name)
    before = {guest["name"]: guest["state"] for guest in pmcoord.json(scenario, "list")["guests"]}
    result = pmcoord.on(scenario, "suspend-all", "--json")
    report = json.loads(result.stdout)
    assert result.returncode == {"ok": 0, "degraded": 3, "failed": 1}[report["result"]]
    assert {guest["name"]: guest["state"] for guest in pmcoord.json(scenario, "list")["guests"]} == before


def test_a_lie_changes_nobody_elses_order(pmcoord):
    """The liar ignores its request; vault, which it claims to need, does not wait for it."""
    scenario = pmcoord.shipped("liar.sim")
    report = json.loads(pmcoord.on(scenario, "suspend-all", "--json").stdout)
    guests = {guest["name"]: guest for guest in report["guests"]}
    assert guests["vault"]["outcome"] == "suspended"
    assert guests["vault"]["down_us"] < 1_000_000
    assert guests["liar"]["outcome"] == "paused"
    honest = pmcoord.scenario((ROOT / "hooks/scenarios/liar.sim").read_text().replace("Claims=vault\n", ""), "honest.sim")
    assert pmcoord.json(scenario, "plan") == pmcoord.json(honest, "plan")
