# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that a test can assign to a guest or add to its copy of the laptop."""

from dataclasses import dataclass
from pathlib import Path

DISK_SIZE = 64 << 20
SLOTS = {f"slot{number}": f"00:{5 + number:02x}.0" for number in (1, 2, 3)}
"""The slots for PCI functions: QEMU's name, and the address of the root port that leads to it."""
AHCI, HDA = "00:09.0", "00:0a.0"  # in each laptop, assigned to no guest
CONTROLLER = "usb.0"  # the laptop's own USB controller


@dataclass(frozen=True)
class Device:
    """driver: of QEMU. usb: it belongs on the laptop's USB controller, else in a slot."""

    driver: str
    network: bool = False  # connected to a network of its own, in which only 10.0.2.2 answers
    usb: bool = False


PLUGGABLE = {
    "e1000": Device("e1000", network=True),
    "e1000e": Device("e1000e", network=True),
    "igb": Device("igb", network=True),  # in QEMU 8 and later
    "rtl8139": Device("rtl8139", network=True),
    "usb-net": Device("usb-net", network=True, usb=True),
    "usb-hub": Device("usb-hub", usb=True),
}
"""Devices that can be plugged in while the laptop runs, and be pulled out."""


def multipath(disk: Path) -> list[str]:
    """QEMU's arguments for an NVMe disk that several controllers can reach: Linux makes it a multipath device, which sysfs
    shows below none of them.

    QEMU cannot save or load a machine with an NVMe controller, nor add a disk to one later. So the disk's first
    controller, in slot 1, is removed before the snapshot is loaded, and another one is plugged in when the copy runs.
    """
    return [
        "-device", "nvme-subsys,id=nvme-subsystem,nqn=lab",
        "-device", "nvme,id=nvme-first,serial=lab,subsys=nvme-subsystem,bus=slot1",
        "-drive", f"file={disk},format=raw,if=none,id=nvme-disk,cache=unsafe",
        "-device", "nvme-ns,drive=nvme-disk,bus=nvme-first,nsid=1,shared=on",
    ]


def fixed(disk: Path) -> list[str]:
    """QEMU's arguments for devices whose parts cannot be plugged in later: a disk at AHCI, a sound card at HDA."""
    return [
        "-device", f"ich9-ahci,id=ahci,addr={AHCI[3:5]}",
        "-drive", f"file={disk},format=raw,if=none,id=ahci-disk,cache=unsafe", "-device", "ide-hd,drive=ahci-disk,bus=ahci.0",
        "-audiodev", "none,id=sound", "-device", f"intel-hda,addr={HDA[3:5]}", "-device", "hda-duplex,audiodev=sound",
    ]
