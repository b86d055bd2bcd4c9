# SPDX-License-Identifier: LGPL-2.1-or-later
"""check, status and monitor on the real hypervisor, systemd and guests."""

import json
import re
import signal

import pytest

from test_sleep import GUESTS, wait_cycle_over
from xenlab import RELEASE, Laptop


@pytest.fixture(scope="module")
def laptop(payload):
    """Shared by all tests: each restores it."""
    with Laptop.fresh(payload) as laptop:
        yield laptop


def findings(laptop, status: int = 0) -> list[dict]:
    result = laptop.dom0("pmcoord check --json", check=False)
    assert result.status == status, result
    told = json.loads(str(result))
    assert told["ok"] is (status == 0)
    return told["findings"]


def found(told: list[dict], level: str) -> set[str]:
    return {finding["subject"] for finding in told if finding["level"] == level}


def test_a_configured_laptop_has_no_findings_and_is_not_changed(laptop):
    # A guest's state may change between running, blocked and runnable.
    snapshot = "xl list | awk '{ gsub(/[rb-]/, \"\", $5); print $1, $2, $5 }'; xenstore-ls -f /local/domain | grep -E 'pmcoord|control/shutdown'"
    before = laptop.dom0(snapshot).stdout
    told = findings(laptop)
    assert found(told, "error") == set() and found(told, "warning") == set(), told
    # Since Xen 4.20, a guest's xl process outlives a suspend.
    assert [RELEASE.xen in finding["message"] for finding in told if finding["subject"] == "Xen"] == [True] * (RELEASE.xen == "4.17")
    assert laptop.dom0(snapshot).stdout == before


@pytest.mark.long
def test_what_is_not_configured_is_reported_with_advice(laptop):
    laptop.guest("netvm", "systemctl stop pmcoord-agent")
    laptop.dom0("systemctl disable pmcoord-sleep.service && systemctl mask suspend.target && xl pause mail")
    told = findings(laptop, status=1)
    assert found(told, "error") == {"pmcoord-sleep.service", "suspend.target"}
    netvm = next(finding for finding in told if finding["subject"] == "netvm")
    assert netvm["level"] == "warning" and "(Ethernet)" in netvm["message"] and "pmcoord-agent" in netvm["advice"]
    assert "mail" in found(told, "info")
    unit = next(finding for finding in told if finding["subject"] == "pmcoord-sleep.service")
    laptop.dom0("systemctl unmask suspend.target; xl unpause mail; " + unit["advice"])
    laptop.guest("netvm", "systemctl start pmcoord-agent")
    told = findings(laptop)
    assert found(told, "error") == set() and found(told, "warning") == set(), told


def test_only_root_can_read_guests(laptop):
    result = laptop.dom0("setpriv --reuid=nobody --clear-groups pmcoord check", check=False)
    assert result.status == 4 and "root" in result.stdout, result


def test_monitor_and_status_follow_the_lid(laptop):
    monitor = laptop.dom0_start("pmcoord monitor")
    laptop.dom0("pmcoord status | grep idle")
    laptop.close_lid()
    laptop.wait_suspended()
    laptop.wake()
    laptop.wait_awake()
    wait_cycle_over(laptop)
    monitor.wait_output(" ended: ", 60)
    monitor.signal(signal.SIGINT)
    ended = monitor.wait(20)
    seen = ended.stdout
    assert ended.status == 0
    for guest in GUESTS:
        assert f"{guest:16} suspended" in seen and f"{guest:16} running" in seen, seen
    assert seen.index("fw               suspended") < seen.index("netvm            suspended")
    assert re.search(r"^Cycle \d+ started: sleep\.$", seen, re.M) and "host awake" in seen
    status = json.loads(str(laptop.dom0("pmcoord status --json")))
    assert status["state"] == "idle" and status["last"]["result"] == "ok"
    assert status["last"]["trigger"] == "sleep"
