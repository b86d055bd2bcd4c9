# SPDX-License-Identifier: LGPL-2.1-or-later
"""cycle and bench: series of cycles, their statistics, and the host unchanged afterwards."""

import json

import pytest

SUMMARY = {"avg", "min", "median", "max"}


def test_cycle_as_json(pmcoord, laptop):
    result = pmcoord.on(laptop, "cycle", "-n", "3", "--json")
    assert result.returncode == 0
    figures = json.loads(result.stdout)
    assert (figures["wanted"], figures["cycles"]) == (3, 3)
    assert figures["results"] == {"ok": 3, "degraded": 0, "failed": 0}
    assert set(figures["suspend_us"]) == set(figures["resume_us"]) == SUMMARY
    guests = {guest["name"]: guest for guest in figures["guests"]}
    assert set(guests) == {"netvm", "fw", "web", "mail", "vault"}
    for guest in guests.values():
        assert guest["outcomes"] == {"suspended": 3}
        assert set(guest["suspend_us"]) == set(guest["resume_us"]) == SUMMARY
    assert set(guests["netvm"]["ready_us"]) == SUMMARY
    assert guests["web"]["ready_us"] is None
    # The whole cycle takes longer than any single guest.
    assert figures["suspend_us"]["min"] > guests["netvm"]["suspend_us"]["max"]


def test_cycle_leaves_a_report_of_each_and_all_guests_running(pmcoord, laptop):
    result = pmcoord.on(laptop, "cycle", "--count", "2")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("1 of 2: cycle 1 ok, suspended in ")
    assert lines[1].startswith("2 of 2: cycle 2 ok, suspended in ")
    assert set(pmcoord.states(laptop).values()) == {"running"}
    report = pmcoord.json(laptop, "report")
    assert report["cycle"] == 2 and report["trigger"] == "cycle"
    assert report["held"] is False and report["slept_us"] is None
    assert "sleep" not in [phase["name"] for phase in report["phases"]]


def test_cycle_with_sleep(pmcoord, laptop):
    assert pmcoord.on(laptop, "cycle", "-n", "1", "--sleep").returncode == 0
    report = pmcoord.json(laptop, "report")
    assert report["trigger"] == "cycle" and report["slept_us"] > 0


def test_cycle_without_s3_is_exit_4_and_untouched(pmcoord):
    scenario = pmcoord.scenario("[Host]\nS3=no\n[Guest \"web\"]\n")
    assert pmcoord.on(scenario, "cycle", "--sleep").returncode == 4
    # A refused sleep leaves a report with its reason.
    report = pmcoord.json(scenario, "report")
    assert report["result"] == "failed" and report["slept_us"] is None and report["guests"] == []
    assert "offers no suspend to RAM" in report["detail"]
    assert pmcoord.on(scenario, "cycle", "-n", "1").returncode == 0


@pytest.mark.parametrize("behaviour, code, result", [
    ("ignores-requests", 3, "degraded"),
    ("comes-back-degraded", 3, "degraded"),
])
def test_the_exit_code_is_the_worst_of_the_cycles(pmcoord, behaviour, code,
                                                  result):
    scenario = pmcoord.scenario(
        f"[Guest \"web\"]\nAgent=yes\nBehaviour={behaviour}\n"
        "[Guest \"mail\"]\n")
    run = pmcoord.on(scenario, "cycle", "-n", "2", "--json")
    assert run.returncode == code
    assert json.loads(run.stdout)["results"][result] == 2
    assert set(pmcoord.states(scenario).values()) == {"running"}


def test_a_failed_sleep_is_exit_1_and_the_others_still_run(pmcoord):
    scenario = pmcoord.shipped("laptop-no-s3.sim")
    run = pmcoord.on(scenario, "cycle", "-n", "2", "--sleep", "--json")
    assert run.returncode == 1
    assert json.loads(run.stdout)["results"]["failed"] == 2
    assert set(pmcoord.states(scenario).values()) == {"running"}


def test_a_stranded_guest_ends_the_series(pmcoord):
    scenario = pmcoord.scenario(
        "[Guest \"web\"]\nBehaviour=fails-to-resume\n[Guest \"mail\"]\n")
    run = pmcoord.on(scenario, "cycle", "-n", "5", "--json")
    assert run.returncode == 6
    assert json.loads(run.stdout)["cycles"] == 1


@pytest.mark.parametrize("command", ["cycle", "bench"])
def test_without_guests_there_is_nothing_to_do(pmcoord, command):
    scenario = pmcoord.scenario("[Host]\n")
    run = pmcoord.on(scenario, command)
    assert run.returncode == 0
    assert "nothing to" in run.stdout


def test_bench_as_json(pmcoord):
    scenario = pmcoord.shipped("windows.sim")
    run = pmcoord.on(scenario, "bench", "-n", "4", "--json")
    assert run.returncode == 0
    figures = json.loads(run.stdout)
    rows = {row["mechanism"]: row for row in figures["mechanisms"]}
    assert set(rows) == {"xenstore", "hvm"}
    for row in list(rows.values()) + figures["guests"]:
        assert row["samples"] == 4
        assert set(row["down_us"]) == set(row["running_us"]) == SUMMARY
    assert set(pmcoord.states(scenario).values()) == {"running"}


def test_bench_measures_each_guest_equally_often_and_keeps_no_report(pmcoord,
                                                                laptop):
    run = pmcoord.on(laptop, "bench", "-n", "2", "--json")
    figures = json.loads(run.stdout)
    assert {g["name"] for g in figures["guests"]} == {
        "netvm", "fw", "web", "mail", "vault"}
    assert {g["samples"] for g in figures["guests"]} == {2}
    rows = {row["mechanism"]: row for row in figures["mechanisms"]}
    assert rows["agent"]["guests"] == 1 and rows["xenstore"]["guests"] == 4
    assert rows["xenstore"]["samples"] == 8
    assert pmcoord.on(laptop, "report").returncode == 1


def test_bench_pauses_no_guest(pmcoord, laptop, tmp_path):
    config = tmp_path / "pause.conf"
    config.write_text("[Guest \"mail\"]\nPolicy=pause\n")
    run = pmcoord.on(laptop, "bench", "-n", "1", "--json", config=config)
    names = {g["name"] for g in json.loads(run.stdout)["guests"]}
    # Measuring fw or netvm would suspend mail, too.
    assert run.returncode == 0 and names == {"web", "vault"}


@pytest.mark.parametrize("arguments", [
    ("cycle", "-n", "0"), ("cycle", "-n", "many"), ("list", "-n", "3"),
    ("bench", "--sleep"), ("cycle", "-n", "100001"), ("cycle", "web"),
])
def test_wrong_usage_is_exit_2(pmcoord, arguments):
    run = pmcoord.run(*arguments)
    assert run.returncode == 2
    assert run.stderr.startswith("pmcoord: ") and run.stdout == ""
