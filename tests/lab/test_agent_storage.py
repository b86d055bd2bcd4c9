# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver domain keeps the controller of a disk in use.

The disk is an NVMe one with native multipath: sysfs shows it below /sys/devices/virtual, and not below the PCI function
that leads to it.
"""

import json

import pytest

from test_sleep import wait_cycle_over
from xenlab import Laptop

DISK = "/dev/nvme0n1"
MOUNT = "/srv/disk"
FILE = f"{MOUNT}/file"
IN_USE = f"nvme0n1 mounted on {MOUNT}"

FILL = f"""
udevadm wait --timeout=60 {DISK} && mkfs.ext4 -q {DISK} && mkdir -p {MOUNT} && mount {DISK} {MOUNT} &&
head -c 4000000 /dev/urandom > {FILE} && sync && sha256sum < {FILE}
"""
# Reads the disk, not the page cache.
READ = f"sync; echo 3 > /proc/sys/vm/drop_caches; sha256sum < {FILE}"
FUNCTION = "basename $(readlink -f /sys/class/nvme/nvme0/device)"


@pytest.fixture(scope="module")
def laptop(payload):
    with Laptop.fresh(payload, nvme=True) as laptop:
        laptop.dom0("xl destroy vault")
        del laptop.guests["vault"]
        laptop.dom0(f"xl pci-attach netvm 0000:{laptop.nvme}")
        yield laptop


def planned(laptop: Laptop) -> tuple[str, bool, str]:
    """The agent's decision about the controller: action, risk, reason."""
    devices = json.loads(str(laptop.guest("netvm", "pmcoord-agent --dry-run --json")))["devices"]
    device = next(device for device in devices if device["driver"] == "nvme")
    return device["action"], device["risk"], device["reason"]


def test_a_file_on_a_multipath_disk_survives_the_sleep(laptop):
    laptop.guest("netvm", f"udevadm wait --timeout=60 {DISK}")
    place = str(laptop.guest("netvm", "readlink -f /sys/class/block/nvme0n1"))
    assert place.startswith("/sys/devices/virtual/nvme-subsystem/"), "the kernel has not made it a multipath device"
    assert planned(laptop) == ("unbind", False, "")

    before = str(laptop.guest("netvm", FILL))

    assert planned(laptop) == ("keep", True, IN_USE)
    kept = f"{laptop.guest('netvm', FUNCTION)} nvme kept: {IN_USE}"
    # The agent publishes the devices it would keep when it starts and after each cycle.
    laptop.guest("netvm", "systemctl restart pmcoord-agent")
    findings = json.loads(str(laptop.dom0("pmcoord check --json", check=False)))["findings"]
    assert [f for f in findings if (f["subject"], f["level"]) == ("netvm", "warning") and kept in f["message"]], findings

    laptop.sleep_and_wake()

    wait_cycle_over(laptop)
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    netvm = next(guest for guest in report["guests"] if guest["name"] == "netvm")
    assert (netvm["outcome"], netvm["mechanism"]) == ("suspended", "agent") and kept in netvm["detail"], netvm
    assert str(laptop.guest("netvm", READ)) == before
    laptop.guest("netvm", f"echo more >> {FILE} && sync {FILE}")


@pytest.mark.long
def test_with_its_controller_unbound_the_same_file_cannot_be_read(laptop):
    """The control: the test above detects an unbound controller."""
    laptop.guest("netvm", READ)
    laptop.guest("netvm", f"cd /sys/bus/pci/drivers/nvme && f=$({FUNCTION}) && echo $f > unbind && echo $f > bind")

    result = laptop.guest("netvm", READ, check=False)

    assert result.status != 0 and "Input/output error" in result.stderr, result
