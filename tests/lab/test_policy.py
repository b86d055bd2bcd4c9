# SPDX-License-Identifier: LGPL-2.1-or-later
"""What aborts a sleep and what does not: lid, inhibitors, battery."""

import json
import time

GUESTS = ("netvm", "fw", "web", "mail", "vault")
LID_WAS_OPENED = "the lid was opened"


def wait_in_dom0(laptop, condition):
    laptop.dom0(f"timeout 60 bash -c 'until {condition}; do sleep 0.05; done'", timeout=90)


def wait_cycle_over(laptop):
    laptop.dom0("flock /run/pmcoord/lock true", timeout=120)
    laptop.dom0("timeout 60 bash -c 'while systemctl -q is-active pmcoord-sleep sleep.target; do sleep 0.1; done'", timeout=90)


def last_report(laptop):
    return json.loads(str(laptop.dom0("pmcoord report --json")))


def assert_all_is_well(laptop):
    assert not laptop.is_suspended()
    assert str(laptop.dom0("ls /run/pmcoord/cycles")) == ""
    before = {guest: laptop.heartbeat(guest) for guest in GUESTS}
    time.sleep(1)
    for guest in GUESTS:
        assert laptop.heartbeat(guest) > before[guest], f"{guest} does not run"
    laptop.wait_ping("web")


def test_a_lid_opened_while_guests_suspend_aborts_the_cycle(laptop):
    laptop.guest("netvm", "mkdir -p /etc/pmcoord/suspend.d; cd /etc/pmcoord/suspend.d; "
                          "printf '#!/bin/sh\\n[ $1 = post ] || sleep 4\\n' > 10-slow; chmod +x 10-slow")
    laptop.close_lid()
    wait_in_dom0(laptop, "grep -qs \" down \" /run/pmcoord/cycles/*")
    laptop.open_lid()
    wait_cycle_over(laptop)
    report = last_report(laptop)
    assert (report["result"], report["detail"], report["trigger"]) == ("failed", LID_WAS_OPENED, "sleep")
    assert report["slept_us"] is None
    outcomes = {entry["name"]: entry["outcome"] for entry in report["guests"]}
    assert "suspended" in outcomes.values()
    assert outcomes["netvm"] == "skipped"
    assert_all_is_well(laptop)
    assert LID_WAS_OPENED in str(laptop.dom0("journalctl -u pmcoord-sleep -o cat"))


def test_a_lid_opened_when_systemd_is_about_to_sleep(laptop):
    laptop.dom0("mkdir -p /usr/lib/systemd/system-sleep && cd /usr/lib/systemd/system-sleep && "
                "printf '#!/bin/sh\\n[ $1 = post ] || { touch /run/about-to-sleep; sleep 20; }\\n' > slow && chmod +x slow")
    laptop.close_lid()
    wait_in_dom0(laptop, "test -e /run/about-to-sleep")
    laptop.open_lid()
    wait_cycle_over(laptop)
    report = last_report(laptop)
    assert {entry["outcome"] for entry in report["guests"]} == {"suspended"}
    assert (report["result"], report["detail"]) == ("failed", LID_WAS_OPENED)
    assert report["slept_us"] is None
    assert_all_is_well(laptop)


def block_sleep_in_netvm(laptop):
    """Writes logind's state file of `systemd-inhibit --mode=block`."""
    laptop.guest("netvm", "mkdir -p /run/systemd/inhibit; "
                          "printf 'WHAT=sleep\\nMODE=block\\nWHO=rsync\\nWHY=nightly backup\\n' > /run/systemd/inhibit/lab")


def configure(laptop, *lines):
    laptop.put("/etc/pmcoord/pmcoord.conf.d/lab.conf", "\n".join(("[Coordinator]", *lines, "")).encode())


def test_an_inhibitor_in_a_guest_counts_as_configured(laptop):
    block_sleep_in_netvm(laptop)
    configure(laptop, "OnFailure=abort")
    result = laptop.dom0("pmcoord suspend-all --guests-only", timeout=90, check=False)
    assert result.status == 1
    assert "'rsync' blocks sleep in this guest: nightly backup" in result.stderr
    assert_all_is_well(laptop)
    configure(laptop, "OnFailure=abort", "HonourInhibitors=no")
    laptop.dom0("pmcoord suspend-all --guests-only", timeout=90)
    laptop.dom0("pmcoord resume-all", timeout=90)
    assert_all_is_well(laptop)


def test_low_battery_is_not_vetoed(laptop):
    block_sleep_in_netvm(laptop)
    configure(laptop, "OnFailure=abort")
    laptop.dom0("mount -t tmpfs none /sys/class/power_supply && cd /sys/class/power_supply && mkdir BAT0 && cd BAT0 && "
                "echo Battery > type && echo Discharging > status && echo 4 > capacity")
    laptop.close_lid()
    laptop.wait_suspended()
    laptop.wake()
    laptop.wait_awake()
    wait_cycle_over(laptop)
    report = last_report(laptop)
    assert (report["result"], report["detail"]) == ("ok", "low battery: settings that keep the host awake were ignored")
    assert report["slept_us"] > 0
    assert_all_is_well(laptop)
