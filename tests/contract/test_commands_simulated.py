# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract of the commands, on the simulator."""

from types import SimpleNamespace

import pytest

pytest.register_assert_rewrite("commands_contract")

from commands_contract import *  # noqa: E402, F401, F403


class SimulatedHost:
    def __init__(self, pmcoord, scenario):
        self.pmcoord = pmcoord
        self.scenario = scenario

    def run(self, *arguments):
        done = self.pmcoord.on(self.scenario, *arguments)
        return SimpleNamespace(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture
def host(pmcoord, laptop):
    return SimulatedHost(pmcoord, laptop)
