# SPDX-License-Identifier: LGPL-2.1-or-later
"""The devices that a test can add to its laptop, and the network managers that its driver domain can run."""

import pytest

from xenlab import LabError, Laptop, devices

FUNCTIONS = {"e1000": "e1000", "rtl8139": "8139cp"}


def wait_driver(laptop: Laptop, driver: str) -> None:
    laptop.guest("netvm", f"timeout 60 sh -c 'until ls -d /sys/bus/pci/drivers/{driver}/0000:*; do sleep 0.2; done'")


@pytest.mark.long
@pytest.mark.parametrize("name, driver", FUNCTIONS.items())
def test_functions_are_plugged_in_assigned_and_pulled_out(bare_laptop, name, driver):
    """One in each laptop: xl cannot attach another one after the first has vanished."""
    address = bare_laptop.plug(name)
    bare_laptop.dom0(f"xl pci-attach netvm {address}")
    wait_driver(bare_laptop, driver)
    bare_laptop.pull(name)
    bare_laptop.dom0(f"timeout 60 sh -c 'while [ -e /sys/bus/pci/devices/0000:{address} ]; do sleep 0.2; done'")


@pytest.mark.long
def test_a_function_can_be_pulled_out_while_the_machine_sleeps(bare_laptop):
    address = bare_laptop.plug("rtl8139")
    bare_laptop.close_lid()
    bare_laptop.wait_suspended()
    bare_laptop.pull("rtl8139")
    bare_laptop.wake()
    bare_laptop.wait_awake()
    bare_laptop.dom0(f"timeout 60 sh -c 'while [ -e /sys/bus/pci/devices/0000:{address} ]; do sleep 0.2; done'")


@pytest.mark.long
def test_fixed_devices_can_be_assigned(bare_laptop):
    for function, driver in ((devices.AHCI, "ahci"), (devices.HDA, "snd_hda_intel")):
        bare_laptop.dom0(f"xl pci-attach netvm {function}")
        wait_driver(bare_laptop, driver)
    bare_laptop.guest("netvm", "udevadm wait --timeout=60 /dev/sda")


@pytest.mark.long
def test_usb_devices_are_plugged_in_and_pulled_out(bare_laptop):
    bare_laptop.dom0("xl pci-attach netvm 00:05.0")
    wait_driver(bare_laptop, "xhci_hcd")
    bare_laptop.plug("usb-hub")
    bare_laptop.plug("usb-net")
    # usb1 and usb2 are the controller's own hubs; the stick is there already.
    count = "ls -d /sys/bus/usb/devices/[0-9]*-[0-9]* | grep -vc :"
    bare_laptop.guest("netvm", f"timeout 60 sh -c 'until [ $({count}) = 3 ] && readlink /sys/class/net/* | grep -q /usb; do sleep 0.2; done'")
    bare_laptop.pull("usb-net")
    bare_laptop.guest("netvm", f"timeout 60 sh -c 'until [ $({count}) = 2 ]; do sleep 0.2; done'")


def test_an_unknown_device_is_refused(bare_laptop):
    with pytest.raises(LabError, match="no device 'typewriter', but: e1000, "):
        bare_laptop.plug("typewriter")
