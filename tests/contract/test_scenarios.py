# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each shipped scenario behaves as its first comment describes."""

import json
import pathlib
import re

import pytest

SCENARIOS = pathlib.Path(__file__).resolve().parents[2] / "hooks/scenarios"

# Exit code of `suspend-all`; must list every shipped scenario.
EXITS = {
    "circle.sim": 0,
    "server-500.sim": 0,
    "kinds.sim": 3,
    "laptop.sim": 0,
    "laptop-hung-guest.sim": 3,
    "laptop-no-s3.sim": 1,
    "liar.sim": 3,
    "meanwhile.sim": 3,
    "misbehaving.sim": 3,
    "storage-domain.sim": 0,
    "stub-domains.sim": 0,
    "windows.sim": 0,
    "workstation.sim": 0,
}


def cycle(pmcoord, name):
    """Runs a cycle and returns scenario, report and the report's guests by name."""
    scenario = pmcoord.shipped(name)
    result = pmcoord.on(scenario, "suspend-all", "--json")
    assert result.returncode == EXITS[name], result.stderr
    report = json.loads(result.stdout)
    return scenario, report, {guest["name"]: guest for guest in report["guests"]}


def plan_of(pmcoord, name):
    plan = pmcoord.json(pmcoord.shipped(name), "plan")
    return plan, {step["guest"]: step for step in plan["suspend"]}


def test_every_shipped_scenario_is_tested():
    assert {path.name for path in SCENARIOS.glob("*.sim")} == set(EXITS)


@pytest.mark.parametrize("name", sorted(EXITS))
def test_order_is_kept_and_all_guests_are_as_before(pmcoord, name):
    scenario = pmcoord.shipped(name)
    before = pmcoord.states(scenario)
    needs = {g["name"]: g["needs"] for g in pmcoord.json(scenario, "list")["guests"]}
    _, report, guests = cycle(pmcoord, name)
    for guest, needed in ((guests[g], guests[n]) for g in needs for n in needs[g]):
        if guest["down_us"] is not None and needed["requested_us"] is not None:
            assert guest["down_us"] <= needed["requested_us"], (guest["name"], needed["name"])
        if guest["running_us"] is not None and needed["running_us"] is not None:
            assert needed["running_us"] <= guest["running_us"], (guest["name"], needed["name"])
    after = pmcoord.states(scenario)
    for guest in set(after) & set(before):
        if guests[guest]["outcome"] == "suspended" and not guests[guest]["appeared"]:
            assert after[guest] == before[guest], guest
    assert report["stranded"] is None


def test_a_storage_domain_is_suspended_last(pmcoord):
    plan, down = plan_of(pmcoord, "storage-domain.sim")
    assert plan["suspend"][-1]["guest"] == "storage"
    assert plan["resume"][0]["guest"] == "storage"
    assert sorted(down["storage"]["after"]) == ["app-1", "app-2", "app-3", "build", "fw", "netvm"]
    assert down["netvm"]["after"] == ["fw"]


def test_stub_domains_are_suspended_after_their_own_guest_only(pmcoord):
    plan, down = plan_of(pmcoord, "stub-domains.sim")
    assert down["windows-dm-2"]["after"] == ["windows-2"]
    assert down["appliance-dm"]["after"] == ["appliance"]
    assert down["appliance"]["mechanism"] == "hvm"
    assert plan["suspend"][-1]["guest"] == "netvm-dm"
    roles = {g["name"]: g["role"] for g in pmcoord.json(pmcoord.shipped("stub-domains.sim"), "list")["guests"]}
    assert {name for name, role in roles.items() if role == "stub-domain"} == {
        "netvm-dm", "windows-dm-1", "windows-dm-2", "appliance-dm"}


@pytest.mark.parametrize("name", sorted(EXITS))
def test_the_plan_suspends_dependents_first_and_resumes_in_reverse(pmcoord, name):
    scenario = pmcoord.shipped(name)
    plan = pmcoord.json(scenario, "plan")
    down = {step["guest"]: i for i, step in enumerate(plan["suspend"])}
    assert [step["guest"] for step in plan["resume"]] == list(reversed(down))
    for guest in pmcoord.json(scenario, "list")["guests"]:
        for needed in {guest["name"], *guest["needs"]} & set(down) if guest["name"] in down else ():
            assert down[guest["name"]] <= down[needed]


def test_five_hundred_guests(pmcoord):
    _, report, guests = cycle(pmcoord, "server-500.sim")
    assert len(guests) == 500 and report["result"] == "ok"
    assert {guest["outcome"] for guest in guests.values()} == {"suspended"}
    assert guests["web-7"]["down_us"] <= guests["router-7"]["requested_us"]


def test_each_kind_is_suspended_by_its_mechanism_or_skipped(pmcoord):
    scenario, _, guests = cycle(pmcoord, "kinds.sim")
    assert {name: guest["mechanism"] for name, guest in guests.items()} == {
        "agent": "agent", "agent-of-the-future": "xenstore", "kernel-channel": "event-channel", "plain": "xenstore",
        "silent": "xenstore", "unikernel": "pause", "pvh": "xenstore", "hvm": "xenstore", "hvm-bare": "hvm",
        "hvm-asleep": "none", "booting": "xenstore", "paused": "none", "down": "none", "leaving": "pause",
        "rebooting": "xenstore", "saved": "none", "migrated": "none", "zombie": "none"}
    # The pause is chosen at once, not after a timeout; a booting guest is waited for.
    assert guests["unikernel"]["down_us"] < 1_000_000
    assert guests["booting"]["down_us"] > 3_000_000
    # It is waited for, because others must not be suspended before it, but it is not touched.
    assert guests["saved"]["detail"].startswith("being saved or migrated; another program suspends it; ")
    assert guests["saved"]["taken_by_another"] and not guests["plain"]["taken_by_another"]
    # So are those that leave by themselves.
    assert {guests[name]["outcome"] for name in ("leaving", "saved", "migrated")} == {"skipped"}
    # The new domain of one that reboots is taken along.
    assert guests["rebooting"]["outcome"] == "suspended" and guests["rebooting"]["appeared"]
    assert "has shut down" in guests["leaving"]["detail"] and guests["leaving"]["gone"]
    after = pmcoord.states(scenario)
    assert after["paused"] == "paused" and after["down"] == "suspended"
    assert not {"saved", "migrated", "leaving"} & set(after)


@pytest.mark.parametrize("record", ["yes", "no"])
def test_a_false_claim_changes_no_order(pmcoord, record):
    text = (SCENARIOS / "liar.sim").read_text().replace("ToolstackRecord=no", f"ToolstackRecord={record}")
    honest = re.sub(r"^Claims.*\n", "", text, flags=re.M)
    plans = [pmcoord.json(pmcoord.scenario(scenario, name), "plan")
             for name, scenario in (("liar", text), ("honest", honest))]
    assert plans[0] == plans[1]
    down = {step["guest"]: step for step in plans[0]["suspend"]}
    assert down["fw"]["after"] == ["liar"] and down["vault"]["after"] == []
    # liar ignores its request; vault, which it claims to need, is suspended without waiting for it.
    guests = json.loads(pmcoord.on(pmcoord.directory / "liar", "suspend-all", "--json").stdout)["guests"]
    assert {g["name"]: g["down_us"] < 1_000_000 for g in guests} == {
        "netvm": False, "fw": False, "vault": True, "liar": False}


def test_a_false_claim_is_found_by_check(pmcoord):
    findings = pmcoord.json(pmcoord.shipped("liar.sim"), "check")["findings"]
    claims = [f["message"] for f in findings if f["subject"] == "liar" and "claims" in f["message"]]
    assert len(claims) == 2 and any("'vault'" in claim for claim in claims)


def test_a_loop_is_broken_at_its_weakest_link_with_a_warning(pmcoord):
    plan, down = plan_of(pmcoord, "circle.sim")
    assert len(plan["warnings"]) == 1
    assert re.search(r"(storage needs netvm needs storage|netvm needs storage needs netvm)", plan["warnings"][0])
    assert "ignoring that storage needs netvm (network)" in plan["warnings"][0]
    assert down["storage"]["after"] == ["netvm"]
    scenario, report, _ = cycle(pmcoord, "circle.sim")
    assert report["warnings"] == plan["warnings"]
    assert plan["warnings"][0] in pmcoord.on(scenario, "report").stdout


def test_actions_of_others_during_the_cycle_are_not_undone(pmcoord):
    scenario, _, guests = cycle(pmcoord, "meanwhile.sim")
    after = pmcoord.states(scenario)
    assert "web" not in after and guests["web"]["outcome"] == "failed"
    assert after["newcomer"] == "running" and guests["newcomer"]["outcome"] == "suspended"
    assert guests["newcomer"]["appeared"] and guests["newcomer"]["degraded"]
    assert after["paused-by-user"] == "paused"
    assert after["late"] == "running" and "suspended late" in guests["late"]["detail"]


def test_each_misbehaving_guest_is_named_with_its_fault(pmcoord):
    scenario, report, guests = cycle(pmcoord, "misbehaving.sim")
    for name, words in {
            "ignores": "within 10 s", "hangs": "within 10 s", "late": "suspended late", "dies": "shut down",
            "refuses": "refused", "dead-agent": "did not answer", "stale-port": "stale", "lost-device": "lost",
            "never-ready": "did not report", "not-asked": "Input/output error"}.items():
        assert words in guests[name]["detail"], name
    assert guests["fine"]["outcome"] == "suspended" and guests["fine"]["detail"] == ""
    assert report["result"] == "degraded"
    assert set(pmcoord.states(scenario).values()) == {"running"}


@pytest.mark.parametrize("how", [(), ("--guests-only",)])
def test_a_late_guest_stays_recorded_until_it_can_be_resumed(pmcoord, how):
    text = "[Guest \"net\"]\n[Guest \"slow\"]\nNeeds=net\nBehaviour=goes-down-late\nLateTime=13s\n"
    scenario = pmcoord.scenario(text + "Fail=resume\n")
    result = pmcoord.on(scenario, "suspend-all", *how, "--json")
    if how:
        assert result.returncode == 3 and json.loads(result.stdout)["stranded"] is None
        result = pmcoord.on(scenario, "resume-all", "--json")
    else:
        assert json.loads(result.stdout)["stranded"] == "slow"
    assert result.returncode == 6 and "slow" in result.stderr
    for _ in range(2):
        assert pmcoord.states(scenario) == {"net": "running", "slow": "suspended"}
        assert [held["guest"] for held in pmcoord.json(scenario, "status")["held"]] == ["slow"]
        assert "slow" in pmcoord.on(scenario, "status").stdout
        assert [journal.name for journal in pmcoord.journals(scenario).iterdir()] == ["1"]
        result = pmcoord.on(scenario, "resume-all")
        assert result.returncode == 6 and "slow" in result.stderr
    # The states of the guests stay; the resume works from now on.
    pmcoord.scenario(text)
    assert pmcoord.on(scenario, "resume-all").returncode == 0
    assert set(pmcoord.states(scenario).values()) == {"running"}
    assert pmcoord.json(scenario, "status")["held"] == []
    assert not list(pmcoord.journals(scenario).iterdir())
    assert pmcoord.json(scenario, "report")["stranded"] is None


@pytest.mark.parametrize("text, named", [
    ("[Guest \"a\"]\n[Guest \"a\"]\n", "two guests are called 'a'"),
    ("[Guest \"a*\"]\n", "needs Count="),
    ("[Guest \"a\"]\nNeeds=vdb:b\n[Guest \"b\"]\n", "unknown device class"),
    ("[Guest \"a\"]\nNeeds=b*\n[Guest \"b1\"]\n", "'*' needs Count="),
    ("[Guest \"a\"]\nCount=16001\n", "16001"),
    ("[Guest \"a\"]\nCount=16000\n[Guest \"b\"]\n", "exceed the limit"),
    ("[Guest \"a\"]\nFail=fly:1\n", "scenario:2"),
    ("[Guest \"a\"]\nFail=resume:0\n", "scenario:2"),
    ("[Host]\nFail=resume:x\n", "scenario:2"),
])
def test_an_invalid_scenario_is_rejected(pmcoord, text, named):
    result = pmcoord.on(pmcoord.scenario(text), "list")
    assert result.returncode == 2
    assert named in result.stderr
