# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control: a sleep of the same laptop without pmcoord.

It must break the network, or the tests of pmcoord on this laptop would prove nothing.
"""

from xenlab.laptop import GATEWAY


def test_without_pmcoord_the_network_is_dead_after_the_wake(bare_laptop):
    assert bare_laptop.ping("web")

    with bare_laptop.observe() as seen:
        bare_laptop.sleep_and_wake()

    assert not [t for t in seen.transitions if t.state == "shutdown:suspend"], "guests were suspended"
    assert not bare_laptop.ping("web", seconds=3), "the network survived a sleep without pmcoord"
    # The card's driver detects the failure when it has something to send.
    bare_laptop.guest("web", f"ping -i 0.2 {GATEWAY} >/dev/null 2>&1 &")
    bare_laptop.wait_kernel_log("netvm", "e1000e.*(NETDEV WATCHDOG|Reset adapter|Detected Hardware Unit Hang)")
