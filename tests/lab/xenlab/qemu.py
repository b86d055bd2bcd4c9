# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process: the laptop's hardware."""

import atexit
import fcntl
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache, devices
from .channel import Channel
from .errors import LabError
from .images import Images
from .progress import say

QEMU = "qemu-system-x86_64"
MEMORY = "4G"
NIC = "00:04.0"
USB = "00:05.0"  # a controller with a stick, assigned to no guest by default
MAILBOX = "/dev/disk/by-id/ata-QEMU_HARDDISK_mailbox"
MAILBOX_SIZE = 256 << 20
STICK_SIZE = 16 << 20
SLOT_CONTROL = 0x6C  # in the configuration space of QEMU's root port
POWER_OFF = 0x0700  # power controller, power indicator
STOPS = 200
XEN_ADDRESSES = range(0xFFFF800000000000, 0xFFFF880000000000)  # xen/include/asm-x86/config.h

# Xen and dom0 have serial ports of their own: on a shared one, Xen 4.20 stalls when the machine is busy.
XEN_PORT, XEN_INTERRUPT = "0x3e8", 5
XEN_ARGUMENTS = (
    f"console=com1 com1=115200,8n1,{XEN_PORT},{XEN_INTERRUPT} dom0_mem=1024M,max:1024M dom0_max_vcpus=2 loglvl=all guest_loglvl=all "
    # A machine whose unused memory was never written has a small snapshot.
    "bootscrub=0"
)
DOM0_ARGUMENTS = (
    "root=LABEL=dom0 rw console=ttyS0 nomodeset systemd.show_status=0 no_console_suspend panic=1 "
    # On a busy machine dom0's kernel would print long stall warnings on a slow console.
    "rcupdate.rcu_cpu_stall_suppress=1 nowatchdog"
)

# PDEATHSIG kills a child when the *thread* that started it ends, so this thread must outlive all users.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu-starter")
_running: "weakref.WeakSet[Machine]" = weakref.WeakSet()


@atexit.register
def _kill_all() -> None:
    for machine in list(_running):
        machine.kill()


@functools.cache
def accelerator() -> str:
    """'kvm' if hardware virtualization is there and really executes code, else 'tcg' (plain emulation)."""
    forced = os.environ.get("PMCOORD_LAB_ACCEL")
    if forced:
        return forced
    flags = Path("/proc/cpuinfo").read_text().split()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK) or not {"vmx", "svm"} & set(flags):
        return "tcg"
    # A firmware of three instructions, which leaves QEMU by its exit port: (1 << 1) | 1.
    rom = bytearray(b"\xf4" * 65536)
    rom[0xFFF0:0xFFF5] = b"\xb0\x01\xe6\xf4\xf4"
    with tempfile.NamedTemporaryFile(suffix=".rom") as file:
        file.write(rom)
        file.flush()
        command = [QEMU, "-M", "q35", "-accel", "kvm", "-cpu", "host", "-display", "none", "-vga", "none", "-nic", "none",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-bios", file.name]
        try:
            works = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 3
        except subprocess.TimeoutExpired:
            works = False
    return "kvm" if works else "tcg"


@functools.cache
def version() -> str:
    if not shutil.which(QEMU):
        raise LabError(f"{QEMU} is not installed; tests/lab/packages lists what the lab needs")
    return subprocess.run([QEMU, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]


def _boot(images: Images, xen: bool) -> list[str]:
    if not xen:
        return ["-kernel", str(images.packed_kernel), "-append", DOM0_ARGUMENTS, "-initrd", str(images.initrd)]
    modules = f"{images.kernel} earlyprintk=xen {DOM0_ARGUMENTS},{images.initrd}"
    return ["-kernel", str(images.xen), "-append", XEN_ARGUMENTS, "-initrd", modules]


def hardware(images: Images, disk: Path, ram: Path, workdir: Path, shared: bool, xen: bool = True) -> list[str]:
    """The command line that makes the laptop. Files in workdir: what is not part of a snapshot.

    Without xen, what else is dom0 runs on the hardware itself.
    """
    kvm = accelerator() == "kvm"
    machine = "q35,memory-backend=ram" + (",kernel-irqchip=split" if kvm else "")
    # More capable models trip bugs of the emulation: with "max", dom0 dies under SMAP and PVH guests under RDTSCP.
    # Without rdrand, boots sometimes wait half a minute for randomness. With +invtsc (x-force-features) Xen does
    # not measure the TSC's rate, which goes wrong on a busy machine; but then timers are late after S3.
    cpu = ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", "qemu64,+svm,+npt,+rdrand"]
    return [
        "-M", machine, *cpu, "-smp", "2", "-m", MEMORY,
        "-object", f"memory-backend-file,id=ram,size={MEMORY},mem-path={ram},share={'on' if shared else 'off'}",
        # The clock of a copy continues from the time of the snapshot.
        "-rtc", "base=utc,clock=vm",
        "-global", "ICH9-LPC.disable_s3=0", "-global", "ICH9-LPC.disable_s4=1",
        "-device", "intel-iommu,intremap=on",
        "-netdev", "user,id=net,restrict=on", "-device", f"e1000e,netdev=net,addr={NIC[3:5]}",
        *_boot(images, xen),
        "-drive", f"file={disk},format=qcow2,if=none,id=disk,cache=unsafe,discard=unmap", "-device", "ide-hd,drive=disk,bus=ide.0",
        # Read and written from both sides: the serial port moves 13 KB a second.
        "-drive", f"file={workdir / 'mailbox'},format=raw,if=none,id=mailbox,cache=unsafe",
        "-device", "ide-hd,drive=mailbox,bus=ide.1,serial=mailbox",
        "-device", f"qemu-xhci,id=usb,addr={USB[3:5]}",
        # PCIe's own hotplug, as laptops have it: a slot's power can be switched.
        "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
        *devices.fixed(workdir / "ahci"),
        *(word for number, (slot, port) in enumerate(devices.SLOTS.items(), 1)
          for word in ("-device", f"pcie-root-port,id={slot},chassis={number},addr={port[3:5]}")),
        "-drive", f"file={workdir / 'stick'},format=raw,if=none,id=stick,cache=unsafe", "-device", "usb-storage,bus=usb.0,drive=stick",
        # A machine that reboots has crashed: QEMU ends, which ends all waits at once.
        "-no-reboot", "-display", "none", "-vga", "none", "-nic", "none", "-monitor", "none", "-nodefaults",
        "-chardev", f"file,id=xen,path={workdir / 'xen.log'}", "-device", f"isa-serial,chardev=xen,iobase={XEN_PORT},irq={XEN_INTERRUPT}",
        "-chardev", f"file,id=console,path={workdir / 'dom0.log'}", "-serial", "chardev:console",
    ]


class _OneLab:
    """Lets one process at a time have a laptop, because two starve each other: another process waits.

    Reentrant: the lock is released when it was left as often as entered. A second laptop in the same process is refused
    by refuse_a_second().
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._machines = 0
        self._file = None

    def __enter__(self) -> None:
        with self._mutex:
            self._machines += 1
            if self._machines > 1:
                return
            cache.root().mkdir(parents=True, exist_ok=True)
            self._file = open(cache.root() / "lab.lock", "w")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting: another lab is running on this machine")
                fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_) -> None:
        with self._mutex:
            self._machines -= 1
            if self._machines == 0:
                self._file.close()


one_lab = _OneLab()


def refuse_a_second() -> None:
    """Raises while this process has a laptop."""
    if _running:
        raise LabError("there is a laptop already: close it first; two starve each other, and a sleep then takes minutes")


def _make_empty(file: Path, size: int) -> None:
    with open(file, "wb") as empty:
        empty.truncate(size)


class Machine:
    """A running QEMU. It dies with this process, however that ends."""

    def __init__(self, images: Images, disk: Path, ram: Path, workdir: Path, shared_ram: bool = False, incoming: bool = False,
                 nvme: bool = False, xen: bool = True) -> None:
        self._workdir = workdir
        self._consoles = {"Xen": workdir / "xen.log", "dom0": workdir / "dom0.log"}
        self.mailbox = workdir / "mailbox"
        for file, size in ((self.mailbox, MAILBOX_SIZE), (workdir / "stick", STICK_SIZE), (workdir / "nvme", devices.DISK_SIZE),
                           (workdir / "ahci", devices.DISK_SIZE)):
            _make_empty(file, size)
        self._errors = workdir / "qemu.log"
        self._nvme = nvme
        self._plugged: dict[str, str] = {}  # names of devices, and where each is
        one_lab.__enter__()
        command_end, command_qemu = socket.socketpair()
        qmp_end, qmp_qemu = socket.socketpair()
        command = [
            "setpriv", "--pdeathsig", "KILL", QEMU, *hardware(images, disk, ram, workdir, shared_ram, xen),
            "-chardev", f"socket,id=command,fd={command_qemu.fileno()}", "-serial", "chardev:command",
            "-chardev", f"socket,id=qmp,fd={qmp_qemu.fileno()}", "-mon", "chardev=qmp,mode=control",
        ]
        if incoming:
            command += ["-incoming", "defer"]
        if nvme:
            command += devices.multipath(workdir / "nvme")
        with command_qemu, qmp_qemu, open(self._errors, "wb") as errors:
            self._process = _starter.submit(
                subprocess.Popen, command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                pass_fds=(command_qemu.fileno(), qmp_qemu.fileno()),
            ).result()
        _running.add(self)
        self.channel = Channel(command_end, self._last_words)
        self.qmp = Qmp(qmp_end, self._last_words)
        try:
            self.qmp.execute("qmp_capabilities")
        except BaseException:
            self.kill()
            raise

    def _last_words(self) -> str:
        errors = self._errors.read_text(errors="replace").strip() or "without a word"
        consoles = (f"--- last lines of {name}:\n" + "\n".join(self.log(name).splitlines()[-25:]) for name in self._consoles)
        return "\n".join([f"the laptop is off: QEMU has ended: {errors}", *consoles])

    def log(self, name: str) -> str:
        """What "Xen" or "dom0" has written to its console: lines that are not empty, without control sequences."""
        log = self._consoles[name]
        # A QEMU that refuses its command line has made no file.
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", log.read_text(errors="replace")) if log.exists() else ""
        return "".join(f"{line}\n" for line in text.splitlines() if line.strip())

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """Ends QEMU at once. Its disk is a temporary copy, so nothing is lost."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self in _running:
            _running.discard(self)
            one_lab.__exit__()
        self.qmp.close()
        self.channel.close()

    def save(self, state: Path) -> None:
        """Stops the machine and writes all but its memory, which is in its file already; QEMU ends."""
        self._stop_outside_of_hvm_guests()
        self._migrate("migrate", f"exec:cat > '{state}'")
        self.qmp.execute("quit")
        self._process.wait(60)
        self.kill()

    def _stop_outside_of_hvm_guests(self) -> None:
        """QEMU's emulation cannot load a state in which a processor is inside of an HVM or PVH guest."""
        for _ in range(STOPS):
            self.qmp.execute("stop")
            if not self._is_in_hvm_guest():
                return
            self.qmp.execute("cont")
            time.sleep(0.01)
        raise LabError(f"a processor was inside of an HVM or PVH guest at each of {STOPS} looks")

    def _is_in_hvm_guest(self) -> bool:
        """Xen loads its own interrupt descriptor table for itself and for PV guests; only an HVM or PVH guest has its own."""
        registers = self.monitor("info registers -a")
        tables = [int(address, 16) for address in re.findall(r"^IDT=\s*([0-9a-f]+)", registers, re.MULTILINE)]
        if not tables:
            raise LabError(f"QEMU does not show its processors:\n{registers}")
        return any(address not in XEN_ADDRESSES for address in tables)

    def load(self, state: Path) -> None:
        """Continues where save() stopped."""
        if self._nvme:
            self._cut_power("slot1")
        self._migrate("migrate-incoming", f"exec:cat '{state}'")
        self.qmp.execute("cont")
        if self._nvme:
            self.qmp.execute("device_add", driver="nvme", id="second", serial="lab", subsys="nvme-subsystem", bus="slot1")

    # ---- devices ----

    def plug(self, name: str) -> str:
        """Plugs in a device of devices.PLUGGABLE; returns the slot, or the USB bus."""
        if name not in devices.PLUGGABLE:
            raise LabError(f"no device '{name}', but: {', '.join(devices.PLUGGABLE)}")
        device = devices.PLUGGABLE[name]
        place = devices.CONTROLLER if device.usb else self._free_slot()
        self._connect(device, name, place)
        self._plugged[name] = place
        return place

    def pull(self, name: str) -> None:
        """Pulls out a device, which vanishes at once."""
        before = len(self.qmp.events)
        if devices.PLUGGABLE[name].usb:
            self.qmp.execute("device_del", id=name)
        else:
            self._cut_power(self._plugged[name])
        self.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == name, after=before)
        if devices.PLUGGABLE[name].network:
            self.qmp.execute("netdev_del", id=f"{name}-network")
        del self._plugged[name]

    def _free_slot(self) -> str:
        taken = {*self._plugged.values(), *(["slot1"] if self._nvme else [])}
        free = [slot for slot in devices.SLOTS if slot not in taken]
        if not free:
            raise LabError(f"no slot is free: {self._plugged}")
        return free[0]

    def _connect(self, device: devices.Device, name: str, bus: str) -> None:
        arguments = {"driver": device.driver, "id": name, "bus": bus}
        if device.network:
            self.qmp.execute("netdev_add", type="user", id=f"{name}-network", restrict=True)
            arguments["netdev"] = f"{name}-network"
        self.qmp.execute("device_add", **arguments)

    def _cut_power(self, slot: str) -> None:
        """Switches a slot's power off as a guest does, through its slot control register: what is plugged in vanishes."""
        port = 0x80000000 | int(devices.SLOTS[slot][3:5], 16) << 11 | SLOT_CONTROL
        running = self.qmp.execute("query-status")["running"]
        if running:
            # A processor may be between its writes to the two registers.
            self.qmp.execute("stop")
        address = self._port("/4x 0xcf8")
        self.monitor(f"o /4 0xcf8 {port:#x}")
        control = self._port("/2x 0xcfc")
        self.monitor(f"o /2 0xcfc {control | POWER_OFF:#x}")
        # dom0's kernel removes a function that has vanished from a slot with power.
        self.monitor(f"o /2 0xcfc {control:#x}")
        self.monitor(f"o /4 0xcf8 {address:#x}")
        if running:
            self.qmp.execute("cont")

    def _port(self, place: str) -> int:
        return int(self.monitor(f"i {place}").split("=")[1], 16)

    def monitor(self, command: str) -> str:
        """Runs a command of QEMU's monitor, which can read the hardware also while the machine sleeps."""
        return self.qmp.execute("human-monitor-command", **{"command-line": command})

    def _migrate(self, command: str, uri: str) -> None:
        wanted = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]
        self.qmp.execute("migrate-set-capabilities", capabilities=wanted)
        self.qmp.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        before = len(self.qmp.events)
        self.qmp.execute(command, uri=uri)
        status = self.qmp.wait_event("MIGRATION", lambda data: data["status"] in ("completed", "failed"), 120, before)["status"]
        if status != "completed":
            raise LabError(f"QEMU cannot {command}: {self._errors.read_text(errors='replace')}")


class Qmp:
    """QEMU's control socket. Events are kept in the order of their arrival."""

    def __init__(self, end: socket.socket, last_words) -> None:
        self._socket = end
        self._file = end.makefile("rwb")
        self._last_words = last_words
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._replies: list[dict] = []
        self._closed = False
        self.events: list[dict] = []
        self._listeners = []
        threading.Thread(target=self._read, name="qmp", daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def listen(self, call) -> None:
        """Calls call(event) for each further event, on the reader's thread; it must not block."""
        self._listeners.append(call)

    def execute(self, command: str, **arguments):
        with self._lock:
            message = {"execute": command, **({"arguments": arguments} if arguments else {})}
            try:
                self._file.write(json.dumps(message).encode() + b"\n")
                self._file.flush()
            except OSError as error:
                raise LabError(self._last_words()) from error
            self._wait(lambda: self._replies, 60, command)
            reply = self._replies.pop(0)
        if "error" in reply:
            raise LabError(f"QEMU refuses '{command}': {reply['error']['desc']}")
        return reply["return"]

    def wait_event(self, name: str, wanted=lambda data: True, timeout: float = 60, after: int = 0) -> dict:
        """Waits for the event number `after` + 1 of this kind since QEMU's start; returns its data."""
        found = []

        def look() -> bool:
            found[:] = [e.get("data", {}) for e in self.events[after:] if e["event"] == name and wanted(e.get("data", {}))]
            return bool(found)

        self._wait(look, timeout, f"event {name}")
        return found[0]

    def _wait(self, predicate, timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: predicate() or self._closed, timeout):
                raise LabError(f"QEMU: no {what} for {timeout:g} s")
            if not predicate():
                raise LabError(self._last_words())

    def _read(self) -> None:
        while True:
            try:
                line = self._file.readline()
            except (OSError, ValueError):
                line = b""
            message = json.loads(line) if line else {}
            with self._changed:
                if not line:
                    self._closed = True
                elif "event" in message:
                    self.events.append(message)
                elif "QMP" not in message:
                    self._replies.append(message)
                self._changed.notify_all()
            if "event" in message:
                for call in self._listeners:
                    call(message)
            if not line:
                return
