# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon on Xen: its channels and prepared requests, and its restarts."""

import json
import re
import time

import pytest

from xenlab import RELEASE, Guest, Laptop

GUESTS = ("netvm", "fw", "web", "mail")
LSEVTCHN = f"/usr/lib/xen-{RELEASE.xen}/bin/lsevtchn"


@pytest.fixture(scope="module")
def calm(payload):
    """A laptop shared by tests that restore it."""
    with Laptop.fresh(payload) as laptop:
        # Under emulation a PVH guest can fault by itself, and this laptop runs for minutes.
        laptop.dom0("xl destroy vault")
        laptop.guests.pop("vault")
        wait_ready(laptop)
        yield laptop


def wait_ready(laptop: Laptop) -> None:
    """Waits until the daemon is idle after its start."""
    deadline = time.monotonic() + 30
    while property_of(laptop, "State") != "idle":
        assert time.monotonic() < deadline


def restart(laptop: Laptop, how: str) -> None:
    """Ends the daemon by the command `how`, and waits until it is restarted."""
    laptop.dom0(f"{how}; sleep 1; timeout 20 sh -c 'until systemctl is-active -q pmcoord; do sleep 0.1; done'", timeout=40)
    wait_ready(laptop)


def property_of(laptop: Laptop, name: str) -> str:
    reply = str(laptop.dom0(f"busctl get-property org.pmcoord.Coordinator1 /org/pmcoord/Coordinator1 org.pmcoord.Coordinator1 {name}"))
    return reply.split(maxsplit=1)[1].strip('"')


def pid(laptop: Laptop) -> int:
    return int(str(laptop.dom0("systemctl show -p MainPID --value pmcoord")))


def ports(laptop: Laptop, guest: str) -> int:
    """Without those of physical interrupts, whose number depends on whether the card's driver gets MSI-X."""
    return int(str(laptop.dom0(f"{LSEVTCHN} {laptop.domid(guest)} | grep -vc 'Physical IRQ'")))


def states(laptop: Laptop) -> dict[str, str]:
    return {guest["name"]: guest["state"] for guest in json.loads(str(laptop.dom0("pmcoord list --json")))["guests"]}


def test_the_daemon_runs_and_only_root_can_call_it(calm):
    assert str(calm.dom0("systemctl is-active pmcoord")) == "active"
    refused = calm.dom0("setpriv --reuid=65534 --regid=65534 --clear-groups busctl call org.pmcoord.Coordinator1 "
                        "/org/pmcoord/Coordinator1 org.pmcoord.Coordinator1 ResumeAll 'a{sv}' 0", check=False)
    assert refused.status != 0
    assert "denied" in refused.stderr.lower()


def test_requests_are_written_ahead_and_answered(calm):
    """The agent is armed for the next cycle in advance, so that a request is one notification."""
    calm.dom0("pmcoord suspend-all --guests-only -q && pmcoord resume-all -q")
    calm.dom0(f"timeout 20 sh -c 'until xenstore-read /local/domain/{calm.domid('netvm')}/data/pmcoord/state "
              "| grep -q ready; do sleep 0.2; done'", timeout=30)
    time.sleep(2)
    base = f"/local/domain/{calm.domid('netvm')}"
    request = str(calm.dom0(f"xenstore-read {base}/pmcoord/request"))
    state = str(calm.dom0(f"xenstore-read {base}/data/pmcoord/state"))
    last = json.loads(str(calm.dom0("pmcoord report --json")))["cycle"]
    assert request == f"suspend {last + 1}"
    assert state == f"ready {last + 1}"


@pytest.mark.both
def test_the_daemon_runs_a_cycle_and_starts_it_at_once(calm):
    report = json.loads(str(calm.dom0("pmcoord suspend-all --guests-only --json")))
    calm.dom0("pmcoord resume-all -q")
    assert report["result"] == "ok"
    assert property_of(calm, "Cycle") == str(report["cycle"])
    # The inventory is cached: reading all guests again takes 150 ms here.
    inventory = next(phase for phase in report["phases"] if phase["name"] == "inventory")
    assert inventory["duration_us"] < 60_000


def test_guests_resumed_at_once_are_shown_too(calm):
    """The job has ended, and its journals are removed, before the daemon sends the first Step signal."""
    calm.dom0("pmcoord suspend web -q; pmcoord suspend mail -q")
    lines = str(calm.dom0("pmcoord resume-all | cat")).splitlines()
    assert sorted(line.split()[2:] for line in lines[:-1]) == [["mail", "running"], ["web", "running"]]
    assert lines[-1] == "2 guests resumed."


def test_the_second_of_two_commands_names_the_first(calm):
    first = calm.dom0_start("pmcoord cycle -n 20 -q")
    calm.dom0("timeout 20 sh -c 'until ls /run/pmcoord/cycles/* >/dev/null 2>&1; do :; done'", timeout=30)
    second = None
    for _ in range(10):  # between two cycles no job runs
        second = calm.dom0("pmcoord suspend-all --guests-only -q", check=False)
        if second.status == 5:
            break
        calm.dom0("pmcoord resume-all -q", check=False)
    first.signal(2)
    assert second.status == 5, second
    assert re.search(r"another pmcoord is running \(cycle, process \d+", second.stderr)
    assert first.wait(60).status in (1, 5)
    assert set(states(calm).values()) == {"running"}


def test_an_idle_daemon_neither_wakes_up_nor_calls_the_kernel(calm):
    time.sleep(5)
    daemon = pid(calm)
    switches = f"cat /proc/{daemon}/task/*/status | grep ctxt"
    before = str(calm.dom0(switches))
    time.sleep(20)
    assert str(calm.dom0(switches)) == before
    # Attaching and detaching strace interrupt its wait; only calls between them count.
    calm.dom0(f"timeout 14 strace -f -ttt -o /run/idle -p {daemon}", check=False, timeout=40)
    calls = [line for line in calm.get("/run/idle").decode().splitlines() if re.search(r"^\d+ +\d+\.\d+ \w+\(", line)]
    times = [float(line.split()[1]) for line in calls]
    began = min(times)
    assert not [line for line, at in zip(calls, times) if began + 2 < at < began + 12], calls


def test_the_watchdog_is_armed_only_in_a_cycle(calm):
    def watchdog() -> str:
        return str(calm.dom0("systemctl show -p WatchdogUSec --value pmcoord"))

    assert watchdog() in ("0", "infinity")
    cycle = calm.dom0_start("pmcoord cycle -n 5 -q")
    deadline = time.monotonic() + 20
    while watchdog() != "1min":
        assert time.monotonic() < deadline, watchdog()
    assert cycle.wait(60).status == 0
    assert watchdog() in ("0", "infinity")


def test_its_memory_is_small_and_locked(calm):
    """Private_Dirty counts what it has written; the text of libraries is resident because it is locked, but shared."""
    rollup = str(calm.dom0(f"cat /proc/{pid(calm)}/smaps_rollup"))
    sizes = {key: int(size) for key, size in re.findall(r"^(\w+):\s+(\d+) kB", rollup, re.M)}
    assert sizes["Private_Dirty"] <= 2048, rollup
    assert sizes["Locked"] >= sizes["Private_Dirty"]


def test_added_and_removed_domains_are_tracked(calm):
    calm.create_guest(Guest("late"))
    deadline = time.monotonic() + 20
    while "late" not in str(calm.dom0("cat /run/pmcoord/ports; pmcoord list")) or \
            not re.search(rf"^{calm.domid('late')} ", str(calm.dom0("cat /run/pmcoord/ports")), re.M):
        assert time.monotonic() < deadline
    assert json.loads(str(calm.dom0("pmcoord suspend late --json")))["result"] == "ok"
    calm.dom0("pmcoord resume-all -q")
    calm.dom0("xl destroy late")
    calm.guests.pop("late")
    report = json.loads(str(calm.dom0("pmcoord suspend-all --guests-only --json")))
    calm.dom0("pmcoord resume-all -q")
    assert {guest["name"] for guest in report["guests"]} == set(GUESTS)


@pytest.mark.long
def test_channels_survive_restarts_and_leak_no_port(calm):
    calm.dom0("pmcoord cycle -n 2 -q")
    before = {guest: ports(calm, guest) for guest in GUESTS}
    dom0_before = int(str(calm.dom0(f"{LSEVTCHN} 0 | wc -l")))
    for how in ("systemctl restart pmcoord", "systemctl kill -s KILL pmcoord") * 3:
        restart(calm, how)
        calm.dom0("pmcoord cycle -n 1 -q")
    assert {guest: ports(calm, guest) for guest in GUESTS} == before
    assert int(str(calm.dom0(f"{LSEVTCHN} 0 | wc -l"))) <= dom0_before


@pytest.mark.both
def test_a_killed_daemon_restarts_with_the_same_channels(calm):
    calm.dom0("sleep 1")
    before = str(calm.dom0("sort /run/pmcoord/ports"))
    assert " published " in before and " own " in before
    killed = pid(calm)
    restart(calm, f"kill -KILL {killed}")
    assert pid(calm) != killed
    # Also with the same local ports, because the kernel never unbound them.
    assert str(calm.dom0("sort /run/pmcoord/ports")) == before


def test_without_the_daemon_commands_run_the_jobs_themselves(calm):
    calm.dom0("systemctl stop pmcoord")
    try:
        report = json.loads(str(calm.dom0("pmcoord suspend-all --guests-only --json")))
        assert report["result"] == "ok"
        calm.dom0("pmcoord resume-all -q")
        assert set(states(calm).values()) == {"running"}
    finally:
        calm.dom0("systemctl start pmcoord")
    wait_ready(calm)
    assert json.loads(str(calm.dom0("pmcoord suspend-all --guests-only --json")))["result"] == "ok"
    calm.dom0("pmcoord resume-all -q")


@pytest.mark.parametrize("moment", [pytest.param(" down 0", marks=pytest.mark.long), pytest.param(" down 3", marks=pytest.mark.both),
                                    pytest.param(" running 3", marks=pytest.mark.long)])
def test_a_daemon_killed_in_a_cycle_is_restarted_and_resumes_all_guests_at_once(calm, moment):
    """SIGKILL after the first guest is suspended, after the last one, and after the first one is resumed."""
    daemon = pid(calm)
    watcher = calm.dom0_start(f"while ! grep -qs '{moment}' /run/pmcoord/cycles/*; do :; done; kill -KILL {daemon}")
    command = calm.dom0_start("pmcoord cycle -n 1 -q")
    watcher.wait(60)
    assert command.wait(60).status == 1
    # A guest that has acknowledged its request may suspend later; it must be resumed, too.
    calm.dom0("timeout 60 sh -c 'while ls /run/pmcoord/cycles/* >/dev/null 2>&1; do sleep 0.2; done'", timeout=80)
    assert set(states(calm).values()) == {"running"}
    wait_ready(calm)
    calm.wait_ping("web", seconds=15)
