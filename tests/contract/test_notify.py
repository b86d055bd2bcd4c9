# SPDX-License-Identifier: LGPL-2.1-or-later
"""The session's service that shows bad cycles on the desktop."""

import json
import subprocess
import time

import pytest

from program import PROGRAM
from test_cli_daemon import Bus


@pytest.fixture
def session(tmp_path):
    bus = Bus(tmp_path)
    yield bus
    bus.close()


def start(session, scenario):
    environment = {**session.environment, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={session.socket}"}
    process = subprocess.Popen([PROGRAM, f"--hypervisor=sim:{scenario}", "notify"], env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while f" {process.pid} " not in session.busctl("list").stdout and process.poll() is None:
        assert time.monotonic() < deadline
    return process


def test_it_shows_a_bad_cycle_and_ends_with_the_session(pmcoord, session):
    scenario = pmcoord.shipped("laptop-hung-guest.sim")
    assert pmcoord.on(scenario, "suspend-all", "-q").returncode == 3
    process = start(session, scenario)
    listener = subprocess.Popen(["busctl", "--system", "monitor", "--json=short"], env=session.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    listener.stderr.readline()  # it monitors
    assert pmcoord.on(scenario, "suspend-all", "-q").returncode == 3
    for line in listener.stdout:
        message = json.loads(line)
        if message.get("member") == "Notify":
            break
    listener.kill()
    listener.communicate()
    assert (message["destination"], message["path"]) == ("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
    assert any("mail was paused" in str(value) for value in message["payload"]["data"])
    assert process.poll() is None
    session.close()
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


def test_it_says_that_there_is_nothing_to_watch(pmcoord, laptop, session):
    process = start(session, laptop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    reports = pmcoord.journals(laptop).parent / "reports"
    assert errors == f"pmcoord: cannot watch {reports}: No such file or directory\n"
