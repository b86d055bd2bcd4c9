# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees of Debian packages, and programs that are built in one: libxenctrl of a release works with that release's Xen only."""

import os
import shutil
import subprocess
from pathlib import Path

from . import cache
from .errors import LabError
from .progress import say
from .release import Release

PACKAGES = Path(__file__).resolve().parents[2] / "packages"


def run(*command, **kwargs) -> str:
    """Runs a command of this machine; returns its output, or raises LabError with the end of it."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise LabError(f"{' '.join(map(str, command[:3]))} … failed with status {done.returncode}:\n{tail}")
    return done.stdout


def _apt_sources(suite: str) -> list[str]:
    """This machine's own package sources if they carry the suite; else none, and mmdebstrap takes its default."""
    if not shutil.which("apt-get"):
        return []
    wanted = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = run("apt-get", "indextargets", "--format", wanted, "Created-By: Packages", "Origin: Debian").splitlines()
    mine = sorted({line for line in lines if line.split()[2] in (suite, f"{suite}-security", f"{suite}-updates")})
    return mine if any(line.split()[2] == suite for line in mine) else []


def install(target: Path, release: Release, packages: list[str]) -> None:
    """Installs the packages, and what they need, into the new directory `target`."""
    if os.geteuid() != 0:
        raise LabError("building the laptop's images needs root (for mmdebstrap)")
    # Without the kernel's hooks no initramfs is made: the lab has its own, a hundredth of the size.
    excluded = ["/etc/kernel/*", "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
    run(
        "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        *[f"--dpkgopt=path-exclude={path}" for path in excluded],
        "--aptopt=APT::Install-Recommends \"false\"", release.suite, target, *_apt_sources(release.suite),
    )
    (target / "etc/apt/sources.list").unlink(missing_ok=True)


def _needed_for_building() -> list[str]:
    """The packages that tests/packages lists under "building"."""
    section = PACKAGES.read_text().partition("\n# building\n")[2].partition("\n\n")[0]
    return section.split()


class BuildTree:
    """A release with what building pmcoord and the lab's tools needs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, release: Release) -> "BuildTree":
        """The release's tree, from the cache if it is there (making it takes a minute)."""
        packages = ["make", *_needed_for_building()]

        def make(into: Path) -> None:
            say(f"making a tree to build in: Debian {release.suite} (a minute)")
            # mmdebstrap wants a directory that is empty.
            install(into / "tree", release, packages)
            for name in ("source", "output"):
                (into / "tree" / name).mkdir()

        key = cache.Key(release.suite, *packages).add_tree(Path(__file__))
        return cls(cache.get("trees", key, make, keep=2) / "tree")

    def run(self, *command, source: Path, output: Path) -> str:
        """Runs a command in /source; /source and /output are the given directories, for the command alone."""
        script = 'mount --bind "$1" "$3/source" && mount --bind "$2" "$3/output" && cd "$3" && shift 3 && exec chroot . "$@"'
        inside = ["sh", "-c", 'cd /source && exec "$@"', "sh", *command]
        return run("unshare", "--mount", "sh", "-c", script, "sh", source, output, self._path, *inside)
