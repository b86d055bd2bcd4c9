# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files to install into a running laptop: two DESTDIR trees, for dom0 and for netvm."""

import io
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from . import cache
from .debian import BuildTree
from .release import RELEASE

# The bus reads new policies by itself, but not always before the daemon requests its name.
DOM0_SETUP = ("systemctl daemon-reload", "systemctl reload dbus.service", "systemctl enable --now pmcoord.service")
NETVM_SETUP = ("systemctl daemon-reload", "systemctl enable --now pmcoord-agent.service")


@dataclass(frozen=True)
class Payload:
    """Trees whose files are copied below /, and the commands that are run afterwards.

    dom0/netvm may be None: then nothing is copied there, and its commands are not run.
    """

    dom0: Path | None = None
    netvm: Path | None = None
    dom0_setup: tuple[str, ...] = field(default=DOM0_SETUP)
    netvm_setup: tuple[str, ...] = field(default=NETVM_SETUP)

    @classmethod
    def make(cls, source: Path, into: Path, **setup) -> "Payload":
        """Builds pmcoord in source, with the release that the laptop is made of, and installs it into two trees below `into`."""
        tree = BuildTree.of(RELEASE)
        into.mkdir(parents=True, exist_ok=True)
        for target, name in (("install", "dom0"), ("install-agent", "netvm")):
            tree.run("make", "-s", f"-j{os.cpu_count()}", target, f"BUILD=build/{RELEASE.suite}", f"DESTDIR=/output/{name}", "PREFIX=/usr",
                     source=source, output=into)
        return cls(into / "dom0", into / "netvm", **setup)

    def key(self) -> cache.Key:
        key = cache.Key("dom0", *self.dom0_setup, "netvm", *self.netvm_setup)
        for tree in (self.dom0, self.netvm):
            key.add("tree").add_tree(*([tree] if tree else []))
        return key

    def archives(self) -> dict[str, bytes]:
        """A tar archive for each domain."""
        return {name: _tar(tree) for name, tree in (("dom0", self.dom0), ("netvm", self.netvm)) if tree}


def _tar(tree: Path) -> bytes:
    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path in sorted(tree.iterdir()):
            archive.add(path, arcname=path.name, filter=as_root)
    return data.getvalue()
