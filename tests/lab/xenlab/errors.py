# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong in the lab itself, as opposed to in what it tests."""


class LabError(Exception):
    """The lab could not do what it was asked; the message says who, what, and the last lines of the consoles."""
