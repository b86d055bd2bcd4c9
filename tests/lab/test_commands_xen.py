# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract of the commands, on Xen: the same tests as on the simulator."""

import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))
pytest.register_assert_rewrite("commands_contract")

from commands_contract import *  # noqa: E402, F401, F403
from xenlab import Laptop  # noqa: E402


class XenHost:
    def __init__(self, laptop: Laptop) -> None:
        self.laptop = laptop

    def run(self, *arguments):
        return self.laptop.dom0(shlex.join(["pmcoord", *arguments]), check=False)


@pytest.fixture(scope="module")
def shared(payload):
    with Laptop.fresh(payload) as laptop:
        yield XenHost(laptop)


@pytest.fixture
def host(shared, request):
    request.node.laptop = shared.laptop
    yield shared
    # Do not let a failed test affect the next one.
    shared.run("resume-all", "-q")
