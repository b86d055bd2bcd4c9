# SPDX-License-Identifier: LGPL-2.1-or-later
"""check on the real hypervisor, systemd and guests."""

import json

import pytest

from xenlab import Laptop


@pytest.fixture(scope="module")
def laptop(payload):
    """One for all of them: each leaves it as it was."""
    with Laptop.fresh(payload) as laptop:
        yield laptop


def findings(laptop, status: int = 0) -> list[dict]:
    result = laptop.dom0("pmcoord check --json", check=False)
    assert result.status == status, result
    told = json.loads(str(result))
    assert told["ok"] is (status == 0)
    return told["findings"]


def found(told: list[dict], level: str) -> set[str]:
    return {finding["subject"] for finding in told if finding["level"] == level}


def test_a_laptop_that_is_set_up_has_no_errors_and_no_warnings_and_stays_as_it_is(laptop):
    look = "xl list | awk '{ print $1, $2, $5 }' | tr -d rb; xenstore-ls -f /local/domain | grep -E 'pmcoord|control/shutdown'"
    before = laptop.dom0(look).stdout
    told = findings(laptop)
    assert found(told, "error") == set() and found(told, "warning") == set(), told
    assert any("4.17" in finding["message"] for finding in told if finding["subject"] == "Xen")
    assert laptop.dom0(look).stdout == before


def test_only_root_is_told_of_guests(laptop):
    result = laptop.dom0("setpriv --reuid=nobody --clear-groups pmcoord check", check=False)
    assert result.status == 4 and "root" in result.stdout, result
