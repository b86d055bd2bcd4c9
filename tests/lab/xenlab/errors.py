# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong in the lab itself, as opposed to in what it tests."""


# How long the lab waits for what takes a second or two on an idle machine. What takes longer hangs; a machine that
# is busy with other things can be many times slower. What a test demands of pmcoord is written in the test.
PATIENCE_S = 300.0


class LabError(Exception):
    """The lab could not do what it was asked; the message says who, what, and the last lines of the consoles."""
