# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: pmcoord with a directory of its own, and on a copy of the shipped laptop."""

import pytest

from program import Pmcoord


@pytest.fixture
def pmcoord(tmp_path):
    return Pmcoord(tmp_path)


@pytest.fixture
def laptop(pmcoord):
    return pmcoord.shipped("laptop.sim")
