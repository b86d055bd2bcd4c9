# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent at work: a driver domain with two devices, and what may happen to it.

One laptop serves most tests, one after another. After each of them everything in its driver domain must be as it was
at first, however the test went: nothing frozen, drivers bound, the same network, the stick's contents readable.
"""

import json
import re
import time
from dataclasses import dataclass

import pytest

from xenlab import LabError, Laptop, qemu
from xenlab.channel import Job

NIC, USB = "0000:00:00.0", "0000:00:01.0"  # as netvm sees them
STICK_BYTES = 1_000_000
CONFIG = "/etc/pmcoord/agent.conf"

# All that is to be the same after each test, in one question: a command in a guest costs half a second.
LOOK = f"""
for f in {NIC} {USB}; do echo driver $f $(basename $(readlink /sys/bus/pci/devices/$f/driver)); done
find /sys/fs/cgroup -name cgroup.freeze | xargs grep -l 1 | sed 's/^/frozen /'
echo limit $(cat /sys/power/pm_freeze_timeout)
udevadm wait --timeout=20 /dev/sda && echo stick $(head -c {STICK_BYTES} /dev/sda | sha256sum)
{{ ip -o link; ip -o -4 addr; ip route; }} | sed -E 's/^[0-9]+: |qlen [0-9]+|<[^>]*>//g' | sort
"""


@dataclass
class DriverDomain:
    laptop: Laptop
    before: str = ""

    def look(self) -> str:
        return str(self.run(LOOK))

    def run(self, command: str, timeout: float = 30, check: bool = True):
        return self.laptop.guest("netvm", command, timeout=timeout, check=check)

    def configure(self, text: str) -> None:
        """Gives the agent this configuration, or none."""
        self.run(f"mkdir -p /etc/pmcoord; printf '%s' '{text}' > {CONFIG}; systemctl restart pmcoord-agent")

    def state(self) -> str:
        return str(self.laptop.dom0(f"xenstore-read /local/domain/{self.laptop.domid('netvm')}/data/pmcoord/state", check=False))

    def wait_state(self, pattern: str, seconds: float = 40) -> str:
        """Waits until the agent's word matches; returns it."""
        end = time.monotonic() + seconds
        while not re.fullmatch(pattern, self.state()):
            assert time.monotonic() < end, f"the agent says '{self.state()}', not '{pattern}'"
            time.sleep(0.2)
        return self.state()

    def suspend(self) -> Job:
        return self.laptop.dom0_start("exec pmcoord suspend-all --guests-only")

    def resume(self) -> None:
        self.laptop.dom0("pmcoord resume-all", check=False)

    def report(self) -> dict:
        return json.loads(str(self.laptop.dom0("pmcoord report --json")))

    def of_report(self) -> dict:
        return next(guest for guest in self.report()["guests"] if guest["name"] == "netvm")

    def restore_settings(self) -> None:
        self.run(f"rm -f {CONFIG}; systemctl reset-failed; systemctl start pmcoord-agent", check=False)


def with_stick(laptop: Laptop) -> DriverDomain:
    """Gives netvm the USB controller too, and the stick contents."""
    laptop.dom0(f"xl pci-attach netvm 0000:{qemu.USB}")
    laptop.guest("netvm", f"udevadm wait --timeout=20 /dev/sda && head -c {STICK_BYTES} /dev/urandom | dd of=/dev/sda conv=fsync status=none")
    domain = DriverDomain(laptop)
    domain.before = domain.look()
    return domain


@pytest.fixture(scope="module")
def shared(payload):
    with Laptop.fresh(payload) as laptop:
        yield with_stick(laptop)


@pytest.fixture
def netvm(shared, request):
    request.node.laptop = shared.laptop
    yield shared
    shared.resume()
    shared.restore_settings()
    shared.wait_state(r"(ready|degraded|failed) \d+")
    assert shared.look() == shared.before
    assert shared.laptop.wait_ping("web", seconds=20) < 20


def test_it_starts_with_all_that_it_is_to_keep(shared):
    assert f"driver {NIC} e1000e" in shared.before and f"driver {USB} xhci_hcd" in shared.before
    assert "master br0" in shared.before and "frozen" not in shared.before and "limit 20000" in shared.before


def test_left_bound_the_usb_controller_takes_its_driver_domain_down(payload):
    """The control: were this to pass unharmed, nothing here would prove that unbinding it helps."""
    with Laptop.fresh(payload) as laptop:
        domain = with_stick(laptop)
        domain.configure('[Device "xhci_hcd"]\nAction=keep\n')

        laptop.sleep_and_wake()

        with pytest.raises(LabError):
            domain.run(f"head -c {STICK_BYTES} /dev/sda > /dev/null", timeout=10)
        laptop.dom0("flock /run/pmcoord/lock true", timeout=90)
        assert domain.report()["result"] == "degraded", "and pmcoord says nothing of it"
        assert domain.of_report()["degraded"]


def test_a_bridge_port_gets_its_vlans_back(netvm):
    vlans = "bridge -compressvlans vlan show dev enp0s0 | xargs"
    netvm.run("ip link set br0 type bridge vlan_filtering 1 && bridge vlan del dev enp0s0 vid 1 && "
              "bridge vlan add dev enp0s0 vid 7 pvid untagged && bridge vlan add dev enp0s0 vid 100-200")
    before = str(netvm.run(vlans))
    assert before.endswith("enp0s0 7 PVID Egress Untagged 100-200")

    netvm.run("pmcoord-agent --test")

    assert str(netvm.run(vlans)) == before
    netvm.run("bridge vlan del dev enp0s0 vid 7 && bridge vlan del dev enp0s0 vid 100-200 && "
              "bridge vlan add dev enp0s0 vid 1 pvid untagged && ip link set br0 type bridge vlan_filtering 0")


# ---- whatever happens to the agent ----

AGENT = "$(systemctl show -p MainPID --value pmcoord-agent)"


def test_killed_while_idle_it_leaves_nothing_behind(netvm):
    netvm.run(f"kill -9 {AGENT}")

    assert netvm.suspend().wait(60).status == 0
    netvm.laptop.dom0("pmcoord resume-all")

    netvm.wait_state(r"(ready|degraded) \d+")
    assert netvm.look() == netvm.before
