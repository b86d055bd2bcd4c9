# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main case: the lid closes, guests and host sleep; it opens, the guests run again.

Tests with a laptop of their own come first. The others examine one sleep, which was recorded by all observers.
"""

import json
import re
import time
from dataclasses import dataclass, field

import pytest

from xenlab import Laptop
from xenlab.laptop import GATEWAY, Clocks, Observation

GUESTS = ("netvm", "fw", "web", "mail", "vault")
ASLEEP_SECONDS = 4
PING_INTERVAL_S = 0.2
# How long a ping may take to be answered when netvm is ready. An address that was asked for in vain is asked for again
# once a second. How soon netvm is ready depends on the emulator: `make bench` compares it with the bare driver.
NETWORK_SECONDS = 5

# Runs a unit's process under strace, which with -D is no parent of the service's process.
TRACE_UNIT = """[Service]
ExecStart=
ExecStart=/usr/bin/strace -D -f -yy -ttt -s 200 -o /run/pmcoord/trace-{unit} /usr/bin/pmcoord {arguments}
NotifyAccess=all
KillMode=process
"""
TRACED = {"pmcoord": "daemon", "pmcoord-sleep": "--quiet sleep-unit"}


@dataclass
class Night:
    laptop: Laptop
    report: dict
    seen: Observation
    boot_ids: dict[str, str]
    domains: str  # `xl list` without times
    network: str  # netvm's network: names, MACs, states, bridges, addresses
    disk_sectors: int
    clocks: dict[str, tuple[Clocks, Clocks, Clocks]] = field(default_factory=dict)  # guest: dom0, guest, dom0

    def moments(self, guest: str) -> dict:
        return next(entry for entry in self.report["guests"] if entry["name"] == guest)


def domains(laptop: Laptop) -> str:
    return str(laptop.dom0("xl list | awk '{ print $1, $2, $3, $4 }'"))


def network(laptop: Laptop) -> str:
    """The output of `ip` for netvm's links, without what changes by itself."""
    links = str(laptop.guest("netvm", "ip -o link; ip -o -4 addr; ip route"))
    return "\n".join(sorted(re.sub(r"^\d+: |<[^>]*>|qlen \d+|\s+", " ", line) for line in links.splitlines()))


def disk_sectors(laptop: Laptop) -> int:
    """The number of sectors written to dom0's disks since boot (Documentation/block/stat.rst)."""
    return int(str(laptop.dom0("cat /sys/block/sd*/stat | awk '{ n += $7 } END { print n }'")))


def wait_cycle_over(laptop: Laptop) -> None:
    laptop.dom0("flock /run/pmcoord/lock true", timeout=90)


def last_report(laptop: Laptop) -> dict:
    return json.loads(str(laptop.dom0("pmcoord report --json")))


def test_the_lid_closes_twice_in_a_row(laptop):
    for cycle in (1, 2):
        laptop.sleep_and_wake()
        wait_cycle_over(laptop)
        laptop.wait_ping("web", seconds=NETWORK_SECONDS)
        report = last_report(laptop)
        assert (report["result"], report["cycle"]) == ("ok", cycle), report


def test_a_full_disk_keeps_no_laptop_awake(laptop):
    laptop.dom0("mount -t tmpfs -o size=64k none /var/lib/pmcoord; ! dd if=/dev/zero of=/var/lib/pmcoord/filler bs=4k")
    for cycle in (1, 2):
        laptop.sleep_and_wake()
        wait_cycle_over(laptop)
        laptop.wait_ping("web", seconds=NETWORK_SECONDS)
        report = last_report(laptop)
        assert (report["result"], report["cycle"]) == ("ok", cycle) and report["slept_us"], report
    assert str(laptop.dom0("find /var/lib/pmcoord/reports -type f", check=False)) == "", "the control: it is full"
    laptop.dom0("rm /var/lib/pmcoord/filler && pmcoord recover")
    assert len(str(laptop.dom0("ls /var/lib/pmcoord/reports/*")).splitlines()) == 2


@pytest.mark.long
def test_the_watchdog_of_dom0_does_not_expire_in_s3(laptop):
    """Xen reboots a host whose dom0 does not reset the watchdog in time, which it cannot do in S3."""
    laptop.dom0("/usr/lib/xen-*/bin/xenwatchdogd 8 && pidof xenwatchdogd")
    laptop.close_lid()
    laptop.wait_suspended()
    time.sleep(12)
    laptop.wake()
    laptop.wait_awake()
    wait_cycle_over(laptop)
    assert last_report(laptop)["result"] == "ok"
    time.sleep(9)
    laptop.dom0("pidof xenwatchdogd")


@pytest.fixture(scope="module")
def night(payload):
    with Laptop.fresh(payload) as laptop:
        for unit, arguments in TRACED.items():
            laptop.put(f"/run/systemd/system/{unit}.service.d/trace.conf", TRACE_UNIT.format(unit=unit, arguments=arguments).encode())
        laptop.dom0("systemctl daemon-reload && systemctl restart pmcoord")
        laptop.guest("web", f"ping -i {PING_INTERVAL_S} {GATEWAY} > /run/ping.log 2>&1 &")
        before = dict(boot_ids={guest: laptop.boot_id(guest) for guest in GUESTS}, domains=domains(laptop),
                      network=network(laptop), disk_sectors=disk_sectors(laptop))
        with laptop.observe() as seen:
            laptop.close_lid()
            laptop.wait_suspended()
            time.sleep(ASLEEP_SECONDS)
            laptop.wake()
            laptop.wait_awake()
            wait_cycle_over(laptop)
            laptop.wait_ping("web", seconds=NETWORK_SECONDS)
        slept = Night(laptop, last_report(laptop), seen, **before)
        for guest in GUESTS:
            slept.clocks[guest] = laptop.clocks(), laptop.clocks(guest), laptop.clocks()
        yield slept


def test_the_cycle_is_ok_and_reports_the_time_asleep(night):
    assert night.report["result"] == "ok", night.report
    assert night.report["trigger"] == "sleep"
    assert {entry["name"]: entry["outcome"] for entry in night.report["guests"]} == dict.fromkeys(GUESTS, "suspended")
    assert night.report["slept_us"] > (ASLEEP_SECONDS - 1) * 1_000_000


def test_each_guest_is_suspended_by_its_best_mechanism(night):
    assert {entry["name"]: entry["mechanism"] for entry in night.report["guests"]} == {
        "netvm": "agent", "fw": "xenstore", "web": "xenstore", "mail": "xenstore", "vault": "xenstore"}


@pytest.mark.parametrize("first, then", [("web", "fw"), ("mail", "fw"), ("fw", "netvm")])
def test_a_guest_is_suspended_before_the_guest_it_needs_and_resumed_after_it(night, first, then):
    assert night.moments(first)["down_us"] <= night.moments(then)["requested_us"]
    assert night.moments(then)["running_us"] <= night.moments(first)["running_us"]

    # The same in Xen's own view, by an observer that shares no code with pmcoord.
    assert night.seen.first(first, "shutdown:suspend").time_us < night.seen.first(then, "shutdown:suspend").time_us
    back = {guest: [t for t in night.seen.of(guest) if t.state == "running"][-1].time_us for guest in (first, then)}
    assert back[then] < back[first]


def test_independent_guests_are_requested_at_once(night):
    requested = [night.moments(guest)["requested_us"] for guest in ("web", "mail", "vault")]
    down = [night.moments(guest)["down_us"] for guest in ("web", "mail", "vault")]
    assert max(requested) < min(down)


def test_the_agent_quiesces_before_its_guest_suspends_and_is_ready_after_the_resume(night):
    netvm = night.moments("netvm")
    assert netvm["requested_us"] < netvm["quiesced_us"] <= netvm["down_us"] < netvm["running_us"] < netvm["ready_us"]


def test_the_network_card_has_its_driver_and_the_network_is_as_before(night):
    driver = str(night.laptop.guest("netvm", "basename $(readlink /sys/bus/pci/devices/0000:00:00.0/driver)"))
    assert driver == "e1000e"
    assert network(night.laptop) == night.network


def test_a_ping_that_ran_during_the_cycle_continues(night):
    night.laptop.guest("web", "kill -INT $(pidof ping)", check=False)
    numbers = [int(n) for n in re.findall(r"seq=(\d+) ", str(night.laptop.guest("web", "cat /run/ping.log")))]
    assert numbers, "no ping was ever answered"
    # The process did not run during the sleep, so it has sent no pings then.
    lost_s = (numbers[-1] - numbers[0] + 1 - len(numbers)) * PING_INTERVAL_S
    without_network_s = (night.moments("netvm")["ready_us"] - night.moments("web")["running_us"]) / 1_000_000
    assert lost_s < without_network_s + NETWORK_SECONDS


def test_no_guest_was_rebooted(night):
    assert {guest: night.laptop.boot_id(guest) for guest in GUESTS} == night.boot_ids


@pytest.mark.parametrize("guest", GUESTS)
def test_the_clock_of_a_guest_is_right(night, guest):
    before, clocks, after = night.clocks[guest]
    assert before.realtime_us - 1_000_000 < clocks.realtime_us < after.realtime_us + 1_000_000


def test_all_processes_are_thawed(night):
    frozen = str(night.laptop.guest("netvm", "cat /sys/fs/cgroup/*.slice/cgroup.events | grep -c 'frozen 1'", check=False))
    assert frozen == "0"
    before = str(night.laptop.guest("netvm", "cat /run/user-heartbeat"))
    night.laptop.guest("netvm", "sleep 1")
    assert str(night.laptop.guest("netvm", "cat /run/user-heartbeat")) != before


def test_the_list_of_domains_is_as_before(night):
    assert domains(night.laptop) == night.domains


def test_every_subscription_is_cleared_so_that_save_and_restore_work(night):
    uuid = str(night.laptop.dom0("xl list -v vault | tail -n 1 | awk '{ print $7 }'"))
    night.laptop.dom0("xl save vault /root/vault.save && xl restore /root/vault.save", timeout=120)
    assert str(night.laptop.dom0("xl list -v vault | tail -n 1 | awk '{ print $7 }'")) == uuid
    night.laptop.forget_guest("vault")
    assert night.laptop.boot_id("vault") == night.boot_ids["vault"]


def traced_gap(laptop: Laptop) -> list[str]:
    """The daemon's system calls between the first request and the last resume, one per line."""
    lines = laptop.get("/run/pmcoord/trace-pmcoord").decode(errors="replace").splitlines()

    def at(record: str) -> int:
        return next(i for i, line in enumerate(lines) if "write(" in line and "/run/pmcoord/cycles/" in line and record in line)

    return lines[at(" phase suspend"):at(" phase ready")]


# Files in memory, devices that are not disks, and descriptors that are not files.
NOT_ON_A_DISK = re.compile(r"^(/run/|/proc/|/sys/|(/dev)?/xen/|/dev/null|socket:|pipe:|anon_inode:|UNIX|NETLINK|/dev/pts)")


def traced_lease(laptop: Laptop) -> list[str]:
    """The sleep unit's system calls from READY=1 to its end."""
    lines = laptop.get("/run/pmcoord/trace-pmcoord-sleep").decode(errors="replace").splitlines()
    return lines[next(i for i, line in enumerate(lines) if "READY=1" in line):]


@pytest.mark.parametrize("traced, least", [(traced_gap, 50), (traced_lease, 5)])
def test_between_request_and_resume_no_disk_is_written_and_no_program_started(night, traced, least):
    gap = traced(night.laptop)
    assert len(gap) > least, "the trace does not contain the cycle"
    started = [line for line in gap if re.search(r" (execve|execveat|fork|vfork|clone|clone3)\(", line)]
    assert not started
    writes = [line for line in gap if re.search(r" (p?writev?2?|pwrite64|sendfile|ftruncate|fallocate|splice)\(\d+<", line)]
    assert not [line for line in writes if not NOT_ON_A_DISK.match(re.search(r"\(\d+<([^>]*)", line).group(1))]
    changes = [line for line in gap if re.search(r" (mkdir|rename|unlink|link|symlink|truncate|creat|mknod)\w*\(|O_WRONLY|O_RDWR|O_CREAT", line)]
    assert not [line for line in changes if not re.search(r'"(/run/|/proc/|/sys/|/dev/xen/)', line)]
    assert night.report["written_bytes"] == 0


def test_no_guest_memory_went_to_the_disk(night):
    """The guests have over 800 MiB of memory; the logs of one sleep take less than 8."""
    written = disk_sectors(night.laptop) - night.disk_sectors
    # Another test may have saved a guest after the cycle, which writes its 192 MiB.
    saved = int(str(night.laptop.dom0("stat -c %s /root/vault.save 2>/dev/null || echo 0"))) // 512
    assert written < saved * 1.1 + 8 * 2048
