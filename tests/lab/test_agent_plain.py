# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent in a guest without devices: it only runs hooks and freezes processes."""

import json
import re
import time

import pytest

from xenlab import Guest, Laptop

from test_failures import entry, listed

pytestmark = pytest.mark.long  # its guest boots Debian, which takes minutes

DESK = Guest("desk", kind="netvm", memory=256)
HOOK = "/etc/pmcoord/suspend.d/50-log"
# Counts while it is not frozen, in memory only.
COUNTER = "systemd-run -q --collect --unit=counter --slice=user.slice sh -c 'n=0; while :; do n=$((n+1)); echo $n > /run/count; sleep 0.05; done'"


@pytest.fixture(scope="module")
def laptop(payload):
    with Laptop.fresh(payload) as laptop:
        # A copy of netvm's disk, with the agent.
        laptop.guest("netvm", "sync; fsfreeze -f /")
        laptop.dom0("sync; cp --sparse=always /srv/lab/netvm.ext4 /srv/lab/desk.ext4")
        laptop.guest("netvm", "fsfreeze -u /")
        laptop.dom0("xl destroy vault")
        del laptop.guests["vault"]
        laptop.create_guest(DESK)
        # After the wake this sixth guest of two emulated processors needs seconds to start a program.
        laptop.guest("desk", "printf '[Agent]\\nHookTimeout=30s\\n' > /etc/pmcoord/agent.conf; systemctl start pmcoord-agent")
        yield laptop


def of_report(laptop: Laptop) -> dict:
    return entry(json.loads(str(laptop.dom0("pmcoord report --json"))), "desk")


def mechanism_and_agent(laptop: Laptop) -> tuple[str, str]:
    guest = listed(laptop, "desk")
    return guest["mechanism"], guest["agent"]


def test_a_guest_with_an_agent_is_requested_through_it(laptop):
    guest = listed(laptop, "desk")
    assert (guest["mechanism"], guest["role"], guest["needs"]) == ("agent", "guest", [])


def test_processes_are_frozen_and_hooks_run_over_a_sleep(laptop):
    laptop.guest("desk", f"mkdir -p $(dirname {HOOK}); printf '#!/bin/sh\\necho $1 frozen $(cat /sys/fs/cgroup/user.slice/cgroup.freeze) >> /run/hooks\\n' > {HOOK};"
                 f"chmod 755 {HOOK}; {COUNTER}")
    boot_id = laptop.boot_id("desk")

    laptop.sleep_and_wake()

    laptop.wait_ping("web", seconds=30)
    report = of_report(laptop)
    assert (report["mechanism"], report["outcome"], report["degraded"]) == ("agent", "suspended", False), report
    assert laptop.boot_id("desk") == boot_id
    assert str(laptop.guest("desk", "cat /run/hooks")).split("\n") == ["pre frozen 0", "post frozen 0"]
    quiesced = str(laptop.guest("desk", "journalctl -b -u pmcoord-agent -o cat --no-pager | grep quiesced | tail -n 1"))
    assert re.search(r"freezing \d", quiesced), quiesced
    laptop.guest("desk", "before=$(cat /run/count); for i in $(seq 50); do [ $(cat /run/count) = $before ] || exit 0; sleep 0.1; done; exit 1")


def test_without_the_agent_the_guest_is_suspended_too(laptop):
    laptop.guest("desk", "systemctl disable --now pmcoord-agent")

    status = laptop.dom0("pmcoord suspend-all --guests-only -q; status=$?; pmcoord resume-all -q; exit $status", check=False).status

    report = of_report(laptop)
    assert (status, report["mechanism"], report["outcome"], report["degraded"]) == (0, "xenstore", "suspended", False), report
    assert mechanism_and_agent(laptop) == ("xenstore", "none")
    laptop.guest("desk", "systemctl enable --now pmcoord-agent")
    assert mechanism_and_agent(laptop) == ("agent", "ready")


def test_a_guest_that_dies_while_its_agent_restores_is_named_at_once(laptop):
    # The control: without its death, the agent would be waited for.
    laptop.guest("desk", f"printf '#!/bin/sh\\n[ $1 = pre ] || sleep 20\\n' > {HOOK}; chmod 755 {HOOK}")
    laptop.dom0("pmcoord suspend-all --guests-only -q")

    job = laptop.dom0_start("pmcoord resume-all")
    laptop.dom0("until xl list desk | tail -n 1 | awk '{ print $5 }' | grep -q '^[rb-]*$'; do :; done; xl destroy desk")
    destroyed = time.monotonic()
    result = job.wait(60)

    assert time.monotonic() - destroyed < 8
    assert result.status == 3 and "desk" in result.stderr, result
    report = of_report(laptop)
    assert report["gone"] == "destroyed" and report["running_us"] is not None, report
    laptop.forget_guest("desk")
