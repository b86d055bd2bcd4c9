# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent in an HVM driver domain: devices of a device model beside the real card, whose interrupts Xen does not
restore after S3."""

import contextlib
import dataclasses
import json
import re

import pytest

from xenlab import Guest, LabError, Laptop, qemu

DRIVER_DOMAIN = Guest("netvm", kind="netvm", type="hvm", memory=384, pci=(qemu.NIC,))
LAPTOPS = 8  # if the emulation ends the HVM guest, the test continues with another copy

# A snapshot of a processor inside of an HVM guest could not be loaded, and a busy guest is nearly always inside.
COMPUTE = "systemd-run --quiet --unit=compute sh -c 'while :; do :; done & while :; do :; done'"

# The image configures the card by its name in a PV guest, which is another one here.
SET_UP = """set -e
link=$(basename /sys/bus/pci/drivers/e1000e/0*/net/*)
ip link add br0 type bridge
ip link set $link master br0 up
ip address add 10.0.2.15/24 dev br0
ip link set br0 up
echo $link
"""

LOOK = """
for f in /sys/bus/pci/devices/*; do echo $(basename $f) $(basename $(readlink $f/driver)); done
find /sys/fs/cgroup -name cgroup.freeze | xargs grep -l 1 | sed 's/^/frozen /'
{ ip -o link; ip -o -4 addr; ip route; } | sed -E 's/^[0-9]+: |qlen [0-9]+|<[^>]*>//g' | sort
"""


@contextlib.contextmanager
def with_card_in_hvm(payload):
    payload = dataclasses.replace(payload, netvm_setup=(*payload.netvm_setup, COMPUTE))
    with Laptop.fresh(payload, (DRIVER_DOMAIN,)) as laptop:
        laptop.guest("netvm", "systemctl stop compute")
        laptop.link = str(laptop.guest("netvm", SET_UP))
        laptop.create_guest(Guest("web", backend="netvm", ip="10.0.2.17"))
        laptop.wait_ping("web")
        yield laptop


def sleep_a_night(laptop: Laptop, before: str) -> None:
    laptop.sleep_and_wake()

    laptop.wait_ping("web", seconds=60)
    assert str(laptop.guest("netvm", LOOK)) == before
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    driver_domain = next(guest for guest in report["guests"] if guest["name"] == "netvm")
    assert report["result"] == "ok", report
    assert (driver_domain["mechanism"], driver_domain["outcome"]) == ("agent", "suspended"), report
    assert re.fullmatch(rf"0000:00:\S+ e1000e {laptop.link} ok [\d.]+ m?s", driver_domain["detail"]), report


def sleep_nights(laptop: Laptop, nights: int) -> int:
    """Returns the number of nights, less than `nights` only if the emulation has failed."""
    before = str(laptop.guest("netvm", LOOK))
    assert f"{laptop.link}" in before and "master br0" in before and "e1000e" in before
    for night in range(nights):
        try:
            sleep_a_night(laptop, before)
        except (AssertionError, LabError):
            if not laptop.has_faulted("netvm"):
                raise
            return night
    return nights


# Boots a laptop of its own, which alone takes five minutes.
@pytest.mark.timeout(1800)
@pytest.mark.long  # it boots a laptop of its own
@pytest.mark.parametrize("nights", [2, 20])
def test_the_card_survives_nights(payload, nights):
    slept = 0
    for _ in range(LAPTOPS):
        with with_card_in_hvm(payload) as laptop:
            slept += sleep_nights(laptop, nights - slept)
        if slept == nights:
            return
    pytest.fail(f"the emulation has failed {LAPTOPS} times; {slept} nights succeeded")
