# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent in a driver domain with two devices, and its failures.

Most tests share one laptop. After each of them its driver domain must be as before, whatever the test's result: no
process frozen, drivers bound, the same network, the stick's contents readable.
"""

import json
import re
import time
from dataclasses import dataclass

import pytest

from xenlab import LabError, Laptop, qemu
from xenlab.channel import Job
from xenlab.stuck import LET_DISK_ANSWER, MAKE_DISK, remove_disk, write_to

NIC, USB = "0000:00:00.0", "0000:00:01.0"  # as netvm sees them
STICK_BYTES = 1_000_000
CONFIG = "/etc/pmcoord/agent.conf"
HOOK = "/etc/pmcoord/suspend.d/50-test"
SLOW_MODULE = "/etc/modprobe.d/slow.conf"

# Prints all that must be the same after each test. One command, because each takes half a second in a guest.
SNAPSHOT = f"""
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

    def snapshot(self) -> str:
        return str(self.run(SNAPSHOT))

    def run(self, command: str, timeout: float = 30, check: bool = True):
        return self.laptop.guest("netvm", command, timeout=timeout, check=check)

    def configure(self, text: str) -> None:
        """Restarts the agent with this configuration; "": none."""
        self.run(f"mkdir -p /etc/pmcoord/suspend.d; printf '%s' '{text}' > {CONFIG}; systemctl restart pmcoord-agent")

    def hook(self, body: str) -> None:
        self.run(f"mkdir -p /etc/pmcoord/suspend.d; printf '%s\\n' '#!/bin/sh' '{body}' > {HOOK}; chmod 755 {HOOK}")

    def state(self) -> str:
        return str(self.laptop.dom0(f"xenstore-read /local/domain/{self.laptop.domid('netvm')}/data/pmcoord/state", check=False))

    def wait_state(self, pattern: str, seconds: float = 40) -> str:
        """Waits until the agent's state matches; returns it."""
        end = time.monotonic() + seconds
        while not re.fullmatch(pattern, self.state()):
            assert time.monotonic() < end, f"the agent's state is '{self.state()}', not '{pattern}'"
            time.sleep(0.2)
        return self.state()

    def suspend(self, *options: str) -> Job:
        return self.laptop.dom0_start(" ".join(["exec pmcoord suspend-all --guests-only", *options]))

    def resume(self) -> None:
        self.laptop.dom0("pmcoord resume-all", check=False)

    def report(self) -> dict:
        return json.loads(str(self.laptop.dom0("pmcoord report --json")))

    def cycle(self) -> dict:
        """Suspends and resumes all guests; returns netvm's entry of the report."""
        self.laptop.dom0("pmcoord suspend-all --guests-only && pmcoord resume-all")
        return self.of_report()

    def of_report(self) -> dict:
        return next(guest for guest in self.report()["guests"] if guest["name"] == "netvm")

    def ports(self) -> int:
        """The number of the guest's event channels, without those of physical interrupts, which vary."""
        listed = f"/usr/lib/xen-*/bin/lsevtchn {self.laptop.domid('netvm')} | grep -vc 'Physical IRQ'"
        return int(str(self.laptop.dom0(listed)))

    def restore_settings(self) -> None:
        self.run(f"rm -f {HOOK} {CONFIG} {SLOW_MODULE}; systemctl stop assassin stuck 2>/dev/null; systemctl reset-failed; "
                 "systemctl start pmcoord-agent", check=False)


def with_stick(laptop: Laptop) -> DriverDomain:
    """Attaches the USB controller to netvm and writes to its stick."""
    laptop.dom0(f"xl pci-attach netvm 0000:{qemu.USB}")
    laptop.guest("netvm", f"udevadm wait --timeout=20 /dev/sda && head -c {STICK_BYTES} /dev/urandom | dd of=/dev/sda conv=fsync status=none")
    domain = DriverDomain(laptop)
    domain.before = domain.snapshot()
    return domain


@pytest.fixture(scope="module")
def shared(payload):
    with Laptop.fresh(payload) as laptop:
        # Under emulation a PVH guest can fault by itself some time after its start.
        laptop.dom0("xl destroy vault")
        del laptop.guests["vault"]
        yield with_stick(laptop)


@pytest.fixture
def netvm(shared, request):
    request.node.laptop = shared.laptop
    yield shared
    shared.resume()
    shared.restore_settings()
    shared.wait_state(r"(ready|degraded|failed) \d+")
    assert shared.snapshot() == shared.before
    assert shared.laptop.wait_ping("web", seconds=20) < 20


@pytest.mark.long
def test_a_usb_controller_that_stays_bound_breaks_its_driver_domain(payload):
    """The control for the nights below. Runs before the shared laptop exists."""
    with Laptop.fresh(payload) as laptop:
        domain = with_stick(laptop)
        domain.configure('[Device "xhci_hcd"]\nAction=keep\n')

        laptop.sleep_and_wake()

        with pytest.raises(LabError):
            domain.run(f"head -c {STICK_BYTES} /dev/sda > /dev/null", timeout=10)
        laptop.dom0("flock /run/pmcoord/lock true", timeout=90)
        assert domain.report()["result"] == "degraded", "pmcoord does not report it"
        assert domain.of_report()["degraded"]


def test_the_agent_starts_with_its_devices_bound(shared):
    assert f"driver {NIC} e1000e" in shared.before and f"driver {USB} xhci_hcd" in shared.before
    assert "master br0" in shared.before and "frozen" not in shared.before and "limit 20000" in shared.before


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("nights", [pytest.param(2, marks=pytest.mark.both), pytest.param(20, marks=pytest.mark.long)])
def test_both_devices_survive_nights(netvm, nights):
    for night in range(1, nights + 1):
        netvm.laptop.sleep_and_wake()
        netvm.laptop.wait_ping("web", seconds=20)
        assert netvm.snapshot() == netvm.before, f"after night {night}"
        report = netvm.of_report()
        assert (report["outcome"], report["degraded"], report["mechanism"]) == ("suspended", False, "agent"), report
        assert re.search(rf"{NIC} e1000e enp0s0 ok [\d.]+ m?s; {USB} xhci_hcd ok [\d.]+ m?s", report["detail"]), report


@pytest.mark.long
def test_the_vlans_of_a_bridge_port_are_restored(netvm):
    vlans = "bridge -compressvlans vlan show dev enp0s0 | xargs"
    netvm.run("ip link set br0 type bridge vlan_filtering 1 && bridge vlan del dev enp0s0 vid 1 && "
              "bridge vlan add dev enp0s0 vid 7 pvid untagged && bridge vlan add dev enp0s0 vid 100-200")
    before = str(netvm.run(vlans))
    assert before.endswith("enp0s0 7 PVID Egress Untagged 100-200")

    netvm.run("pmcoord-agent --test")

    assert str(netvm.run(vlans)) == before
    netvm.run("bridge vlan del dev enp0s0 vid 7 && bridge vlan del dev enp0s0 vid 100-200 && "
              "bridge vlan add dev enp0s0 vid 1 pvid untagged && ip link set br0 type bridge vlan_filtering 0")


# ---- kills and aborts of the agent ----

AGENT = "$(systemctl show -p MainPID --value pmcoord-agent)"


def assassinate(netvm: DriverDomain, moment: str) -> None:
    """Kills the agent as soon as a shell condition is true; nothing must fork then, which would take too long."""
    netvm.run(f"systemd-run -q --collect --unit=assassin sh -c 'until {moment}; do :; done; kill -9 $0' {AGENT}")


FROZEN = "read frozen </sys/fs/cgroup/user.slice/cgroup.freeze; [ $frozen = 1 ]"
UNBOUND = f"[ ! -e /sys/bus/pci/devices/{NIC}/driver ]"
BOUND = f"[ -e /sys/bus/pci/devices/{NIC}/driver ]"
ONCE = "! [ -e /run/killed ] && touch /run/killed && kill -9 $PPID; exit 0"


@pytest.mark.parametrize("moment", ["unbinding", *(pytest.param(moment, marks=pytest.mark.long)
                                                   for moment in ("idle", "frozen", "binding", "pre hook", "post hook"))])
def test_everything_is_restored_after_a_kill_at_any_moment(netvm, moment):
    netvm.run("rm -f /run/killed")
    if moment == "idle":
        netvm.run(f"kill -9 {AGENT}")
    elif moment.endswith(" hook"):
        netvm.hook(f"[ $1 = {moment.split()[0]} ] && {ONCE}")
    elif moment == "binding":
        assassinate(netvm, f"{UNBOUND}; do :; done; until {BOUND}")
    else:
        assassinate(netvm, {"frozen": FROZEN, "unbinding": UNBOUND}[moment])
    before = restarts(netvm)

    status = netvm.suspend().wait(60).status
    assert status == 0 or (status == 3 and moment in ("pre hook", "frozen", "unbinding"))
    netvm.resume()

    netvm.run(f"rm -f {HOOK}")
    netvm.wait_state(r"(ready|degraded|failed) \d+")
    assert restarts(netvm) > before or moment == "idle", "it was not killed"
    assert netvm.snapshot() == netvm.before
    report = netvm.cycle()
    assert (report["mechanism"], report["outcome"], report["degraded"]) == ("agent", "suspended", False), report


def restarts(netvm: DriverDomain) -> int:
    return int(str(netvm.run("systemctl show -p NRestarts --value pmcoord-agent")))


# Aborts a cycle as soon as the driver domain writes a node.
ABORT = """
timeout 60 xenstore-watch -n 2 %s >/dev/null & moment=$!
pmcoord suspend-all --guests-only & cycle=$!
wait $moment
kill -TERM $cycle
wait $cycle
"""


@pytest.mark.long
@pytest.mark.parametrize("moment", [FROZEN, UNBOUND], ids=["frozen", "unbound"])
def test_everything_is_restored_after_an_abort_at_any_moment(netvm, moment):
    # A module whose unload takes three seconds after the devices are unbound: time to write the node.
    netvm.configure("[Agent]\nUnloadModules=usb_storage\n")
    netvm.run(f"echo remove usb_storage sleep 3 > {SLOW_MODULE}; "
              f"systemd-run -q --collect --unit=assassin sh -c 'until {moment}; do :; done; exec xenstore-write data/moment come'")

    node = f"/local/domain/{netvm.laptop.domid('netvm')}/data/moment"
    assert netvm.laptop.dom0(ABORT % node, timeout=90, check=False).status == 1

    assert netvm.report()["result"] == "failed"
    assert netvm.wait_state(r"ready \d+")


@pytest.mark.long
def test_a_self_test_whose_terminal_is_closed_is_undone(netvm):
    """As when a network card is tested over the network."""
    netvm.configure("[Agent]\nUnloadModules=usb_storage\n")
    result = netvm.run(f"echo remove usb_storage sleep 3 > {SLOW_MODULE}; pmcoord-agent --test & test=$!; "
                       f"until {UNBOUND}; do :; done; kill -HUP $test; wait $test", check=False)
    assert result.status == 1 and "interrupted" in result.stdout + result.stderr, result
    assert netvm.snapshot() == netvm.before


@pytest.mark.long
def test_everything_is_restored_after_an_abort_during_a_hook(netvm):
    netvm.hook("[ $1 = post ] || { touch /run/in-hook; sleep 3; }")
    netvm.run("rm -f /run/in-hook")

    job = netvm.suspend()
    netvm.run("timeout 20 sh -c 'until [ -e /run/in-hook ]; do sleep 0.1; done'")
    job.signal(2)

    assert job.wait(60).status == 1
    assert netvm.report()["result"] == "failed"
    assert netvm.wait_state(r"ready \d+")


@pytest.mark.long
def test_a_hook_can_keep_its_guest_awake_with_a_reason(netvm):
    netvm.hook('[ $1 = post ] || { echo "a stick is lent to web" >&2; exit 1; }')

    assert netvm.suspend("--timeout", "8s").wait(60).status == 3

    assert "hook 50-test pre failed with status 1" in netvm.of_report()["detail"]
    netvm.resume()
    assert "a stick is lent to web" in str(netvm.run("journalctl -u pmcoord-agent -n 20 --no-pager"))


# ---- a process that cannot be frozen ----


@pytest.fixture
def stuck(netvm):
    """Starts a process in the given slice that waits in the kernel for a disk."""
    disk = str(netvm.run(MAKE_DISK))

    def start(slice_name: str) -> None:
        netvm.run(f"systemd-run -q --collect --unit=stuck --slice={slice_name} {write_to(disk)} && "
                  "until grep -q '^State:.D' /proc/$(systemctl show -p MainPID --value stuck)/status; do sleep 0.1; done")

    yield start
    netvm.resume()
    netvm.run(f"{LET_DISK_ANSWER}; systemctl stop stuck; {remove_disk(disk)}", check=False)


@pytest.mark.long
def test_a_user_process_that_does_not_freeze_is_named(netvm, stuck):
    stuck("user.slice")

    assert netvm.suspend("--timeout", "6s").wait(60).status == 3

    report = netvm.of_report()
    assert report["outcome"] == "paused"
    assert re.search(r"user.slice does not freeze: 'dd' \(\d+, waits in the kernel\)", report["detail"]), report


PATIENT = "/etc/pmcoord/pmcoord.conf.d/patient.conf"


@pytest.fixture
def patient(netvm):
    """Raises Timeout=: half of it is for the kernel, and on a slow machine the undo needs more than the other half."""
    netvm.laptop.put(PATIENT, b'[Guest "netvm"]\nTimeout=20s\n')
    netvm.laptop.dom0("systemctl restart pmcoord")
    yield
    netvm.laptop.dom0(f"rm {PATIENT}; systemctl restart pmcoord")


@pytest.mark.both
def test_a_kernel_that_refuses_to_freeze_is_detected_and_everything_restored(netvm, patient, stuck):
    stuck("system.slice")

    assert netvm.suspend().wait(90).status == 3

    report = netvm.of_report()
    assert report["outcome"] == "paused"
    assert re.search(r"kernel has not suspended: freeze processes failed -16: .*'dd' \(\d+, waits in the kernel\)", report["detail"]), report
    netvm.resume()
    assert netvm.wait_state(r"(failed|ready) \d+")
    assert netvm.snapshot() == netvm.before


@pytest.mark.long
def test_everything_is_restored_after_an_abort_while_the_kernel_suspends(netvm, stuck):
    stuck("system.slice")

    job = netvm.suspend()
    netvm.wait_state(r"quiesced \d+")
    job.signal(2)

    assert job.wait(60).status == 1
    assert netvm.wait_state(r"ready \d+")


@pytest.mark.long
def test_everything_is_restored_after_a_kill_while_the_kernel_suspends(netvm, stuck):
    stuck("system.slice")

    before = restarts(netvm)
    # The agent's last step before the kernel's suspend. From dom0 the kill could come too late, when netvm is paused.
    assassinate(netvm, "read limit </sys/power/pm_freeze_timeout; [ $limit != 20000 ]")

    assert netvm.suspend().wait(60).status == 3
    netvm.resume()
    assert netvm.wait_state(r"(failed|ready) \d+")
    assert restarts(netvm) > before, "it was not killed"


@pytest.mark.long
def test_the_agent_restores_by_itself_while_dom0_hangs(netvm, stuck):
    stuck("system.slice")
    daemon = str(netvm.laptop.dom0("systemctl show -p MainPID --value pmcoord"))

    job = netvm.suspend("--timeout", "8s")
    netvm.wait_state(r"quiesced \d+")
    netvm.laptop.dom0(f"kill -STOP {daemon}")
    try:
        assert netvm.wait_state(r"failed \d+")
        assert netvm.snapshot() == netvm.before
    finally:
        netvm.laptop.dom0(f"kill -CONT {daemon}", check=False)
    job.wait(60)


# ---- nodes in xenstore ----


def mechanism(netvm: DriverDomain) -> str:
    guests = json.loads(str(netvm.laptop.dom0("pmcoord list --json")))["guests"]
    return next(guest["mechanism"] for guest in guests if guest["name"] == "netvm")


def test_a_repeated_request_is_one_request(netvm):
    netvm.cycle()
    done = netvm.wait_state(r"ready \d+")
    quiesced = "journalctl -u pmcoord-agent --no-pager | grep -c 'quiesced in'"
    before = str(netvm.run(quiesced))

    netvm.laptop.dom0(f"xenstore-write /local/domain/{netvm.laptop.domid('netvm')}/pmcoord/request 'suspend {done.split()[1]}'")
    time.sleep(1)

    assert netvm.state() == done
    assert str(netvm.run(quiesced)) == before
    assert netvm.cycle()["mechanism"] == "agent"


@pytest.mark.long
def test_an_unknown_version_falls_back_to_xenstore(netvm):
    assert mechanism(netvm) == "agent"
    netvm.run("xenstore-write data/pmcoord/version 7")
    assert mechanism(netvm) == "xenstore"
    netvm.run("xenstore-write data/pmcoord/version 1")
    assert mechanism(netvm) == "agent"


@pytest.mark.long
def test_without_the_agent_the_mechanism_is_xenstore_and_check_warns(netvm):
    netvm.run("systemctl stop pmcoord-agent")

    findings = json.loads(str(netvm.laptop.dom0("pmcoord check --json", check=False)))["findings"]
    assert [f for f in findings if f["subject"] == "netvm" and f["level"] == "error" and "agent" in f["message"] + f["advice"]], findings

    # The USB controller would not survive the suspend.
    netvm.run(f"echo {USB} > /sys/bus/pci/devices/{USB}/driver/unbind")
    assert netvm.suspend().wait(60).status == 3
    netvm.resume()
    report = netvm.of_report()
    assert (report["mechanism"], report["outcome"], report["degraded"]) == ("xenstore", "suspended", True), report
    assert "its agent's event channel is stale" in report["detail"]
    netvm.run(f"echo {USB} > /sys/bus/pci/drivers/xhci_hcd/bind")


@pytest.mark.long
def test_restarts_leak_no_port(netvm):
    netvm.cycle()
    before = netvm.ports()
    for _ in range(3):
        netvm.run("systemctl restart pmcoord-agent")
        netvm.run(f"kill -9 {AGENT}; sleep 2; systemctl start pmcoord-agent")
        netvm.laptop.dom0("systemctl restart pmcoord")
        netvm.laptop.dom0("systemctl kill -s KILL pmcoord; sleep 2; systemctl start pmcoord")
        assert netvm.cycle()["mechanism"] == "agent"
        assert netvm.ports() == before


# ---- the service ----


@pytest.mark.long
def test_the_agent_runs_with_a_read_only_root_file_system(netvm):
    netvm.run("mount -o remount,ro /")
    try:
        netvm.run("systemctl restart pmcoord-agent")
        report = netvm.cycle()
        assert (report["mechanism"], report["degraded"]) == ("agent", False), report
    finally:
        netvm.run("mount -o remount,rw /")


@pytest.mark.long
def test_an_idle_agent_does_nothing_and_is_small(netvm):
    netvm.cycle()
    switches = f"cat /proc/{AGENT}/task/*/status | awk '/ctxt_switches/ {{ n += $2 }} END {{ print n }}'"
    watched, before, after = str(netvm.run(
        f"sleep 2; s() {{ {switches}; }}; a=$(s); sleep 30; b=$(s); echo 30 $a $b", timeout=60)).split()
    assert before == after, f"{int(after) - int(before)} wake-ups in {watched} s"

    private = str(netvm.run(f"awk '/^Private/ {{ n += $2 }} END {{ print n }}' /proc/{AGENT}/smaps_rollup"))
    assert int(private) <= 1024, f"{private} KiB"
