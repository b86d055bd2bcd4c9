# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon or sleep unit that dies while systemd is about to sleep strands no guest, and no guest runs during S3."""

import json
import time

import pytest

from xenlab import Laptop

GUESTS = ("netvm", "fw", "web", "mail", "vault")

# systemd-sleep runs this right before it writes to /sys/power/state, and right after.
HOOK = b"""#!/bin/sh
if [ "$1" = pre ]; then
    sh /run/lab/last-moment
    sleep 3  # a restarted daemon could resume guests too early now
else
    cut -d ' ' -f 1 /proc/uptime > /run/lab/woken
fi
"""

KILL_DAEMON = "systemctl kill -s KILL --kill-who=main pmcoord"
KILL_UNIT = "systemctl kill -s KILL --kill-who=main pmcoord-sleep"


def states(laptop: Laptop) -> dict[str, str]:
    return {guest["name"]: guest["state"] for guest in json.loads(str(laptop.dom0("pmcoord list --json")))["guests"]}


def wait_running(laptop: Laptop) -> None:
    deadline = time.monotonic() + 30
    while set(states(laptop).values()) != {"running"}:
        assert time.monotonic() < deadline, states(laptop)


@pytest.mark.parametrize("set_up, death", [
    ("true", KILL_DAEMON),
    pytest.param("true", KILL_UNIT, marks=pytest.mark.long),
    pytest.param("true", f"{KILL_DAEMON}; {KILL_UNIT}", marks=pytest.mark.long),
    pytest.param("systemctl stop pmcoord", KILL_UNIT, marks=pytest.mark.long),
], ids=["daemon", "unit", "both", "unit-without-daemon"])
def test_guests_stay_suspended_until_the_wake_and_are_resumed_at_once(laptop, set_up, death):
    laptop.dom0(set_up)
    laptop.put("/run/lab/last-moment", death.encode())
    laptop.put("/usr/lib/systemd/system-sleep/last-moment", HOOK, mode="755")
    boots = {guest: laptop.boot_id(guest) for guest in GUESTS}
    with laptop.observe() as seen:
        laptop.close_lid()
        laptop.wait_suspended()
        laptop.wake()
        laptop.wait_awake()
        wait_running(laptop)
        time.sleep(1)
    woken = float(str(laptop.dom0("cat /run/lab/woken"))) * 1e6
    # The longest gap between two samples is S3.
    asleep = max(seen.blind_us)
    for guest in GUESTS:
        down = seen.first(guest, "shutdown:suspend").time_us
        back = next(t.time_us for t in seen.of(guest) if t.time_us > down and t.state == "running")
        assert back - down > asleep + 2_500_000, f"{guest} ran before the wake"
        assert back < woken + 2_000_000, f"{guest} was resumed too late"
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert report["slept_us"] is not None
    assert {guest: laptop.boot_id(guest) for guest in GUESTS} == boots
    laptop.wait_ping("web", seconds=15)


@pytest.mark.parametrize("target", [*(pytest.param(target, marks=pytest.mark.long) for target in ("hibernate", "suspend-then-hibernate")),
                                    "hybrid-sleep"])
def test_hibernation_is_refused_before_any_guest_is_requested(laptop, target):
    before = str(laptop.dom0("xl list | awk '{ print $1, $2 }'"))
    refused = laptop.dom0(f"systemctl start {target}.target", check=False, timeout=90)
    assert refused.status != 0
    log = str(laptop.dom0("journalctl -b -u pmcoord -u pmcoord-sleep -o cat"))
    assert f"systemd-{target}.service was requested, but a Xen host cannot hibernate" in log
    assert not laptop.is_suspended()
    assert set(states(laptop).values()) == {"running"}
    assert str(laptop.dom0("xl list | awk '{ print $1, $2 }'")) == before
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert report["result"] == "failed" and "cannot hibernate" in report["detail"], report
    assert all(guest["requested_us"] is None for guest in report["guests"]), report


def test_an_upgrade_while_guests_are_kept_suspended_strands_no_guest(laptop):
    laptop.dom0("pmcoord suspend-all --guests-only")
    for how in ("restart pmcoord", "kill -s KILL pmcoord", "daemon-reexec"):
        laptop.dom0(f"systemctl {how}; sleep 1; timeout 20 sh -c 'until systemctl is-active -q pmcoord; do sleep 0.1; done'", timeout=40)
        assert set(states(laptop).values()) == {"suspended"}, how
    laptop.dom0("pmcoord resume-all")
    assert set(states(laptop).values()) == {"running"}
    laptop.wait_ping("web", seconds=15)


def test_a_sleep_that_might_not_be_s3_is_refused(laptop):
    laptop.dom0("mkdir -p /etc/systemd/sleep.conf.d; printf '[Sleep]\\nSuspendState=freeze\\n' > /etc/systemd/sleep.conf.d/~~admin.conf")
    assert laptop.dom0("systemctl start suspend.target", check=False, timeout=90).status != 0
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert report["result"] == "failed" and "~~admin.conf" in report["detail"], report
    assert all(guest["requested_us"] is None for guest in report["guests"]), report
    assert "PM: suspend entry" not in str(laptop.dom0("dmesg"))
    # The control: with an earlier drop-in of the same text the host sleeps in S3.
    laptop.dom0("mv /etc/systemd/sleep.conf.d/~~admin.conf /etc/systemd/sleep.conf.d/admin.conf")
    laptop.sleep_and_wake()
    laptop.dom0("flock /run/pmcoord/lock true", timeout=90)
    assert json.loads(str(laptop.dom0("pmcoord report --json")))["result"] == "ok"
    assert "s2idle" not in str(laptop.dom0("dmesg"))
