# SPDX-License-Identifier: LGPL-2.1-or-later
"""cycle and bench on Xen: figures, an interrupt, the real-time clock's alarm."""

import json
import signal

import pytest

from xenlab.laptop import GATEWAY

GUESTS = ("netvm", "fw", "web", "mail", "vault")


def states(laptop):
    lines = str(laptop.dom0("xl list | tail -n +3")).splitlines()
    return {line.split()[0]: line.split()[4].replace("-", "") for line in lines}


def assert_all_run(laptop):
    """All are running or blocked: not shut down (s), not paused (p)."""
    found = states(laptop)
    assert set(found) == set(GUESTS)
    assert not {name: state for name, state in found.items() if set(state) & set("sp")}
    assert str(laptop.dom0("ls /run/pmcoord/cycles 2>/dev/null | wc -l")) == "0"


def test_cycles_have_figures_and_leave_all_guests_running(laptop):
    boots = {name: laptop.boot_id(name) for name in GUESTS}
    figures = json.loads(str(laptop.dom0("pmcoord cycle -n 3 --json")))
    assert figures["results"] == {"ok": 3, "degraded": 0, "failed": 0}
    guests = {guest["name"]: guest for guest in figures["guests"]}
    assert set(guests) == set(GUESTS)
    assert guests["netvm"]["mechanism"] == "agent" and guests["netvm"]["ready_us"]["min"] > 0
    for guest in guests.values():
        assert 0 < guest["suspend_us"]["min"] <= guest["suspend_us"]["median"] <= guest["suspend_us"]["max"]
    assert_all_run(laptop)
    assert {name: laptop.boot_id(name) for name in GUESTS} == boots
    assert laptop.wait_ping("web", GATEWAY, 10)


@pytest.mark.long
def test_an_interrupt_undoes_the_cycle_and_ends_the_series(laptop):
    job = laptop.dom0_start("exec pmcoord cycle -n 1000")
    job.wait_output(r"2 of 1000: cycle \d+ ok")
    job.signal(signal.SIGINT)
    result = job.wait(60)
    assert result.status == 1
    assert "interrupted after" in result.stderr
    assert_all_run(laptop)


def test_bench_measures_each_guest_and_keeps_no_report(laptop):
    figures = json.loads(str(laptop.dom0("pmcoord bench -n 2 --json", timeout=120)))
    rows = {row["mechanism"]: row for row in figures["mechanisms"]}
    assert set(rows) == {"agent", "xenstore"}
    assert {guest["samples"] for guest in figures["guests"]} == {2}
    assert rows["xenstore"]["samples"] == 8
    assert 0 < rows["xenstore"]["down_us"]["median"] < 1000000
    assert_all_run(laptop)
    assert laptop.dom0("pmcoord report", check=False).status != 0


def clock_register(laptop, index):
    """A register of the real-time clock, read also while the machine sleeps."""
    laptop.monitor(f"o /b 0x70 {index:#x}")
    return int(laptop.monitor("i /b 0x71").split("=")[1], 16)


ALARM_ENABLED = 0x20  # in register B


def test_a_cycle_with_sleep_sets_the_clocks_alarm(laptop):
    """The emulated clock stops in S3, so the test wakes the machine."""
    assert not clock_register(laptop, 0x0B) & ALARM_ENABLED
    job = laptop.dom0_start("exec pmcoord cycle -n 1 --sleep --json")
    laptop.wait_suspended()
    assert clock_register(laptop, 0x0B) & ALARM_ENABLED
    laptop.wake()
    result = job.wait(90)
    assert result.status == 0, result.stderr
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert report["trigger"] == "cycle" and report["result"] == "ok"
    assert report["slept_us"] is not None
    assert_all_run(laptop)
    assert str(laptop.dom0("cat /sys/class/rtc/rtc0/wakealarm")) == ""


@pytest.mark.long
@pytest.mark.parametrize("set_up, sentence", [
    ("echo +3600 > /sys/class/rtc/rtc0/wakealarm", "already set"),
    ("mount --bind /run /sys/class/rtc", "without --sleep"),
])
def test_a_cycle_with_sleep_refuses_without_an_alarm_of_its_own(laptop, set_up, sentence):
    laptop.dom0(set_up)
    result = laptop.dom0("pmcoord cycle --sleep", check=False)
    assert result.status == 4
    assert sentence in result.stderr
    assert_all_run(laptop)
