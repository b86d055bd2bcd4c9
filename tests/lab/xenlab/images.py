# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the laptop's disk: dom0, and inside of it the guests.

Everything comes from Debian packages and the files in tests/lab/rootfs and tests/lab/tools.
"""

import gzip
import lzma
import shutil
import stat
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import cache, debian
from .debian import BuildTree, run
from .errors import LabError
from .progress import say
from .release import RELEASE

LAB = Path(__file__).resolve().parent.parent


DOM0_PACKAGES = f"""
    systemd systemd-sysv dbus udev kmod procps iproute2 pciutils e2fsprogs strace
    linux-image-amd64 xen-hypervisor-{RELEASE.xen}-amd64 xen-utils-{RELEASE.xen} xen-utils-common xenstore-utils
    libjson-c5 libinih1 libsmartcols1 libsystemd0 libudev1 libcmocka0
    qemu-system-xen
""".split()

NETVM_PACKAGES = """
    systemd systemd-sysv dbus udev kmod procps iproute2 iputils-ping e2fsprogs xenstore-utils strace
    libxenevtchn1 libxenstore4 libsystemd0 libudev1 libinih1 libjson-c5
    network-manager
""".split()

# ext4 asks the kernel for crc32c by that name, not as a module that it needs.
DOM0_DISK_MODULES = ["ahci", "sd_mod", "crc32c_generic", "ext4"]
NETVM_DISK_MODULES = ["xen-blkfront", "crc32c_generic", "ext4"]
NETVM_MODULES = """
    xen-blkfront xen-netback xen-netfront xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xen-pcifront
    bridge crc32c_generic ext4 autofs4
    e1000e e1000 8139cp 8139too igb nvme ahci sd_mod snd-hda-intel snd-hda-codec-generic xhci-pci usb-storage uas cdc_ether rndis_host
    loop
""".split()
SMALL_MODULES = "xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-netfront xen-netback xen-blkfront".split()
# Loaded by tests: a disk whose answers take as long as one likes (who waits for one cannot be frozen); a disk in memory,
# and what serves it to others.
SMALL_SPARE_MODULES = ["null_blk", "brd", "xen-blkback"]

# Timers and checks that would run in the middle of somebody's test, and consoles that nobody sits at.
MASKED_UNITS = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer motd-news.timer
    systemd-tmpfiles-clean.timer e2scrub_reap.service xendomains.service getty@tty1.service
    serial-getty@hvc0.service serial-getty@ttyS0.service console-getty.service
""".split()


@dataclass(frozen=True)
class Images:
    """What QEMU starts from. key changes whenever anything in it does."""

    key: str
    disk: Path
    xen: Path
    kernel: Path
    packed_kernel: Path
    initrd: Path


def build() -> Images:
    """The images, from the cache if they are there (building takes a minute or two)."""
    key = cache.Key(RELEASE.suite, *DOM0_PACKAGES, "-", *NETVM_PACKAGES)
    key.add_tree(Path(__file__), Path(debian.__file__), LAB / "rootfs", LAB / "tools")
    path = cache.get("images", key, _make, keep=4)
    return Images(str(key), path / "dom0.ext4", path / "xen", path / "vmlinux", path / "vmlinuz", path / "initrd")


def _make(into: Path) -> None:
    with tempfile.TemporaryDirectory(dir=into) as scratch, ThreadPoolExecutor() as pool:
        work = Path(scratch)
        (work / "tools").mkdir()
        say(f"building images: Debian {RELEASE.suite} for dom0 and for netvm, tools (a minute or two)")
        jobs = [
            pool.submit(_install, work / "dom0", DOM0_PACKAGES),
            pool.submit(_install, work / "netvm", NETVM_PACKAGES),
            pool.submit(_compile, work / "tools"),
        ]
        for job in jobs:
            job.result()
        modules = next((work / "dom0/lib/modules").iterdir())
        _extract_kernel(modules.name, work / "dom0/boot", into)
        _make_initramfs(work / "disk", LAB / "rootfs/disk", modules, DOM0_DISK_MODULES, into / "initrd")
        _finish_netvm(work, modules)
        _finish_dom0(work, modules, into)
        say("building images: file systems")
        _make_ext4(work / "netvm", work / "dom0/srv/lab/netvm.ext4", "500M", "netvm")
        _make_ext4(work / "dom0", into / "dom0.ext4", "3G", "dom0")
    say("images built")


def _install(target: Path, packages: list[str]) -> None:
    debian.install(target, RELEASE, packages)
    say(f"building images: Debian for {target.name} unpacked")


def _compile(into: Path) -> None:
    tree = BuildTree.of(RELEASE)

    def gcc(name: str, *more: str) -> None:
        tree.run("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", f"/output/{name}", f"{name}.c", *more, source=LAB / "tools", output=into)

    gcc("shelld", "-lutil")
    gcc("lid")
    gcc("chipset")
    gcc("observer", "-lxenctrl")
    # The same file runs in guests that have no libc.
    gcc("guestexec", "store.c", "-static")
    gcc("suspend-channel", "store.c", "-static")
    run("gcc", "-m32", "-nostdlib", "-static", "-Wl,-N,-Ttext=0x100000,--section-start=.note.Xen=0x100100,--build-id=none",
        "-o", into / "hung", LAB / "tools/hung.S")


def _extract_kernel(version: str, boot: Path, into: Path) -> None:
    """Unpacks Xen and the kernel here: the emulated machine would take seconds for it, at each boot of each guest."""
    (into / "xen").write_bytes(gzip.decompress((boot / f"xen-{RELEASE.xen}-amd64.gz").read_bytes()))
    # Without Xen, the firmware's loader starts the packed kernel.
    shutil.copy(boot / f"vmlinuz-{version}", into / "vmlinuz")
    image = (into / "vmlinuz").read_bytes()
    start = image.find(b"\xfd7zXZ\0")
    if start >= 0:
        image = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[start:])
    (into / "vmlinux").write_bytes(image)


def _module_files(modules: Path, names: list[str]) -> list[str]:
    """The files of the named modules and of what they need, in loading order."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        # modules.dep lists the nearest need first.
        for need in reversed(needs[path]):
            if need not in order:
                order.append(need)
        if path not in order:
            order.append(path)

    for name in names:
        key = name.replace("-", "_")
        if key in by_name:
            add(by_name[key])
        elif f"/{key}.ko" not in (modules / "modules.builtin").read_text().replace("-", "_"):
            raise LabError(f"the kernel has no module {name}")
    return order


def _unpack_module(module: Path, directory: Path) -> str:
    """Copies a module, not compressed, into the directory; returns its name there. Busybox loads no compressed ones."""
    if module.suffix != ".xz":
        shutil.copy(module, directory)
        return module.name
    (directory / module.stem).write_bytes(lzma.decompress(module.read_bytes()))
    return module.stem


def _make_initramfs(tree: Path, source: Path, modules: Path, names: list[str], archive: Path, extra: dict[str, Path] | None = None,
                    spare_modules: list[str] | None = None) -> None:
    shutil.copytree(source, tree)
    for directory in "bin sbin usr/bin usr/sbin proc sys dev run root tmp etc modules".split():
        (tree / directory).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    order = [_unpack_module(modules / path, tree / "modules") for path in _module_files(modules, names)]
    (tree / "modules/order").write_text("".join(f"{name}\n" for name in order))
    for path in _module_files(modules, spare_modules or []):
        _unpack_module(modules / path, tree / "modules")
    for name, file in (extra or {}).items():
        shutil.copy(file, tree / name)
    # Not compressed: the emulated processor would need longer to unpack it than to read it.
    with open(archive, "wb") as out:
        find = subprocess.Popen(["find", ".", "-print0"], cwd=tree, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, stdin=find.stdout, stdout=out, check=True)
        if find.wait() != 0:
            raise LabError(f"cannot list {tree}")


def _finish_debian(tree: Path, name: str, units: list[str]) -> None:
    shutil.copytree(LAB / "rootfs" / name, tree, dirs_exist_ok=True)
    (tree / "etc/hostname").write_text(f"{name}\n")
    (tree / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    (tree / "etc/machine-id").write_text("")
    # Root on the console, for whoever looks at the laptop from inside.
    run("chroot", tree, "passwd", "-d", "root")
    run("chroot", tree, "systemctl", "-q", "mask", *MASKED_UNITS)
    run("chroot", tree, "systemctl", "-q", "enable", *units)


def _install_tools(work: Path, tree: Path, *names: str) -> None:
    (tree / "usr/lib/lab").mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(work / "tools" / name, tree / "usr/lib/lab" / name)


def _finish_netvm(work: Path, modules: Path) -> None:
    tree = work / "netvm"
    _finish_debian(tree, "netvm", ["lab-exec.service", "lab-heartbeat.service", "lab-user.service", "lab-net.service"])
    # A test starts one of these in the place of lab-net.service: see usr/lib/lab/network.
    run("chroot", tree, "systemctl", "-q", "disable", "NetworkManager.service", "NetworkManager-dispatcher.service",
        "NetworkManager-wait-online.service", "systemd-networkd.service")
    for profile in (tree / "etc/NetworkManager/system-connections").iterdir():
        profile.chmod(0o600)  # NetworkManager ignores others
    _install_tools(work, tree, "guestexec")
    for path in _module_files(modules, NETVM_MODULES):
        target = tree / "lib/modules" / modules.name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(modules / path, target)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(modules / name, tree / "lib/modules" / modules.name / name)
    run("depmod", "-b", tree, modules.name)


def _finish_dom0(work: Path, modules: Path, into: Path) -> None:
    tree = work / "dom0"
    _finish_debian(tree, "dom0", ["lab-shell.service", "lab-lid.service", "lab-chipset.service"])
    _install_tools(work, tree, "shelld", "lid", "chipset", "observer", "guestexec")
    guests = tree / "srv/lab"
    guests.mkdir(parents=True)
    shutil.copy(into / "vmlinux", guests / "vmlinux")
    # A device model starts packed kernels only.
    shutil.copy(tree / f"boot/vmlinuz-{modules.name}", guests / "vmlinuz")
    _make_initramfs(work / "netvm-initrd", LAB / "rootfs/disk", modules, NETVM_DISK_MODULES, guests / "netvm.initrd")
    _make_initramfs(work / "small", LAB / "rootfs/small", modules, SMALL_MODULES, guests / "small.initrd",
                    {f"bin/{name}": work / "tools" / name for name in ("guestexec", "suspend-channel")}, SMALL_SPARE_MODULES)
    shutil.copy(work / "tools/hung", guests / "hung")
    for boot in (tree / "boot").iterdir():
        boot.unlink()


def _make_ext4(tree: Path, image: Path, size: str, label: str) -> None:
    tree.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    run("mke2fs", "-q", "-t", "ext4", "-L", label, "-O", "^has_journal", "-E", "lazy_itable_init=0,root_owner=0:0", "-d", tree, image, size)
