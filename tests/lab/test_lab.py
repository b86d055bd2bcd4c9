# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of the lab itself."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from xenlab import DEFAULT_GUESTS, CommandFailed, Guest, LabError, Laptop, Payload, qemu
from xenlab.channel import Channel


def test_a_wait_for_an_unread_serial_port_ends_at_its_timeout():
    ours, theirs = socket.socketpair()
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(bytes(1024), socket.MSG_DONTWAIT)
    channel = Channel(ours, lambda: "off")
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.ping(1.5)
    assert time.monotonic() - start < 10
    channel.close()
    theirs.close()


def test_app_guests_reach_the_network_through_router_and_driver_domain(bare_laptop):
    assert bare_laptop.ping("web") and bare_laptop.ping("mail")

    for server in ("fw", "netvm"):
        bare_laptop.dom0(f"xl pause {server}")
        assert not bare_laptop.ping("web"), f"web reaches the gateway without {server}"
        bare_laptop.dom0(f"xl unpause {server}")
        bare_laptop.wait_ping("web")


def test_closed_lid_brings_the_machine_to_s3_and_it_wakes(bare_laptop):
    before = bare_laptop.clocks()
    boots = {guest: bare_laptop.boot_id(guest) for guest in bare_laptop.guests}

    bare_laptop.close_lid()
    bare_laptop.wait_suspended()
    assert bare_laptop.is_suspended()
    time.sleep(3)  # the duration of the sleep
    bare_laptop.wake()
    bare_laptop.wait_awake()

    after = bare_laptop.clocks()
    assert "Lid closed." in str(bare_laptop.dom0("journalctl -b -t systemd-logind"))
    slept = (after.boottime_us - after.monotonic_us) - (before.boottime_us - before.monotonic_us)
    assert slept > 2_000_000, "dom0's kernel has not counted the sleep"
    assert {guest: bare_laptop.boot_id(guest) for guest in bare_laptop.guests} == boots


@pytest.mark.long
def test_lid_that_stays_closed_puts_the_machine_to_sleep_again(bare_laptop):
    bare_laptop.close_lid(stays_closed=True)
    bare_laptop.wait_suspended()
    bare_laptop.wake()
    bare_laptop.wait_suspended()


def test_a_refused_sleep_is_reported_with_its_reason(bare_laptop):
    bare_laptop.put("/run/systemd/system/refuse.service", b"""[Unit]
Before=sleep.target
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/false
""")
    bare_laptop.dom0("mkdir -p /run/systemd/system/sleep.target.requires && systemctl daemon-reload"
                     " && ln -s ../refuse.service /run/systemd/system/sleep.target.requires/ && systemctl daemon-reload")
    bare_laptop.close_lid()

    with pytest.raises(LabError, match="(?s)gave up.*refuse.service"):
        bare_laptop.wait_suspended()


@pytest.mark.long
def test_copies_of_one_running_machine_are_independent():
    with Laptop.fresh() as one:
        one.dom0("echo spoiled > /etc/hostname; xl destroy web")
        boots = one.boot_id(), one.boot_id("mail")
    with Laptop.fresh() as other:
        assert str(other.dom0("cat /etc/hostname")) == "dom0"
        assert other.ping("web")
        assert (other.boot_id(), other.boot_id("mail")) == boots


def test_a_second_laptop_beside_another_is_refused(bare_laptop):
    with pytest.raises(LabError, match="already: close it first"):
        Laptop.fresh()
    bare_laptop.dom0("true")


@pytest.mark.long
def test_a_copy_answers_within_seconds():
    Laptop.fresh().close()
    with qemu.one_lab:  # do not measure the wait for other processes
        start = time.monotonic()
        with Laptop.fresh() as laptop:
            laptop.dom0("true")
        # Two seconds on an idle machine; booting takes minutes.
        assert time.monotonic() - start < 20


def test_commands_in_dom0_keep_streams_apart_and_bytes_as_they_are(bare_laptop):
    result = bare_laptop.dom0("cat; echo oops >&2; exit 7", stdin=bytes(range(256)) * 40, check=False)
    assert (result.status, result.stdout_bytes, result.stderr) == (7, bytes(range(256)) * 40, "oops\n")
    with pytest.raises(CommandFailed, match="(?s)dom0.*status 3.*hopeless"):
        bare_laptop.dom0("echo hopeless; exit 3")
    with pytest.raises(LabError, match="still runs after 1 s"):
        bare_laptop.dom0("sleep 100", timeout=1)
    assert str(bare_laptop.dom0("sleep 1000 & echo done", timeout=20)) == "done"
    assert str(bare_laptop.dom0(f"echo {'x' * 5000} | wc -c")) == "5001"


def test_files_go_to_dom0_and_back(bare_laptop):
    for size in (0, 1, 65536, 3_000_001):
        data = os.urandom(size)
        bare_laptop.put("/run/lab/there/file", data)
        assert bare_laptop.get("/run/lab/there/file") == data


@pytest.mark.long
def test_command_that_runs_across_a_sleep_loses_no_output(bare_laptop):
    job = bare_laptop.dom0_start("for i in $(seq 60); do echo $i; sleep 0.1; done")
    bare_laptop.sleep_and_wake()
    assert job.wait(60).stdout == "".join(f"{i}\n" for i in range(1, 61))


@pytest.mark.long
@pytest.mark.parametrize("guest", ["netvm", "web", "vault"])
def test_commands_in_guests(bare_laptop, guest):
    result = bare_laptop.guest(guest, "echo out; echo err >&2; exit 4", check=False)
    assert (result.status, result.stdout, result.stderr) == (4, "out\n", "err\n")
    assert len(bare_laptop.guest(guest, "head -c 30000 /dev/zero | tr '\\0' x").stdout) == 30000
    assert str(bare_laptop.guest(guest, "sleep 1000 >/dev/null 2>&1 & echo done")) == "done"
    assert bare_laptop.heartbeat(guest) > 0
    bare_laptop.dom0(f"xl pause {guest}")
    with pytest.raises(LabError, match=f"(?s){guest}.*did not answer in time.*last lines of {guest}"):
        bare_laptop.guest(guest, "true", timeout=1)


@pytest.mark.long
def test_witness_sees_what_xen_does_with_domains_in_order(bare_laptop):
    with bare_laptop.observe() as seen:
        bare_laptop.dom0("xl pause web; xl pause mail; xl unpause mail; xl destroy vault")

    assert [t.state for t in seen.of("web")] == ["running", "paused"]
    assert [t.state for t in seen.of("mail")] == ["running", "paused", "running"]
    assert seen.of("vault")[-1].state in ("paused+dying", "gone")
    assert seen.first("web", "paused").time_us < seen.first("mail", "paused").time_us < seen.of("vault")[-1].time_us


@pytest.mark.long
def test_a_user_process_in_the_driver_domain_counts_unless_it_is_frozen(bare_laptop):
    def count() -> int:
        return int(str(bare_laptop.guest("netvm", "cat /run/user-heartbeat")))

    bare_laptop.guest("netvm", "echo 1 > /sys/fs/cgroup/user.slice/cgroup.freeze")
    frozen = count()
    bare_laptop.guest("netvm", "sleep 1")
    assert count() == frozen
    bare_laptop.guest("netvm", "echo 0 > /sys/fs/cgroup/user.slice/cgroup.freeze; sleep 1")
    assert count() > frozen


@pytest.mark.long
def test_nothing_in_the_image_repairs_the_bridge_when_the_card_is_bound_again(bare_laptop):
    bare_laptop.guest("netvm", "cd /sys/bus/pci/drivers/e1000e && echo 0000:00:00.0 > unbind && echo 0000:00:00.0 > bind && udevadm settle")

    link = str(bare_laptop.guest("netvm", "ip link show enp0s0"))
    assert "master" not in link and "state DOWN" in link
    assert not bare_laptop.ping("web")
    bare_laptop.guest("netvm", "ip link set enp0s0 master br0 && ip link set enp0s0 up")
    bare_laptop.wait_ping("web")


def _stand_in(at: Path) -> Payload:
    """A payload like pmcoord: a unit that sleep.target requires, and an agent."""
    units = {
        at / "dom0/usr/lib/systemd/system/pmcoord-sleep.service":
            "[Unit]\nBefore=sleep.target\nStopWhenUnneeded=yes\n"
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/pmcoord\n[Install]\nRequiredBy=sleep.target\n",
        at / "netvm/usr/lib/systemd/system/pmcoord-agent.service":
            "[Service]\nExecStart=/usr/sbin/pmcoord-agent\n[Install]\nWantedBy=multi-user.target\n",
    }
    programs = {
        at / "dom0/usr/bin/pmcoord": "#!/bin/sh\nexec touch /run/stand-in-ran\n",
        at / "netvm/usr/sbin/pmcoord-agent": "#!/bin/sh\nexec sleep infinity\n",
    }
    for path, text in (units | programs).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if path in programs else 0o644)
    return Payload(at / "dom0", at / "netvm", dom0_setup=("systemctl daemon-reload", "systemctl enable pmcoord-sleep.service"))


@pytest.mark.long
def test_a_payload_works_in_each_copy(tmp_path):
    payload = _stand_in(tmp_path)
    for _ in range(2):
        with Laptop.fresh(payload) as laptop:
            assert str(laptop.guest("netvm", "systemctl is-active pmcoord-agent")) == "active"
            assert laptop.ping("web")
            laptop.dom0("test ! -e /run/stand-in-ran")
            laptop.sleep_and_wake()
            laptop.dom0("test -e /run/stand-in-ran")


@pytest.mark.long
def test_a_laptop_with_other_guests_and_a_usb_controller_in_the_driver_domain():
    netvm = replace(DEFAULT_GUESTS[0], pci=(qemu.NIC, qemu.USB))
    with Laptop.fresh(guests=(netvm,)) as laptop:
        laptop.guest("netvm", "udevadm wait --timeout=20 /dev/sda")
        assert "QEMU HARDDISK" in str(laptop.guest("netvm", "cat /sys/block/sda/device/model"))
        assert laptop.ping("netvm")
        laptop.create_guest(Guest("late"))
        assert laptop.heartbeat("late") > 0


@pytest.mark.long
def test_qemu_ends_with_the_process_that_started_it():
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from xenlab import Laptop; laptop = Laptop.fresh()\n"
        "print(laptop._machine._process.pid, flush=True); time.sleep(1000)"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True)
    qemu = int(child.stdout.readline())
    # A descriptor of the process, because its number may be reused.
    watch = os.pidfd_open(qemu)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert select.select([watch], [], [], 10)[0], "QEMU outlives a killed lab"
    os.close(watch)


def test_a_laptop_that_is_switched_off_is_an_error_with_a_reason(bare_laptop):
    with pytest.raises(LabError, match="off|ended"):
        bare_laptop.dom0("echo b > /proc/sysrq-trigger; sleep 100", timeout=30)
