# SPDX-License-Identifier: LGPL-2.1-or-later
"""check: its findings on simulated hosts, and its exit codes."""

import json

import pytest


def findings(pmcoord, scenario, **options):
    result = pmcoord.on(scenario, "check", "--json", **options)
    told = json.loads(result.stdout)
    assert set(told) >= {"ok", "findings"}
    for finding in told["findings"]:
        assert {"level", "subject", "message", "advice"} <= set(finding)
        assert finding["level"] in ("error", "warning", "info")
    assert told["ok"] is not any(finding["level"] == "error" for finding in told["findings"])
    return told["findings"], result.returncode


def test_a_laptop_without_problems_has_no_findings(pmcoord, laptop):
    assert findings(pmcoord, laptop) == ([], 0)
    assert pmcoord.on(laptop, "check").stdout == "No errors, no warnings.\n"


@pytest.mark.parametrize("text, level, subject, words, code", [
    ('[Guest "usbvm"]\nPCIFunctions=2\n', "warning", "usbvm", "0000:00:01.0, 0000:00:02.0", 0),
    ('[Guest "old"]\nFeatureSuspend=no\n', "warning", "old", "only pause", 0),
    ('[Guest "boots"]\nFeatureSuspend=unknown\n', "warning", "boots", "booting", 0),
    ('[Guest "held"]\nState=paused\n', "info", "held", "stays paused", 0),
    ('[Guest "win"]\nType=hvm\nPVDrivers=no\n', "warning", "win", "PV drivers", 0),
    ('[Guest "a"]\nNeeds=b\n[Guest "b"]\nNeeds=a\n', "warning", "order", "a", 0),
    ('[Host]\nS3=no\n[Guest "web"]\n', "error", "sleep", "S3", 1),
])
def test_each_risk_is_reported_with_its_subject(pmcoord, text, level, subject, words, code):
    found, returncode = findings(pmcoord, pmcoord.scenario(text))
    assert [(finding["level"], finding["subject"]) for finding in found] == [(level, subject)]
    assert words in found[0]["message"]
    assert returncode == code


def test_an_agent_that_resumed_degraded_is_a_risk(pmcoord):
    scenario = pmcoord.scenario('[Guest "netvm"]\nAgent=yes\nPCIFunctions=1\nBehaviour=comes-back-degraded\n')
    assert pmcoord.on(scenario, "suspend-all").returncode == 3
    found, returncode = findings(pmcoord, scenario)
    assert ("warning", "netvm") in [(finding["level"], finding["subject"]) for finding in found]
    assert ("info", "cycles") in [(finding["level"], finding["subject"]) for finding in found]
    assert returncode == 0


def test_a_guest_that_never_answers_is_named_and_not_waited_for(pmcoord):
    scenario = pmcoord.scenario('[Guest "mirage"]\nBehaviour=ignores-requests\n[Guest "web"]\n')
    waited = []
    for _ in range(4):
        found, _ = findings(pmcoord, scenario)
        assert "mirage" not in [finding["subject"] for finding in found] or len(waited) == 3
        report = json.loads(pmcoord.on(scenario, "suspend-all", "--json").stdout)
        mirage = {guest["name"]: guest for guest in report["guests"]}["mirage"]
        assert mirage["outcome"] == "paused" and mirage["mechanism"] == "xenstore"
        waited.append((mirage["down_us"] - mirage["requested_us"]) // 1_000_000)
    assert waited == [10, 10, 10, 2]
    found, returncode = findings(pmcoord, scenario)
    assert ["did not suspend in 4 of the last 4 cycles" in finding["message"]
            for finding in found if finding["subject"] == "mirage"] == [True]
    assert returncode == 0


def test_a_broken_configuration_is_exit_2_and_the_rest_is_still_checked(pmcoord, tmp_path):
    scenario = pmcoord.scenario('[Guest "old"]\nFeatureSuspend=no\n')
    config = tmp_path / "bad.conf"
    config.write_text("[Coordinator]\nDeadline=soon\nOnDeadline=maybe\n")
    found, returncode = findings(pmcoord, scenario, config=config)
    told = [finding["message"] for finding in found if finding["subject"] == "configuration"]
    assert [message.split(": ")[0].rpartition("/")[2] for message in told] == ["bad.conf:2", "bad.conf:3"]
    assert "old" in [finding["subject"] for finding in found]
    assert returncode == 2


def test_sections_that_match_no_guest_are_named_by_file_and_line(pmcoord, laptop, tmp_path):
    config = tmp_path / "typo.conf"
    config.write_text('[Guest "web"]\nSuspendBefore=stroe\n\n[Guest "valut"]\nPolicy=ignore\n[Coordinator]\nColour=blue\n')
    found, returncode = findings(pmcoord, laptop, config=config)
    messages = [finding["message"] for finding in found]
    assert any("typo.conf:7" in message and "Colour" in message for message in messages)
    assert any("typo.conf:2" in message and "'stroe'" in message for message in messages)
    assert any("typo.conf:5" in message and '"valut"' in message for message in messages)
    assert returncode == 0


def test_guests_that_are_kept_suspended_are_reported(pmcoord, laptop):
    pmcoord.on(laptop, "suspend", "web")
    found, _ = findings(pmcoord, laptop)
    assert [(finding["subject"], finding["advice"]) for finding in found] == [("web", "pmcoord resume-all")]


def test_an_interrupted_cycle_is_an_error(pmcoord, laptop):
    """A journal without an end, and no process that holds the lock."""
    pmcoord.on(laptop, "suspend", "web")
    journal = pmcoord.journals(laptop) / "1"
    journal.write_text("".join(line for line in journal.read_text().splitlines(True) if " held" not in line))
    found, returncode = findings(pmcoord, laptop)
    assert ("error", "cycles") in [(finding["level"], finding["subject"]) for finding in found]
    assert returncode == 1
    assert pmcoord.on(laptop, "status").returncode == 6
    assert pmcoord.on(laptop, "resume-all").returncode in (0, 3)
    assert findings(pmcoord, laptop)[1] == 0


def test_check_changes_nothing(pmcoord, laptop):
    before = pmcoord.json(laptop, "list")
    pmcoord.on(laptop, "check")
    assert pmcoord.json(laptop, "list") == before


def test_quiet_omits_findings_of_level_info(pmcoord):
    scenario = pmcoord.scenario('[Guest "held"]\nState=paused\n')
    assert "info: held" in pmcoord.on(scenario, "check").stdout
    assert "held" not in pmcoord.on(scenario, "check", "-q").stdout


def test_without_xen_the_host_is_checked_and_the_exit_is_4(pmcoord):
    """These tests run on a machine without Xen."""
    result = pmcoord.run("check", "--json")
    told = json.loads(result.stdout)
    assert result.returncode == 4 and told["ok"] is False
    assert "Xen" in [finding["subject"] for finding in told["findings"]]
    assert result.stderr == ""


def test_a_missing_scenario_is_exit_2(pmcoord, tmp_path):
    assert pmcoord.on(tmp_path / "none.sim", "check").returncode == 2
