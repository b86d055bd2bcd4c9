# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the units' processes tell systemd, through $NOTIFY_SOCKET."""

import socket

import pytest


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A function that returns what was sent since its last call."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notified:
        notified.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def read():
            messages = []
            while True:
                try:
                    messages.append(notified.recv(4096).decode())
                except BlockingIOError:
                    return messages

        yield read


@pytest.mark.parametrize("scenario, code, status", [
    ("laptop.sim", 0, "ok"),
    ("laptop-hung-guest.sim", 3, "degraded: cycle 1 degraded: mail was paused: did not suspend within 10 s"),
    ("laptop-no-s3.sim", 1, "failed: cycle 1 failed: the simulated kernel refused to sleep (S3=refuse in the scenario)"),
])
def test_the_sleep_unit_tells_its_time_limit_and_its_result(pmcoord, told, scenario, code, status):
    result = pmcoord.on(pmcoord.shipped(scenario), "sleep-unit")
    assert result.returncode == code
    # A minute for the lock, Deadline=, and a minute for the undo.
    assert told() == ["EXTEND_TIMEOUT_USEC=150000000", f"STATUS=Last cycle: {status}"]


def test_the_time_limit_of_the_sleep_unit_follows_the_deadline(pmcoord, laptop, told):
    (pmcoord.directory / "pmcoord.conf").write_text("[Coordinator]\nDeadline=7s\n")
    assert pmcoord.on(laptop, "sleep-unit").returncode == 0
    assert told() == ["EXTEND_TIMEOUT_USEC=127000000", "STATUS=Last cycle: ok"]


def test_a_recovery_tells_its_time_limit(pmcoord, laptop, told):
    assert pmcoord.on(laptop, "recover").returncode == 0
    assert told() == ["EXTEND_TIMEOUT_USEC=3700000000"]


def test_the_sleep_unit_tells_why_the_host_cannot_sleep(pmcoord, told):
    scenario = pmcoord.scenario("[Host]\nS3=no\n[Guest \"web\"]\n")
    assert pmcoord.on(scenario, "sleep-unit").returncode == 4
    assert told() == [
        "EXTEND_TIMEOUT_USEC=150000000",
        "STATUS=Last cycle: failed: the simulated host offers no suspend to RAM (S3=no in the scenario)",
    ]


def test_commands_of_users_tell_nothing(pmcoord, laptop, told):
    for command in (["suspend-all"], ["suspend", "web"], ["resume-all"], ["cycle", "-n", "1"], ["status"], ["list"]):
        assert pmcoord.on(laptop, *command, "-q").returncode == 0
    assert told() == []
