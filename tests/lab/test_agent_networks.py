# SPDX-License-Identifier: LGPL-2.1-or-later
"""The driver domain's network is set up by NetworkManager or by systemd-networkd."""

import json

import pytest

from test_sleep import wait_cycle_over
from xenlab import Laptop

NETWORK = "ip -o link show master br0 | sed -E 's/.*: ([a-z0-9.]+):.*/\\1/' | sort; ip -o -4 addr show br0"


@pytest.mark.parametrize("manager", ["NetworkManager", pytest.param("systemd-networkd", marks=pytest.mark.long)])
def test_the_network_works_after_the_sleep(laptop: Laptop, manager):
    laptop.guest("netvm", f"/usr/lib/lab/network {manager}", timeout=60)
    laptop.wait_ping("web", seconds=30)
    before = str(laptop.guest("netvm", NETWORK))
    assert "enp0s0" in before and "vif" in before and "10.0.2.15/24" in before

    laptop.sleep_and_wake()

    assert laptop.wait_ping("web", seconds=15) < 15
    wait_cycle_over(laptop)
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    netvm = next(guest for guest in report["guests"] if guest["name"] == "netvm")
    assert (report["result"], netvm["mechanism"], netvm["degraded"]) == ("ok", "agent", False), report
    assert str(laptop.guest("netvm", NETWORK)) == before
    assert str(laptop.guest("netvm", f"systemctl is-active {manager}")) == "active"
