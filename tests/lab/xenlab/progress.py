# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints one line per step on stderr, with the seconds since the start."""

import os
import sys
import time

_start = time.monotonic()
_quiet = bool(os.environ.get("PMCOORD_LAB_QUIET"))


def say(message: str) -> None:
    if not _quiet:
        print(f"[lab {time.monotonic() - _start:6.1f} s] {message}", file=sys.stderr, flush=True)
