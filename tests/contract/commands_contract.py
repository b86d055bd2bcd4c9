# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract of the commands on any hypervisor: these tests run on the simulator and on Xen.

The fixture `host` is a laptop: web and mail need fw, which needs netvm, where an agent runs; vault needs no guest.
host.run(*arguments) runs pmcoord there and returns its status, stdout and stderr.
"""

import json

import pytest

NEEDS = {"netvm": set(), "fw": {"netvm"}, "web": {"fw"}, "mail": {"fw"}, "vault": set()}
ALL = set(NEEDS)
# Keys of the contract; more may be there.
LIST_KEYS = {"name", "domid", "uuid", "type", "role", "state", "mechanism", "agent", "needs", "serves", "policy"}
STEP_KEYS = {"guest", "domid", "mechanism", "after", "depth"}
REPORT_KEYS = {"cycle", "started", "result", "trigger", "phases", "guests", "slowest"}
ENTRY_KEYS = {"name", "domid", "mechanism", "outcome", "detail", "requested_us", "quiesced_us", "down_us", "running_us", "ready_us"}


def ask(host, *arguments, status=0):
    result = host.run(*arguments, "--json")
    assert result.status == status, result
    return json.loads(result.stdout)


def guests(host) -> dict:
    return {guest["name"]: guest for guest in ask(host, "list")["guests"]}


def states(host) -> dict:
    return {name: guest["state"] for name, guest in guests(host).items()}


def entries(report: dict) -> dict:
    return {entry["name"]: entry for entry in report["guests"]}


def test_list_has_every_guest_with_every_key(host):
    listed = guests(host)
    assert set(listed) == ALL
    for name, guest in listed.items():
        assert LIST_KEYS <= set(guest)
        assert set(guest["needs"]) == NEEDS[name]
        assert set(guest["serves"]) == {other for other in ALL if name in NEEDS[other]}
        assert (guest["state"], guest["policy"]) == ("running", "suspend")
    assert (listed["netvm"]["role"], listed["netvm"]["mechanism"], listed["netvm"]["agent"]) == ("driver-domain", "agent", "ready")
    assert (listed["web"]["role"], listed["web"]["mechanism"], listed["web"]["agent"]) == ("guest", "xenstore", "none")
    assert listed["vault"]["type"] == "pvh"


def test_plan_is_the_order_of_list_both_ways(host):
    plan = ask(host, "plan")
    domids = {name: guest["domid"] for name, guest in guests(host).items()}
    for direction, after in (("suspend", {name: {other for other in ALL if name in NEEDS[other]} for name in ALL}), ("resume", NEEDS)):
        steps = plan[direction]
        assert {step["guest"] for step in steps} == ALL
        seen = set()
        for step in steps:
            assert STEP_KEYS <= set(step)
            assert step["domid"] == domids[step["guest"]]
            assert set(step["after"]) == after[step["guest"]]
            assert set(step["after"]) <= seen, "it stands before those that it waits for"
            seen.add(step["guest"])
        depths = {step["guest"]: step["depth"] for step in steps}
        assert all(depths[step["guest"]] > depths[other] for step in steps for other in step["after"])


def test_a_dry_run_prints_the_plan_and_changes_nothing(host):
    assert ask(host, "suspend-all", "--dry-run") == ask(host, "plan")
    assert set(states(host).values()) == {"running"}


def test_guests_are_kept_suspended_until_resume_all_and_both_are_idempotent(host):
    for _ in range(2):
        assert host.run("suspend-all", "--guests-only", "-q").status == 0
        assert set(states(host).values()) == {"suspended"}
    for _ in range(2):
        assert host.run("resume-all", "-q").status == 0
        assert set(states(host).values()) == {"running"}


def test_the_report_shows_the_order_of_dependencies(host):
    before = ask(host, "status")["last"]
    assert host.run("cycle", "-n", "1", "-q").status == 0
    report = ask(host, "report")
    assert REPORT_KEYS <= set(report) and report["result"] == "ok"
    assert before is None or report["cycle"] > before["cycle"]
    told = entries(report)
    assert set(told) == ALL and report["slowest"] in ALL
    for name, entry in told.items():
        assert ENTRY_KEYS <= set(entry)
        assert entry["outcome"] == "suspended"
        assert 0 <= entry["requested_us"] <= entry["down_us"] <= entry["running_us"]
        assert (entry["mechanism"] == "agent") == (name == "netvm")
        for needed in NEEDS[name]:
            assert entry["down_us"] <= told[needed]["requested_us"]
            assert told[needed]["running_us"] <= entry["running_us"]
    netvm = told["netvm"]
    assert netvm["requested_us"] <= netvm["quiesced_us"] <= netvm["down_us"] <= netvm["running_us"] <= netvm["ready_us"]
    assert told["web"]["quiesced_us"] is None and told["web"]["ready_us"] is None
    assert {phase["name"] for phase in report["phases"]} >= {"inventory", "suspend", "resume"}
    for phase, after in zip(report["phases"], report["phases"][1:]):
        assert phase["start_us"] + phase["duration_us"] <= after["start_us"]
    assert ask(host, "report", str(report["cycle"])) == report


@pytest.mark.parametrize("named, down", [("fw", {"fw", "web", "mail"}), ("vault", {"vault"}), ("netvm", ALL - {"vault"})])
def test_suspend_includes_those_that_need_the_named_and_resume_those_they_need(host, named, down):
    assert host.run("suspend", named, "-q").status == 0
    assert {name for name, state in states(host).items() if state == "suspended"} == down
    wanted = "web" if "web" in down else named
    assert host.run("resume", wanted, "-q").status == 0
    back = {"web": {"web", "fw", "netvm"}, "vault": {"vault"}}[wanted]
    assert {name for name, state in states(host).items() if state == "suspended"} == down - back
    assert host.run("resume-all", "-q").status == 0
    assert set(states(host).values()) == {"running"}


def test_force_suspends_only_the_named_guest(host):
    assert host.run("suspend", "--force", "fw", "-q").status == 0
    assert {name for name, state in states(host).items() if state == "suspended"} == {"fw"}
    assert host.run("resume", "--force", "fw", "-q").status == 0
    assert set(states(host).values()) == {"running"}


def test_check_prints_every_key(host):
    result = host.run("check", "--json")
    told = json.loads(result.stdout)
    assert told["ok"] == (result.status == 0)
    assert all({"level", "subject", "message", "advice"} <= set(finding) for finding in told["findings"])
    assert {finding["level"] for finding in told["findings"]} <= {"error", "warning", "info"}


@pytest.mark.parametrize("arguments, named", [
    (("suspend", "nobody"), "nobody"), (("resume", "nobody"), "nobody"), (("suspend",), "suspend"), (("report", "x"), "x"),
    (("frobnicate",), "frobnicate"), (("list", "--frobnicate"), "frobnicate"), (("suspend-all", "--timeout", "soon"), "soon"),
])
def test_bad_usage_is_exit_2_names_it_and_changes_nothing(host, arguments, named):
    result = host.run(*arguments)
    assert (result.status, result.stdout) == (2, "")
    assert named in result.stderr
    assert set(states(host).values()) == {"running"}


def test_idle_status(host):
    status = ask(host, "status")
    assert status["state"] == "idle" and status["held"] == []
