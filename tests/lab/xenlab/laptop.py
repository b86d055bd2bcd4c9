# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laptop: Xen, dom0, guests, a lid. Each Laptop is a fresh copy of the same running machine."""

import contextlib
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Callable, Iterator

from . import cache, devices, images, qemu
from .channel import CommandFailed, Job, Result
from .errors import PATIENCE_S, LabError
from .payload import Payload
from .progress import say

GATEWAY = "10.0.2.2"
# Under emulation about one boot in thirty fails by itself.
ATTEMPTS = 3
# How much a guest's clock may differ from that of dom0 in a laptop to be copied. The tests of clocks allow the same.
CLOCK_ERROR_US = 1_000_000
TOOLS = "/usr/lib/lab"
_SECTOR = 64 * 1024  # block size of the mailbox, which bypasses dom0's page cache


@dataclass(frozen=True)
class Guest:
    """A guest to be created. kind: "small" (busybox in memory) or "netvm" (Debian, on a disk of its own in /srv/lab)."""

    name: str
    kind: str = "small"
    type: str = "pv"
    memory: int = 128
    backend: str | None = None  # the guest that its network interface is connected to
    ip: str | None = None
    router: bool = False
    pci: tuple[str, ...] = ()
    pv_drivers: bool = True  # False, for type "hvm": no xenstore, so only heartbeat() works
    extra: str = ""  # more lines of xl configuration

    def xl_config(self) -> str:
        kernel = "vmlinuz" if self.type == "hvm" else "vmlinux"
        lines = [
            f'name="{self.name}"', f'type="{self.type}"', f"memory={self.memory}", "vcpus=1", f'kernel="/srv/lab/{kernel}"',
            f'ramdisk="/srv/lab/{self.kind}.initrd"', f'extra="{self._kernel_arguments()}"',
        ]
        if self.type == "hvm":
            lines += ['vga="none"', "vnc=0", f'serial="file:{self.serial_log}"']
        if self.kind == "netvm":
            lines.append(f'disk=["/srv/lab/{self.name}.ext4,raw,xvda,rw"]')
        if self.pci:
            lines.append("pci=[" + ", ".join(f'"0000:{function}"' for function in self.pci) + "]")
        if self.pci or self.router:
            lines.append("driver_domain=1")
        if self.backend:
            lines.append(f'vif=["backend={self.backend},ip={self.ip}"]')
        # A guest that ends must not be restarted with another domid.
        lines.append('on_reboot="destroy"')
        lines.append('on_crash="destroy"')
        return "\n".join([*lines, self.extra, ""])

    @property
    def serial_log(self) -> str:
        """The output of the serial port of a guest of type "hvm"."""
        return f"/run/lab/console/{self.name}-serial.log"

    def _kernel_arguments(self) -> str:
        if self.kind == "netvm":
            # The image configures the card by its name in a PV guest; in an HVM guest it has another name.
            network = " systemd.mask=lab-net.service" if self.type == "hvm" or not self.pci else ""
            return f"console=hvc0 root=/dev/xvda rw quiet iommu=soft systemd.show_status=0{network}"
        words = [f"console={'hvc0' if self.pv_drivers else 'ttyS0'}", "quiet", f"lab.name={self.name}"]
        if not self.pv_drivers:
            words.append("nopv lab.beat")
        if self.ip:
            words.append(f"lab.ip={self.ip}")
        if self.router:
            words.append("lab.router")
        return " ".join(words)


DEFAULT_GUESTS = (
    Guest("netvm", kind="netvm", memory=320, pci=(qemu.NIC,)),
    Guest("fw", backend="netvm", ip="10.0.2.16", router=True),
    Guest("web", backend="fw", ip="10.0.2.17"),
    Guest("mail", backend="fw", ip="10.0.2.18"),
    Guest("vault", type="pvh", memory=192),
)


@dataclass(frozen=True)
class Transition:
    """A change of a domain's state in Xen: "running", "paused", "shutdown:suspend", "gone", …"""

    time_us: int  # CLOCK_BOOTTIME of dom0
    guest: str  # its name, or "domain N"
    state: str


@dataclass(frozen=True)
class Clocks:
    realtime_us: int
    monotonic_us: int
    boottime_us: int


class Observation:
    """The record of an observer; transitions is filled when the observation ends."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.blind_us: list[int] = []  # gaps between two samples longer than 20 ms, S3 among them

    def of(self, guest: str) -> list[Transition]:
        return [t for t in self.transitions if t.guest == guest]

    def first(self, guest: str, state: str) -> Transition:
        """The first transition of the guest to the state."""
        for transition in self.of(guest):
            if transition.state == state:
                return transition
        raise AssertionError(f"{guest} was never seen '{state}', but: {[t.state for t in self.of(guest)]}")


class Laptop:
    """A running laptop. Use it as a context manager, or call close()."""

    # ---- start and end ----

    def __init__(self, image_set: images.Images, ram: Path, disk: Path, workdir: Path, shared_ram: bool, incoming: bool,
                 nvme: bool = False, xen: bool = True) -> None:
        self._workdir = workdir
        self._domids: dict[str, int] = {}
        self.guests: dict[str, Guest] = {}
        self._power = threading.Condition()
        self._suspended = False
        self._suspends = 0  # how often S3 was reached
        self._suspends_awaited = 0
        self._give_ups_known = 0
        self._wakes = 0
        self._wakes_awaited = 0
        self._sleep_signals: list[bool] = []  # logind's PrepareForSleep
        self._machine = qemu.Machine(image_set, disk, ram, workdir, shared_ram, incoming, nvme, xen)
        self._machine.qmp.listen(self._on_event)
        self._channel = self._machine.channel

    def __enter__(self) -> "Laptop":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._machine.kill()
        shutil.rmtree(self._workdir, ignore_errors=True)

    @classmethod
    def fresh(cls, payload: Payload | None = None, guests: tuple[Guest, ...] = DEFAULT_GUESTS, nvme: bool = False) -> "Laptop":
        """A fresh copy of the running laptop, with the payload installed if there is one.

        The first call with these arguments builds and boots it, which takes minutes; later ones take seconds. One
        laptop at a time: close one before making the next.

        With nvme the copy has a multipath NVMe disk besides, assignable to guests: its controller is laptop.nvme.
        """
        qemu.refuse_a_second()
        image_set = images.build()
        # Before any lock of the cache, because making a snapshot starts a machine while it holds one.
        with qemu.one_lab:
            snapshot = _booted(image_set, guests)
            if payload:
                snapshot = _installed(image_set, snapshot, payload)
            return _repeated("the copy", lambda: cls._awake_copy(image_set, snapshot, nvme))

    @classmethod
    def without_xen(cls) -> "Laptop":
        """A fresh laptop that runs what else is dom0 on the hardware itself. It is booted each time, which takes a minute."""
        qemu.refuse_a_second()
        image_set = images.build()
        with qemu.one_lab:
            return _repeated("the boot without Xen", lambda: cls._boot_without_xen(image_set))

    @classmethod
    def _boot_without_xen(cls, image_set: images.Images) -> "Laptop":
        workdir = _new_workdir()
        _create_overlay(workdir / "disk.qcow2", image_set.disk, "raw")
        _make_ram(workdir / "ram")
        laptop = cls(image_set, workdir / "ram", workdir / "disk.qcow2", workdir, shared_ram=True, incoming=False, xen=False)
        try:
            laptop._wait_booted()
            laptop._listen_to_logind()
        except BaseException:
            laptop.close()
            raise
        return laptop

    def _wait_booted(self) -> str:
        """Returns systemd's state of the system."""
        try:
            self._channel.ping(PATIENCE_S)
        except (LabError, TimeoutError) as error:
            raise LabError(f"dom0 does not come up: {error}\n{self.consoles()}") from error
        # udev may still load drivers.
        return str(self.dom0("udevadm settle; systemctl is-system-running --wait", check=False))

    @classmethod
    def _awake_copy(cls, image_set: images.Images, snapshot: Path, nvme: bool) -> "Laptop":
        laptop = cls._copy(image_set, snapshot, nvme=nvme)
        try:
            if nvme:
                laptop.nvme = laptop._assignable("slot1")
            laptop._listen_to_logind()
        except BaseException:
            laptop.close()
            raise
        return laptop

    @classmethod
    def _copy(cls, image_set: images.Images, snapshot: Path, saved_in: Path | None = None, nvme: bool = False) -> "Laptop":
        """A copy of the snapshot. With saved_in, its disk and memory are in that directory, to be saved again."""
        workdir = _new_workdir()
        disk = (saved_in or workdir) / "disk.qcow2"
        ram = snapshot / "ram"
        if saved_in:
            ram = saved_in / "ram"
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", snapshot / "ram", ram], check=True)
        _create_overlay(disk, snapshot / "disk.qcow2", "qcow2")
        laptop = cls(image_set, ram, disk, workdir, shared_ram=saved_in is not None, incoming=True, nvme=nvme)
        try:
            laptop._machine.load(snapshot / "state")
            laptop._recall(json.loads((snapshot / "guests.json").read_text()))
            laptop._channel.ping(PATIENCE_S)
        except BaseException:
            laptop.close()
            raise
        return laptop

    def _recall(self, memory: dict) -> None:
        for entry in memory["guests"]:
            guest = Guest(**{**entry, "pci": tuple(entry["pci"])})
            self.guests[guest.name] = guest
        self._domids = memory["domids"]

    def _save(self, into: Path) -> None:
        memory = {"guests": [asdict(g) for g in self.guests.values()], "domids": self._domids}
        (into / "guests.json").write_text(json.dumps(memory))
        self.dom0("sync")
        self._machine.save(into / "state")
        self.close()

    # ---- commands ----

    def dom0(self, command: str, timeout: float = PATIENCE_S, check: bool = True, stdin: bytes | None = None) -> Result:
        """Runs a bash command in dom0. With check, a status other than 0 raises CommandFailed."""
        try:
            job = self._channel.start(command, stdin=stdin is not None)
            if stdin is not None:
                job.write(stdin)
                job.write(b"")
            result = job.wait(timeout)
        except TimeoutError as error:
            raise LabError(f"dom0: {error}\n{self.consoles()}") from error
        if check and result.status != 0:
            raise CommandFailed("dom0", result)
        return result

    def dom0_start(self, command: str, terminal: bool = False) -> Job:
        """Starts a bash command in dom0 and returns at once; the Job can be waited for, signalled and written to."""
        return self._channel.start(command, terminal)

    def guest(self, name: str, command: str, timeout: float = PATIENCE_S, check: bool = True) -> Result:
        """Runs a shell command in a guest. A guest that does not answer raises LabError."""
        helper = f"{TOOLS}/guestexec run {self.domid(name)} {timeout:g} {shlex.quote(command)}"
        result = replace(self.dom0(helper, timeout + 30, check=False), command=command)
        if result.status == 125:
            raise LabError(f"{name}: '{command}': {result.stderr}\n{self.consoles(name)}")
        if check and result.status != 0:
            raise CommandFailed(name, result)
        return result

    def put(self, path: str, data: bytes, mode: str = "644") -> None:
        """Writes a file in dom0."""
        quoted = shlex.quote(path)
        with open(self._machine.mailbox, "r+b") as mailbox:
            mailbox.write(data + bytes(-len(data) % _SECTOR))
        self.dom0(
            f"mkdir -p \"$(dirname {quoted})\" && head -c {len(data)} < <(dd if={qemu.MAILBOX} bs={_SECTOR} count={-(-len(data) // _SECTOR)} "
            f"iflag=direct status=none) > {quoted} && chmod {mode} {quoted}"
        )

    def get(self, path: str) -> bytes:
        """Reads a file of dom0."""
        quoted = shlex.quote(path)
        size = int(str(self.dom0(f"stat -Lc %s {quoted}")))
        if size > qemu.MAILBOX_SIZE:
            raise LabError(f"dom0: {path} has {size} bytes, too many to fetch")
        self.dom0(f"dd if={quoted} of={qemu.MAILBOX} bs={_SECTOR} conv=sync oflag=direct status=none")
        with open(self._machine.mailbox, "rb") as mailbox:
            return mailbox.read(size)

    def domid(self, name: str) -> int:
        if name not in self._domids:
            self._domids[name] = int(str(self.dom0(f"xl domid {shlex.quote(name)}")))
        return self._domids[name]

    # ---- guests ----

    def create_guest(self, guest: Guest, timeout: float = PATIENCE_S) -> None:
        """Creates a guest and waits until it answers."""
        self.put(f"/srv/lab/{guest.name}.cfg", guest.xl_config().encode())
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.dom0(f"xl create /srv/lab/{guest.name}.cfg", timeout)
                self._domids.pop(guest.name, None)
                self._wait_up(guest, timeout)
                break
            except LabError as error:
                if attempt == ATTEMPTS:
                    raise LabError(f"{guest.name} does not start\n{error}\n{self.consoles(guest.name)}") from error
                say(f"{guest.name} did not come up (attempt {attempt} of {ATTEMPTS}), creating it again: {' / '.join(str(error).splitlines()[:4])}")
                self.dom0(f"xl destroy {guest.name}", check=False)
        self.guests[guest.name] = guest
        # A kernel makes its boot_id at the first read: all copies must have the same.
        if guest.pv_drivers:
            self.boot_id(guest.name)

    def _wait_up(self, guest: Guest, timeout: float) -> None:
        if guest.pv_drivers:
            self.dom0(f"{TOOLS}/guestexec wait {self.domid(guest.name)} {timeout:g} data/lab/up", timeout + 10)
        else:
            self.dom0(f"grep -qm 1 'lab: beat' < <(exec timeout {timeout:g} tail -F -n +1 {guest.serial_log})", timeout + 10)

    def _settle(self) -> None:
        """Makes sure that every guest runs. Under emulation a PVH guest can fault some time after its start."""
        for _ in range(ATTEMPTS):
            gone = [name for name in self.guests if self.dom0(f"xl domid {name}", check=False).status != 0]
            if not gone:
                return
            for name in gone:
                say(f"{name} has ended since its start, creating it again")
                self.create_guest(self.guests[name])
        raise LabError(f"guests do not keep running: {', '.join(gone)}\n{self.consoles(*gone)}")

    def has_faulted(self, name: str) -> bool:
        """Whether the guest, of type "hvm" or "pvh", was ended by a fault of the emulation.

        A processor that is emulated in an emulated one may triple fault at any time. A kernel that ends by itself
        prints a panic.
        """
        if self._is_off():
            return False
        faults = re.findall(r"d(\d+)v\d+ Triple fault", self._machine.log("Xen"))
        log = self.dom0(f"cat /run/lab/console/guest-{name}.log", check=False).stdout
        return str(self.domid(name)) in faults and "Kernel panic" not in log

    def forget_guest(self, name: str) -> None:
        """To be called after a test has destroyed or rebooted a guest: its domid is read again."""
        self._domids.pop(name, None)

    def clocks(self, name: str | None = None) -> Clocks:
        """The clocks of a guest, or of dom0."""
        if name is None:
            return Clocks(*map(int, str(self.dom0(f"{TOOLS}/guestexec clocks")).split()))
        path = f"{TOOLS}/guestexec" if self.guests[name].kind == "netvm" else "guestexec"
        return Clocks(*map(int, str(self.guest(name, f"{path} clocks")).split()))

    def clock_error_us(self, name: str) -> int:
        """How much the guest's clock differs from dom0's, at least: the time to read them is unknown."""
        before, clocks, after = self.clocks(), self.clocks(name), self.clocks()
        return max(before.realtime_us - clocks.realtime_us, clocks.realtime_us - after.realtime_us, 0)

    def _check_networks(self, guests: tuple[Guest, ...]) -> None:
        for guest in guests:
            if guest.ip and guest.backend and not self.ping(guest.name, seconds=60):
                raise LabError(f"{guest.name} has no network:\n{self.consoles(guest.name, guest.backend)}")

    def _check_clocks(self) -> None:
        """Fails if a guest's clock is wrong, as after a boot on a starved machine: each copy would have that clock."""
        for name in (guest.name for guest in self.guests.values() if guest.pv_drivers):
            if (error_us := self.clock_error_us(name)) >= CLOCK_ERROR_US:
                raise LabError(f"{name}'s clock differs from dom0's by {error_us / 1e6:.1f} s")

    def heartbeat(self, name: str) -> int:
        """A number that grows while the guest runs, at least once a second, and starts again when it boots."""
        if not self.guests[name].pv_drivers:
            # The last line may be incomplete.
            return int(str(self.dom0(f"grep 'lab: beat' {self.guests[name].serial_log} | tail -n 2 | head -n 1")).split()[-1])
        return int(str(self.guest(name, "cat /run/heartbeat")))

    def boot_id(self, name: str | None = None) -> str:
        """Changes when the guest (or dom0) boots."""
        path = "cat /proc/sys/kernel/random/boot_id"
        return str(self.guest(name, path) if name else self.dom0(path))

    def ping(self, name: str, address: str = GATEWAY, count: int = 1, seconds: int = 2) -> bool:
        """Does the guest get an answer from the address (by default the gateway outside of the laptop)?"""
        return self.guest(name, f"ping -c {count} -w {seconds} -W {seconds} {address}", check=False).status == 0

    def wait_ping(self, name: str, address: str = GATEWAY, seconds: int = 10) -> float:
        """Pings five times a second, in one guest command, until there is an answer; returns the seconds it took."""
        command = f"timeout {seconds} sh -c 'until ping -c 1 -W 1 {address} >/dev/null 2>&1; do sleep 0.2; done'"
        result = self.guest(name, command, check=False)
        if result.status != 0:
            raise AssertionError(f"{name} gets no answer from {address} within {seconds} s")
        return result.seconds

    def wait_kernel_log(self, name: str, pattern: str, seconds: int = 60) -> str:
        """Waits until the kernel log of dom0 or of netvm has a matching line, and returns the line."""
        # Not a pipe, whose writer would end only at the next message.
        command = "bash -c " + shlex.quote(f"grep -m 1 -E {shlex.quote(pattern)} < <(exec timeout {seconds} dmesg --follow)")
        result = self.guest(name, command, check=False) if name != "dom0" else self.dom0(command, check=False)
        if result.status != 0:
            raise AssertionError(f"{name}: the kernel has not logged /{pattern}/ within {seconds} s")
        return str(result)

    # ---- sleep ----

    def close_lid(self, stays_closed: bool = False) -> None:
        """Closes the lid. On the next wake it is found open, unless it stays closed (a wake in a bag)."""
        job = self._channel.start(f"echo {'shut' if stays_closed else 'close'} > /run/lab-lid/fifo", stdin=False)
        # dom0 may sleep before it can report the end of the command.
        with contextlib.suppress(TimeoutError):
            if job.wait(2).status != 0:
                raise LabError(f"the lid does not close\n{self.consoles()}")

    def open_lid(self) -> None:
        self.dom0("echo open > /run/lab-lid/fifo")

    def wait_suspended(self, timeout: float = PATIENCE_S) -> None:
        """Waits until the machine is in S3. Raises when it is not reached, or logind has given up."""
        def look() -> bool:
            return self._suspends > self._suspends_awaited or self._give_ups() > self._give_ups_known or self._is_off()

        with self._power:
            reached = self._power.wait_for(look, timeout)
            slept = self._suspends > self._suspends_awaited
            self._suspends_awaited = self._suspends
            self._give_ups_known = self._give_ups()
        if not slept:
            reason = "dom0 gave up going to sleep" if reached and not self._is_off() else f"S3 was not reached within {timeout:g} s"
            raise LabError(f"{'QEMU has ended' if self._is_off() else reason}\n{self._sleep_log()}\n{self.consoles()}")

    def wake(self) -> None:
        """Wakes the machine from S3, as its lid or power button would."""
        self._machine.qmp.execute("system_wakeup")

    def wait_awake(self, timeout: float = PATIENCE_S) -> None:
        """Waits until the machine has left S3, dom0 runs programs again, and logind has signalled the end of the sleep."""
        deadline = time.monotonic() + timeout
        with self._power:
            if not self._power.wait_for(lambda: self._wakes > self._wakes_awaited or self._is_off(), timeout) or self._is_off():
                raise LabError(f"the machine did not wake up within {timeout:g} s\n{self.consoles()}")
            self._wakes_awaited = self._wakes
        try:
            self._channel.ping(max(1, deadline - time.monotonic()))
        except TimeoutError as error:
            raise LabError(f"woken, but dom0 does not answer within {timeout:g} s\n{self.consoles()}") from error
        with self._power:
            over = self._power.wait_for(lambda: not self._sleep_signals or not self._sleep_signals[-1], max(1, deadline - time.monotonic()))
        if not over:
            raise LabError(f"woken, but logind has not signalled the end of the sleep within {timeout:g} s\n{self._sleep_log()}")

    def sleep_and_wake(self) -> None:
        """One cycle: lid closed, S3, lid opened, dom0 awake."""
        self.close_lid()
        self.wait_suspended()
        self.wake()
        self.wait_awake()

    def is_suspended(self) -> bool:
        return self._suspended

    def _give_ups(self) -> int:
        """How often a sleep of logind ended without S3."""
        return max(0, self._sleep_signals.count(False) - self._suspends)

    def _is_off(self) -> bool:
        return self._machine.has_ended()

    def _on_event(self, event: dict) -> None:
        with self._power:
            if event["event"] == "SUSPEND":
                self._suspended = True
                self._suspends += 1
            elif event["event"] == "WAKEUP":
                self._suspended = False
                self._wakes += 1
            self._power.notify_all()

    def _listen_to_logind(self) -> None:
        match = "type='signal',sender='org.freedesktop.login1',member='PrepareForSleep'"
        job = self.dom0_start(f"exec dbus-monitor --system \"{match}\"")
        # With its first line it is a monitor, and misses no further signal.
        job.wait_output("NameLost|NameAcquired")

        def on_signals(_: bytes) -> None:
            text = job.stdout.decode(errors="replace")
            with self._power:
                self._sleep_signals[:] = [value == "true" for value in re.findall(r"boolean (true|false)\n", text)]
                self._power.notify_all()

        job.on_output(on_signals)

    def _sleep_log(self) -> str:
        with contextlib.suppress(LabError, TimeoutError):
            return str(self._quick("systemctl --failed --no-legend; journalctl -b -n 25 --no-pager -o short-monotonic"))
        return ""

    def monitor(self, command: str) -> str:
        """Runs a command of QEMU's monitor, which can read the hardware also while the machine sleeps."""
        return self._machine.monitor(command)

    # ---- devices ----

    def plug(self, name: str) -> str:
        """Plugs in a device of devices.PLUGGABLE. Returns the address of a PCI function, which is assignable then, or
        "" for a USB device."""
        place = self._machine.plug(name)
        return self._assignable(place) if place in devices.SLOTS else ""

    def pull(self, name: str) -> None:
        """Pulls out a device, without asking anybody; also while the machine sleeps."""
        self._machine.pull(name)

    def _assignable(self, slot: str) -> str:
        """Waits for the function in a slot, and assigns it to pciback. Returns its address."""
        path = f"/sys/bus/pci/devices/0000:{devices.SLOTS[slot]}/0000:*"
        path = str(self.dom0(f"timeout {PATIENCE_S} sh -c 'until ls -d {path}; do sleep 0.1; done 2>/dev/null' && udevadm settle"))
        address = path.rpartition("0000:")[2]
        self.dom0(f"xl pci-assignable-add {address}")
        return address

    # ---- installing ----

    def install(self, payload: Payload) -> None:
        """Puts the payload into this running laptop and runs its commands."""
        for name, archive in payload.archives().items():
            self.put(f"/run/lab/{name}.tar", archive)
        unpack = "tar -x --keep-directory-symlink --no-overwrite-dir -C / -f"
        if payload.dom0:
            self.dom0(f"{unpack} /run/lab/dom0.tar")
            for command in payload.dom0_setup:
                self.dom0(command)
        if payload.netvm:
            self._unpack_in_guest("netvm", "/run/lab/netvm.tar", unpack)
            for command in payload.netvm_setup:
                self.guest("netvm", command)
        self.dom0("rm -f /run/lab/dom0.tar /run/lab/netvm.tar")

    def _unpack_in_guest(self, name: str, archive: str, unpack: str) -> None:
        """Attaches the archive to the guest as a read-only disk, and unpacks it there."""
        self.dom0(f"xl block-attach {name} format=raw,vdev=xvdp,access=r,target={archive}")
        self.guest(name, f"udevadm wait --timeout=20 /dev/xvdp && {unpack} /dev/xvdp")
        self.dom0(f"xl block-detach {name} xvdp")

    # ---- observers ----

    @contextlib.contextmanager
    def observe(self) -> Iterator[Observation]:
        """Records each domain's state in Xen during the block: an independent program samples it every millisecond."""
        observation = Observation()
        job = self.dom0_start(f"exec {TOOLS}/observer /run/lab/observed")
        job.wait_output("watching")
        names = {}
        try:
            names = self._names_by_domid()
            yield observation
        finally:
            job.signal(15)
            job.wait()
        names.update(self._names_by_domid())
        for line in self.get("/run/lab/observed").decode().splitlines():
            time_us, domid, _, state = line.split()
            if domid == "-":
                observation.blind_us += [int(state.split(":")[1])] if state.startswith("blind:") else []
                continue
            observation.transitions.append(Transition(int(time_us), names.get(int(domid), f"domain {domid}"), state))

    def _names_by_domid(self) -> dict[int, str]:
        lines = str(self.dom0("xl list | tail -n +2")).splitlines()
        return {int(words[1]): words[0] for words in map(str.split, lines)}

    def consoles(self, *guests: str, lines: int = 25) -> str:
        """The last lines that Xen, dom0's kernel and the guests have written."""
        parts = [(name, self._machine.log(name).splitlines()) for name in ("Xen", "dom0")]
        for guest in guests:
            try:
                parts.append((guest, str(self._quick(f"tail -n {lines} /run/lab/console/guest-{guest}.log")).splitlines()))
            except (LabError, TimeoutError) as error:
                parts.append((guest, [f"(not available: {str(error).splitlines()[0]})"]))
        return "\n".join(f"--- last lines of {name}:\n" + "\n".join(log[-lines:]) for name, log in parts)

    def _quick(self, command: str) -> Result:
        """For error reports: does not wait long, because dom0 may be dead or asleep."""
        if self._suspended:
            raise LabError("dom0 is asleep")
        self._channel.ping(3)
        return self._channel.start(command).wait(10)


# ---- snapshots ----


def _repeated(what: str, set_up: Callable, into: Path | None = None):
    """Calls set_up, again if it fails; `into` is a directory that is emptied before that."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return set_up()
        except (LabError, TimeoutError) as error:
            if attempt == ATTEMPTS:
                raise
            say(f"{what} failed (attempt {attempt} of {ATTEMPTS}), trying again. {error}")
            for file in into.iterdir() if into else ():
                file.unlink()


def _new_workdir() -> Path:
    """Makes a directory for one running copy; removes those of killed runs."""
    parent = cache.root() / "run"
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.iterdir():
        owner = int(old.name.split("-")[0])
        if not Path(f"/proc/{owner}").exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))


def _create_overlay(overlay: Path, backing: Path, backing_format: str) -> None:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", backing_format, str(overlay)]
    subprocess.run(command, check=True)


def _make_ram(path: Path) -> None:
    with open(path, "wb") as ram:
        ram.truncate(4 << 30)


def _booted(image_set: images.Images, guests: tuple[Guest, ...]) -> Path:
    anywhere = Path()
    key = cache.Key(image_set.key, qemu.version(), *qemu.hardware(image_set, anywhere, anywhere, anywhere, True))
    key.add(*map(repr, guests), *(guest.xl_config() for guest in guests), inspect.getsource(_boot))

    def make(into: Path) -> None:
        _repeated("the boot", lambda: _boot(image_set, guests, into), into)

    return cache.get("laptops", key, make, keep=6)


def _boot(image_set: images.Images, guests: tuple[Guest, ...], into: Path) -> None:
    say(f"booting the laptop ({qemu.accelerator()}): Xen and dom0")
    _create_overlay(into / "disk.qcow2", image_set.disk, "raw")
    _make_ram(into / "ram")
    with Laptop(image_set, into / "ram", into / "disk.qcow2", _new_workdir(), shared_ram=True, incoming=False) as laptop:
        if laptop._wait_booted() != "running":
            raise LabError(f"dom0 is not well:\n{laptop.dom0('systemctl --failed --no-legend; journalctl -b -p warning --no-pager')}")
        for function in (qemu.NIC, qemu.USB, devices.AHCI, devices.HDA):
            laptop.dom0(f"xl pci-assignable-add {function}")
        laptop.boot_id()
        for guest in guests:
            say(f"booting the laptop: guest {guest.name}")
            laptop.create_guest(guest)
        laptop._settle()
        laptop._check_clocks()
        laptop._check_networks(guests)
        say("booting the laptop: snapshot")
        laptop._save(into)
    say("the laptop is ready to be copied")


def _installed(image_set: images.Images, booted: Path, payload: Payload) -> Path:
    def install(into: Path) -> None:
        with Laptop._copy(image_set, booted, saved_in=into) as laptop:
            laptop.install(payload)
            laptop._settle()
            laptop._save(into)

    key = cache.Key(booted.name).add(str(payload.key())).add_tree(Path(__file__).parent / "payload.py")

    def make(into: Path) -> None:
        say("installing pmcoord in the laptop")
        _repeated("the installation", lambda: install(into), into)
        say("the laptop with pmcoord is ready to be copied")

    return cache.get("installed", key, make, keep=6)
