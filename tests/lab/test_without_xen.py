# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that has pmcoord installed and enabled, and is booted without Xen."""

import dataclasses
import re

import pytest

from xenlab import Laptop

LOOK = """
systemctl --failed --no-legend --plain
for verb in CanSuspend CanHibernate CanSuspendThenHibernate; do
    busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager $verb
done
systemctl hibernate 2>&1
"""
# For a moment after the wake, logind refuses for another reason.
WAIT = "timeout 30 sh -c 'while systemctl hibernate 2>&1 | grep -q in.progress; do sleep 0.2; done'"


@pytest.mark.long
def test_nothing_is_seen_of_pmcoord(payload):
    with Laptop.without_xen() as laptop:
        before = str(laptop.dom0(LOOK, check=False))
        assert 's "yes"' in before, before

        laptop.install(dataclasses.replace(payload, netvm=None))
        laptop.sleep_and_wake()
        laptop.dom0(WAIT)

        assert str(laptop.dom0(LOOK, check=False)) == before
        said = str(laptop.dom0("journalctl -b --no-pager -o cat | grep -i pmcoord")).splitlines()
        # The words of systemd 252 and 257.
        skipped = re.compile(r"pmcoord\S*\.service - .*( was skipped because of an|skipped,) unmet condition check .*")
        assert said and [line for line in said if not skipped.fullmatch(line)] == []
        assert str(laptop.dom0("ls /run/pmcoord /var/lib/pmcoord 2>/dev/null", check=False)) == ""
        result = laptop.dom0("pmcoord list", check=False)
        assert result.status == 4 and "Xen" in result.stderr
