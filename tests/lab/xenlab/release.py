# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian releases that the laptop can be made of."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A Debian release: its name, and the version of Xen in the names of its packages."""

    suite: str
    xen: str


RELEASES = {release.suite: release for release in (Release("bookworm", "4.17"), Release("trixie", "4.20"))}
DEFAULT = "bookworm"


def _chosen() -> Release:
    name = os.environ.get("LAB_RELEASE") or DEFAULT
    if name not in RELEASES:
        raise SystemExit(f"LAB_RELEASE={name}: the laptop can be made of {' or '.join(RELEASES)}")
    return RELEASES[name]


RELEASE = _chosen()
"""The release that the environment variable LAB_RELEASE names."""
