# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which guests a command or a rule means, and what a plan and a report say about them."""

import json

TWO_LOOPS = """
[Guest "a"]
Needs=vif:b
[Guest "b"]
Needs=vbd:a
[Guest "c"]
Needs=vif:d
[Guest "d"]
Needs=vbd:c
"""

# Two ways lead from top to base, both through guests that are left alone.
TWO_WAYS = """
[Guest "base"]
[Guest "left"]
State=paused
Needs=vif:base
[Guest "right"]
State=paused
Needs=vif:base
[Guest "top"]
Needs=vif:left vif:right
"""


def before(pmcoord, scenario, *arguments):
    """What each guest's step waits for: {guest: guests that are suspended before it}."""
    plan = pmcoord.json(scenario, *arguments, "plan")
    return {step["guest"]: step["after"] for step in plan["suspend"]}


def test_a_guest_can_be_named_by_its_domid(pmcoord, laptop):
    domid = {guest["name"]: guest["domid"] for guest in pmcoord.json(laptop, "list")["guests"]}
    result = pmcoord.on(laptop, "suspend", str(domid["web"]))
    assert result.returncode == 0, result.stderr
    suspended = [name for name, state in pmcoord.states(laptop).items() if state == "suspended"]
    assert suspended == ["web"]
    assert pmcoord.on(laptop, "resume", str(domid["web"])).returncode == 0
    assert set(pmcoord.states(laptop).values()) == {"running"}
    result = pmcoord.on(laptop, "suspend", "4711")
    assert result.returncode == 2
    assert "'4711'" in result.stderr


def test_suspend_before_changes_only_the_guests_that_it_names(pmcoord, laptop):
    without = before(pmcoord, laptop)
    (pmcoord.directory / "pmcoord.conf").write_text('[Guest "vault"]\nSuspendBefore=fw\n')
    with_rule = before(pmcoord, laptop)
    assert sorted(with_rule.pop("fw")) == sorted(without.pop("fw") + ["vault"])
    assert with_rule == without


def test_a_guest_is_waited_for_once(pmcoord):
    scenario = pmcoord.scenario(TWO_WAYS)
    plan = pmcoord.json(scenario, "plan")
    assert {step["guest"]: step["after"] for step in plan["suspend"] if step["guest"] in ("base", "top")} == \
        {"base": ["top"], "top": []}
    assert {step["guest"]: step["after"] for step in plan["resume"] if step["guest"] in ("base", "top")} == \
        {"base": [], "top": ["base"]}


def test_each_dependency_loop_has_its_warning(pmcoord):
    scenario = pmcoord.scenario(TWO_LOOPS)
    for report in (pmcoord.json(scenario, "plan"), pmcoord.json(scenario, "suspend-all")):
        assert len(report["warnings"]) == 2
        assert any(" a needs b" in warning for warning in report["warnings"])
        assert any(" c needs d" in warning for warning in report["warnings"])


def test_an_agent_that_refuses_is_not_waited_for(pmcoord):
    scenario = pmcoord.scenario('[Guest "web"]\nAgent=yes\nBehaviour=refuses\n')
    guest = pmcoord.json(scenario, "suspend-all")["guests"][0]
    assert guest["detail"].startswith("agent: refused, as set in the scenario")
    assert guest["down_us"] - guest["requested_us"] < 1_000_000


def test_each_phase_of_a_kept_cycle_ends(pmcoord, laptop):
    result = pmcoord.on(laptop, "suspend-all", "--guests-only", "--json")
    phases = json.loads(result.stdout)["phases"]
    assert [phase["name"] for phase in phases] == ["inventory", "prepare", "suspend"]
    assert all(phase["duration_us"] is not None for phase in phases)


def test_a_series_counts_each_outcome_of_a_guest(pmcoord):
    scenario = pmcoord.scenario('[Guest "web"]\nFail=request:1\n')
    result = pmcoord.on(scenario, "cycle", "-n", "3")
    assert "2 suspended, 1 paused" in result.stdout
