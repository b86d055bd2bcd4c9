# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands, exit codes and JSON as documented in the manual."""

import json
import re
import xml.etree.ElementTree

import pytest


def one_sentence(stderr):
    lines = [line for line in stderr.splitlines() if "SIMULATION" not in line]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("pmcoord: ")
    return lines[0]


# ---- usage -------------------------------------------------------------------

def test_help_names_every_command(pmcoord):
    result = pmcoord.run("--help")
    assert result.returncode == 0
    for command in ("suspend-all", "resume-all", "suspend", "resume", "list",
                    "plan", "report", "status", "monitor"):
        assert re.search(rf"^  {command}\b", result.stdout, re.M), command


def test_version(pmcoord):
    result = pmcoord.run("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"pmcoord \d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize("arguments, named", [
    ([], "no command given"),
    (["fly"], "fly"),
    (["list", "extra"], "extra"),
    (["suspend"], "suspend"),
    (["list", "--guests-only"], "guests-only"),
    (["list", "--frobnicate"], "frobnicate"),
    (["list", "-x"], "-x"),
    (["list", "--config"], "--config needs a value: FILE"),
    (["list", "--json=yes"], "--json takes no value"),
    (["suspend"], "suspend GUEST..."),
    (["plan", "--force"], "force"),
    (["list", "--timeout", "soon"], "soon"),
    (["list", "--timeout", "0"], "0"),
    (["list", "--timeout", "3600001ms"], "3600001ms"),
    (["cycle", "-n", "0"], "-n must be a number from 1 to 100000, not 0"),
    (["cycle", "-n", "100001"], "-n must be a number from 1 to 100000, not 100001"),
    (["list", "--hypervisor", "kvm"], "kvm"),
    (["report", "first"], "first"),
])
def test_wrong_usage_is_one_sentence_and_exit_2(pmcoord, arguments, named):
    result = pmcoord.run(*arguments)
    assert result.returncode == 2
    assert named in one_sentence(result.stderr)
    assert result.stdout == ""


def test_an_unknown_option_is_exit_2(pmcoord):
    result = pmcoord.run("list", "--frobnicate")
    assert result.returncode == 2
    assert "frobnicate" in result.stderr


def test_the_longest_timeout_is_an_hour(pmcoord, laptop):
    assert pmcoord.on(laptop, "list", "--timeout", "1h").returncode == 0


# ---- configuration -----------------------------------------------------------

def test_bad_values_name_file_and_line_all_at_once(pmcoord, laptop, tmp_path):
    config = tmp_path / "bad.conf"
    config.write_text("[Coordinator]\nDeadline=soon\nOnDeadline=maybe\n"
                      "[Guest \"x\"]\nTimeout=-1s\n")
    result = pmcoord.on(laptop, "suspend-all", config=config)
    assert result.returncode == 3
    for line, word in ((2, "soon"), (3, "maybe"), (5, "-1s")):
        assert re.search(rf"bad\.conf:{line}: .*{word}", result.stderr)


def test_an_unknown_key_only_warns(pmcoord, laptop, tmp_path):
    config = tmp_path / "new.conf"
    config.write_text("[Coordinator]\nColour=blue\n")
    result = pmcoord.on(laptop, "list", config=config)
    assert result.returncode == 0
    assert "new.conf:2" in result.stderr and "Colour" in result.stderr


def test_a_bad_value_of_a_drop_in_costs_only_itself(pmcoord, laptop, tmp_path):
    config = tmp_path / "main.conf"
    config.write_text("[Guest \"mail\"]\nPolicy=ignore\n")
    (tmp_path / "main.conf.d").mkdir()
    (tmp_path / "main.conf.d/10-broken.conf").write_text(
        "[Guest \"web\"]\nPolicy=ignore\nTimeout=never\n")
    result = pmcoord.on(laptop, "list", "--json", config=config)
    policies = {guest["name"]: guest["policy"]
                for guest in json.loads(result.stdout)["guests"]}
    assert result.returncode == 0
    assert "10-broken.conf:3" in result.stderr
    assert policies["mail"] == "ignore" and policies["web"] == "ignore"


def test_a_config_file_given_on_the_command_line_must_exist(pmcoord, laptop, tmp_path):
    result = pmcoord.on(laptop, "suspend-all", config=tmp_path / "none.conf")
    assert result.returncode == 2
    assert "none.conf" in one_sentence(result.stderr)


@pytest.mark.parametrize("text, named", [
    ("[Guest \"a\"]\nBehaviour=odd\n", "scenario:2"),
    ("[Guest \"a\"]\nNeeds=b\n", "'b'"),
    ("[Gast \"a\"]\n", "scenario:1"),
    ("nonsense\n", "scenario:1"),
])
def test_a_broken_scenario_names_the_line(pmcoord, text, named):
    result = pmcoord.on(pmcoord.scenario(text), "list")
    assert result.returncode == 2
    assert named in result.stderr


def test_without_xen_is_exit_4(pmcoord):
    """These tests run on a machine without Xen."""
    for command in ("list", "plan", "suspend-all", "resume-all"):
        result = pmcoord.run(command)
        assert result.returncode == 4, command
        one_sentence(result.stderr)


# ---- failures that are not usage errors --------------------------------------

@pytest.mark.parametrize("command", [
    ("report", "--svg", "/nonexistent/picture.svg"),
    ("plan", "--svg", "/nonexistent/picture.svg"),
    ("plan", "--dot", "/nonexistent/graph.dot"),
])
def test_a_picture_that_cannot_be_written_is_exit_1(pmcoord, laptop, command):
    assert pmcoord.on(laptop, "suspend-all", "-q").returncode == 0
    result = pmcoord.on(laptop, "-q", *command)
    assert result.returncode == 1
    assert "/nonexistent/" in one_sentence(result.stderr)


@pytest.mark.parametrize("number", [(), ("2",)])
def test_a_report_that_cannot_be_read_is_exit_1(pmcoord, laptop, number):
    assert pmcoord.on(laptop, "suspend-all", "-q").returncode == 0
    (pmcoord.journals(laptop).parent / "reports/2.json").write_text("{")
    result = pmcoord.on(laptop, "report", *number)
    assert result.returncode == 1
    assert "2.json is damaged" in one_sentence(result.stderr)


def test_a_missing_report_is_exit_2(pmcoord, laptop):
    assert pmcoord.on(laptop, "suspend-all", "-q").returncode == 0
    result = pmcoord.on(laptop, "report", "7")
    assert result.returncode == 2
    assert "no report of cycle 7" in one_sentence(result.stderr)


def test_an_unreadable_journal_is_no_usage_error_of_report(pmcoord, laptop):
    assert pmcoord.on(laptop, "suspend-all", "--guests-only", "-q").returncode == 0
    (pmcoord.journals(laptop) / "9").write_text("nonsense\n")
    result = pmcoord.on(laptop, "report")
    assert result.returncode == 1
    assert "is damaged: no guest can be read" in one_sentence(result.stderr)


@pytest.mark.parametrize("what", ["a dangling link", "a file", "a full disk"])
def test_a_report_that_cannot_be_written_is_no_condition(pmcoord, laptop, what):
    assert pmcoord.on(laptop, "list", "-q").returncode == 0
    reports = pmcoord.journals(laptop).parent / "reports"
    if what == "a file":
        reports.write_text("")
    elif what == "a full disk":
        reports.mkdir()
    else:
        reports.symlink_to("/nonexistent/reports")
    for cycle in (1, 2):
        if what == "a full disk":
            (reports / ".new").symlink_to("/dev/full")
        result = pmcoord.on(laptop, "suspend-all")
        assert result.returncode == 0, result
        assert "cannot write the report" in result.stdout + result.stderr
        assert not list(pmcoord.journals(laptop).iterdir())
        for number in ((), (str(cycle),)):
            assert pmcoord.json(laptop, "report", *number)["cycle"] == cycle
        assert pmcoord.json(laptop, "status")["last"]["cycle"] == cycle

    if what != "a full disk":
        reports.unlink()
    assert pmcoord.on(laptop, "recover").returncode == 0
    assert sorted(path.name for path in reports.iterdir()) == ["1.json", "2.json"]
    assert not list((reports.parent / "unsaved-reports").glob("*.json"))
    assert set(pmcoord.states(laptop).values()) == {"running"}


def test_a_session_without_a_bus_is_exit_1(pmcoord, monkeypatch):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    result = pmcoord.run("notify")
    assert result.returncode == 1
    assert "session's bus" in one_sentence(result.stderr)


# ---- commands that only read -------------------------------------------------

def test_list_as_json(pmcoord, laptop):
    guests = {g["name"]: g for g in pmcoord.json(laptop, "list")["guests"]}
    assert set(guests) == {"netvm", "fw", "web", "mail", "vault"}
    for guest in guests.values():
        assert {"name", "domid", "uuid", "type", "role", "state", "mechanism",
                "agent", "needs", "serves", "policy"} <= set(guest)
    assert guests["netvm"]["role"] == "driver-domain"
    assert guests["netvm"]["mechanism"] == "agent"
    assert guests["netvm"]["needs"] == [] and guests["netvm"]["serves"] == ["fw"]
    assert guests["fw"]["role"] == "driver-domain"
    assert sorted(guests["fw"]["serves"]) == ["mail", "web"]
    assert guests["web"] == guests["web"] | {
        "role": "guest", "type": "pv", "state": "running", "agent": "none",
        "mechanism": "xenstore", "needs": ["fw"], "serves": [],
        "policy": "suspend"}
    assert guests["vault"]["type"] == "pvh"


def test_plan_as_json(pmcoord, laptop):
    plan = pmcoord.json(laptop, "plan")
    down = {step["guest"]: step for step in plan["suspend"]}
    back = {step["guest"]: step for step in plan["resume"]}
    for step in plan["suspend"] + plan["resume"]:
        assert {"guest", "domid", "mechanism", "after", "depth"} <= set(step)
    assert sorted(down["fw"]["after"]) == ["mail", "web"]
    assert down["netvm"]["after"] == ["fw"] and down["netvm"]["depth"] == 2
    assert down["vault"]["after"] == [] and down["vault"]["depth"] == 0
    assert back["web"]["after"] == ["fw"] and back["netvm"]["after"] == []
    assert back["web"]["depth"] == 2
    assert ([step["guest"] for step in plan["resume"]] ==
            [step["guest"] for step in reversed(plan["suspend"])])


def test_the_stub_domain_is_suspended_after_its_guest(pmcoord):
    plan = pmcoord.json(pmcoord.shipped("windows.sim"), "plan")
    assert [(s["guest"], s["mechanism"]) for s in plan["suspend"]] == [
        ("windows", "hvm"), ("windows-dm", "xenstore")]


def test_pictures_are_well_formed(pmcoord, laptop, tmp_path):
    pmcoord.on(laptop, "suspend-all")
    for command in ("plan", "report"):
        path = tmp_path / f"{command}.svg"
        result = pmcoord.on(laptop, command, "--svg", path)
        assert result.returncode == 0, result.stderr
        root = xml.etree.ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "netvm" in "".join(root.itertext())


def test_dot_names_every_need(pmcoord, laptop):
    result = pmcoord.on(laptop, "plan", "--dot", "-")
    assert result.returncode == 0
    assert re.search(r"^digraph ", result.stdout, re.M)
    assert result.stdout.count("->") == 3


def test_a_picture_that_cannot_be_written_is_an_error(pmcoord, laptop):
    result = pmcoord.on(laptop, "plan", "--svg", "/nonexistent/plan.svg")
    assert result.returncode != 0
    assert "/nonexistent/plan.svg" in one_sentence(result.stderr)


def test_dry_run_changes_nothing(pmcoord, laptop):
    result = pmcoord.on(laptop, "suspend-all", "--dry-run")
    assert result.returncode == 0
    assert "netvm" in result.stdout
    states = {g["state"] for g in pmcoord.json(laptop, "list")["guests"]}
    assert states == {"running"}


def test_dry_run_of_some_guests_includes_those_that_need_them(pmcoord, laptop):
    plan = pmcoord.json(laptop, "suspend", "fw", "--dry-run")
    assert {step["guest"] for step in plan["suspend"]} == {"fw", "web", "mail"}
    plan = pmcoord.json(laptop, "suspend", "fw", "--dry-run", "--force")
    assert {step["guest"] for step in plan["suspend"]} == {"fw"}
    result = pmcoord.on(laptop, "suspend", "nobody", "--dry-run")
    assert result.returncode == 2 and "'nobody'" in one_sentence(result.stderr)


# ---- cycles ------------------------------------------------------------------

REPORT_KEYS = {"cycle", "started", "result", "trigger", "phases", "guests",
               "slowest"}
GUEST_KEYS = {"name", "domid", "mechanism", "outcome", "detail", "requested_us",
              "quiesced_us", "down_us", "running_us", "ready_us"}


def test_a_whole_cycle_and_its_report(pmcoord, laptop):
    result = pmcoord.on(laptop, "suspend-all", "--json")
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert REPORT_KEYS <= set(report)
    assert report["result"] == "ok"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
                        report["started"])
    assert [phase["name"] for phase in report["phases"]
            if phase["name"] in ("inventory", "suspend", "sleep", "resume")] == [
                "inventory", "suspend", "sleep", "resume"]
    guests = {guest["name"]: guest for guest in report["guests"]}
    for guest in guests.values():
        assert GUEST_KEYS <= set(guest)
        assert guest["outcome"] == "suspended"
        assert guest["requested_us"] <= guest["down_us"] < guest["running_us"]
    assert guests["web"]["quiesced_us"] is None
    assert guests["web"]["ready_us"] is None
    assert guests["netvm"]["quiesced_us"] <= guests["netvm"]["down_us"]
    assert guests["netvm"]["ready_us"] > guests["netvm"]["running_us"]
    assert report["slowest"] == "netvm"
    again = pmcoord.json(laptop, "report")
    assert again == report
    assert pmcoord.json(laptop, "report", str(report["cycle"])) == report


def test_cycles_are_numbered_in_order(pmcoord, laptop):
    numbers = [pmcoord.json(laptop, "suspend-all")["cycle"] for _ in range(3)]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_guests_only_and_resume_all_are_idempotent(pmcoord, laptop):
    def states():
        return set(pmcoord.states(laptop).values())

    assert pmcoord.on(laptop, "suspend-all", "--guests-only").returncode == 0
    assert states() == {"suspended"}
    assert pmcoord.on(laptop, "suspend-all", "--guests-only").returncode == 0
    assert states() == {"suspended"}
    assert pmcoord.on(laptop, "resume-all").returncode == 0
    assert states() == {"running"}
    assert pmcoord.on(laptop, "resume-all").returncode == 0
    assert states() == {"running"}


def test_a_cycle_with_guests_kept_suspended_has_a_report(pmcoord, laptop):
    pmcoord.on(laptop, "suspend-all", "--guests-only")
    report = pmcoord.json(laptop, "report")
    assert report["held"] is True
    assert {guest["outcome"] for guest in report["guests"]} == {"suspended"}
    assert {guest["running_us"] for guest in report["guests"]} == {None}
    pmcoord.on(laptop, "resume-all")
    after = pmcoord.json(laptop, "report", str(report["cycle"]))
    assert None not in {guest["running_us"] for guest in after["guests"]}


def test_recovery_does_not_resume_guests_kept_suspended(pmcoord, laptop):
    pmcoord.on(laptop, "suspend", "web")
    assert pmcoord.on(laptop, "recover").returncode == 0
    assert pmcoord.on(laptop, "suspend-all").returncode == 0
    states = {g["name"]: g["state"] for g in pmcoord.json(laptop, "list")["guests"]}
    assert states == dict.fromkeys(("netvm", "fw", "mail", "vault"), "running") | {"web": "suspended"}


def test_suspend_and_resume_by_name(pmcoord, laptop):
    def down():
        return {g["name"] for g in pmcoord.json(laptop, "list")["guests"]
                if g["state"] == "suspended"}

    assert pmcoord.on(laptop, "suspend", "fw").returncode == 0
    assert down() == {"fw", "web", "mail"}
    assert pmcoord.on(laptop, "resume", "web").returncode == 0
    assert down() == {"mail"}
    assert pmcoord.on(laptop, "suspend", "fw", "--force").returncode == 0
    assert down() == {"mail", "fw"}
    assert pmcoord.on(laptop, "resume-all").returncode == 0
    assert down() == set()


@pytest.mark.parametrize("command", ["suspend", "resume"])
def test_an_unknown_guest_changes_nothing(pmcoord, laptop, command):
    result = pmcoord.on(laptop, command, "web", "nobody")
    assert result.returncode == 2
    assert "'nobody'" in one_sentence(result.stderr)
    states = {g["state"] for g in pmcoord.json(laptop, "list")["guests"]}
    assert states == {"running"}


def test_a_hung_guest_makes_it_degraded_and_is_named(pmcoord):
    scenario = pmcoord.shipped("laptop-hung-guest.sim")
    result = pmcoord.on(scenario, "suspend-all")
    assert result.returncode == 3
    report = pmcoord.json(scenario, "report")
    mail = next(g for g in report["guests"] if g["name"] == "mail")
    assert report["result"] == "degraded"
    assert mail["outcome"] == "paused"
    assert "10 s" in mail["detail"]
    assert "mail" in result.stdout


def test_a_host_that_refuses_to_sleep_is_exit_1_and_undone(pmcoord):
    scenario = pmcoord.shipped("laptop-no-s3.sim")
    result = pmcoord.on(scenario, "suspend-all")
    assert result.returncode == 1
    states = {g["state"] for g in pmcoord.json(scenario, "list")["guests"]}
    assert states == {"running"}
    assert pmcoord.json(scenario, "report")["result"] == "failed"


def test_the_sleep_unit_sleeps_without_a_daemon_too(pmcoord, laptop):
    assert pmcoord.on(laptop, "sleep-unit").returncode == 0
    report = pmcoord.json(laptop, "report")
    assert (report["trigger"], report["result"]) == ("sleep", "ok")
    assert set(pmcoord.states(laptop).values()) == {"running"}


def test_a_host_without_s3_is_exit_4_and_untouched(pmcoord):
    scenario = pmcoord.scenario("[Host]\nS3=no\n[Guest \"web\"]\n")
    result = pmcoord.on(scenario, "suspend-all")
    assert result.returncode == 4
    one_sentence(result.stderr)
    # A refused sleep leaves a report with its reason.
    report = pmcoord.json(scenario, "report")
    assert report["result"] == "failed" and report["slept_us"] is None and report["guests"] == []
    assert "offers no suspend to RAM" in report["detail"]


def test_a_guest_that_cannot_be_resumed_is_exit_6_and_named(pmcoord):
    scenario = pmcoord.scenario(
        "[Guest \"web\"]\nBehaviour=fails-to-resume\n[Guest \"mail\"]\n")
    result = pmcoord.on(scenario, "suspend-all")
    assert result.returncode == 6
    assert "web" in result.stdout + result.stderr
    states = {g["name"]: g["state"]
              for g in pmcoord.json(scenario, "list")["guests"]}
    assert states == {"web": "suspended", "mail": "running"}


def test_quiet_prints_nothing(pmcoord, laptop):
    result = pmcoord.on(laptop, "suspend-all", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_host_without_guests_just_sleeps(pmcoord):
    scenario = pmcoord.scenario("[Host]\nSleepTime=1s\n")
    report = pmcoord.json(scenario, "suspend-all")
    assert report["result"] == "ok" and report["guests"] == []
