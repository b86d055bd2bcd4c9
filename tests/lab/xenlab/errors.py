# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors of the lab itself, as opposed to those of what it tests."""


# How long the lab waits for what takes a second or two on an idle machine; a busy machine can be many times slower.
# Time limits for pmcoord are in the tests.
PATIENCE_S = 300.0


class LabError(Exception):
    """The lab has failed; the message names the domain and the operation, with the last lines of the consoles."""
