# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulated Xen laptop, for tests: see tests/lab/README.md."""

from .channel import CommandFailed, Result
from .errors import LabError
from .laptop import DEFAULT_GUESTS, Guest, Laptop
from .payload import Payload
from .release import RELEASE

__all__ = ["CommandFailed", "DEFAULT_GUESTS", "Guest", "LabError", "Laptop", "Payload", "RELEASE", "Result"]
