# SPDX-License-Identifier: LGPL-2.1-or-later
"""status and monitor, which read files only."""

import contextlib
import json
import signal
import subprocess

import pytest

from program import PROGRAM

STATUS_KEYS = {"state", "daemon", "at_work", "cycle", "held", "last", "unreadable_journals"}
EVENT_KEYS = {"cycle", "at_us", "event", "guest", "domid", "text"}


@contextlib.contextmanager
def monitoring(pmcoord, scenario, *options):
    """A running monitor, with its output in a pipe."""
    process = subprocess.Popen(
        [PROGRAM, "--config", pmcoord.directory / "pmcoord.conf", f"--hypervisor=sim:{scenario}", "monitor", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if words in line:
            return lines
    raise AssertionError(f"the monitor ended before '{words}': {lines}")


# ---- status ------------------------------------------------------------------

def test_status_before_the_first_cycle(pmcoord, laptop):
    result = pmcoord.on(laptop, "status", "--json")
    status = json.loads(result.stdout)
    assert result.returncode == 0
    assert STATUS_KEYS <= set(status)
    assert (status["state"], status["cycle"], status["held"], status["last"]) == ("idle", None, [], None)
    assert "idle" in pmcoord.on(laptop, "status").stdout


def test_status_names_the_guests_kept_suspended(pmcoord, laptop):
    pmcoord.on(laptop, "suspend", "fw")
    result = pmcoord.on(laptop, "status", "--json")
    status = json.loads(result.stdout)
    assert result.returncode == 0 and status["state"] == "held"
    assert {held["guest"] for held in status["held"]} == {"fw", "web", "mail"}
    text = pmcoord.on(laptop, "status").stdout
    assert "resume-all" in text and "mail" in text
    pmcoord.on(laptop, "resume-all")
    status = pmcoord.json(laptop, "status")
    assert status["state"] == "idle" and status["held"] == []
    assert status["last"]["cycle"] == 1 and status["last"]["result"] == "ok"


@pytest.mark.parametrize("scenario, code, result", [
    ("laptop.sim", 0, "ok"),
    ("laptop-hung-guest.sim", 3, "degraded"),
    ("laptop-no-s3.sim", 1, "failed"),
])
def test_status_exits_as_the_last_cycle_did(pmcoord, scenario, code, result):
    scenario = pmcoord.shipped(scenario)
    assert pmcoord.on(scenario, "suspend-all").returncode == code
    status = pmcoord.on(scenario, "status", "--json")
    assert status.returncode == code
    assert json.loads(status.stdout)["last"]["result"] == result


def test_status_quiet_is_only_an_exit_code(pmcoord):
    scenario = pmcoord.shipped("laptop-hung-guest.sim")
    pmcoord.on(scenario, "suspend-all")
    result = pmcoord.on(scenario, "status", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (3, "", "")


# ---- monitor -----------------------------------------------------------------

def test_monitor_prints_each_step_of_another_process_s_cycle(pmcoord, laptop):
    with monitoring(pmcoord, laptop) as monitor:
        # With guests kept suspended, the journal exists when the monitor reads it.
        pmcoord.on(laptop, "suspend-all", "--guests-only")
        down = read_until(monitor, "Guests stay suspended")
        pmcoord.on(laptop, "resume-all")
        back = read_until(monitor, "ended")
        pmcoord.on(laptop, "suspend", "vault")
        pmcoord.on(laptop, "resume-all")
        second = read_until(monitor, "Cycle 2 ended")
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(10) == 0
    # Between two cycles nothing is said, e.g. that the first was missed.
    assert second[0] == "Cycle 2 started: suspend." and second[-1] == "Cycle 2 ended: ok."
    assert "Cycle 1 started: suspend-all." in down
    order = [line.split()[2] for line in down if line.endswith(" suspended")]
    assert set(order) == {"netvm", "fw", "web", "mail", "vault"}
    assert order.index("web") < order.index("fw") < order.index("netvm")
    order = [line.split()[2] for line in back if line.endswith(" running")]
    assert order.index("netvm") < order.index("fw") < order.index("mail")
    assert back[-1] == "Cycle 1 ended: ok."


def test_monitor_as_json_is_one_object_per_line(pmcoord, laptop):
    with monitoring(pmcoord, laptop, "--json") as monitor:
        pmcoord.on(laptop, "suspend", "web")
        lines = read_until(monitor, '"held"')
        pmcoord.on(laptop, "resume-all")
        lines += read_until(monitor, '"end"')
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(10) == 0
    events = [json.loads(line) for line in lines]
    for event in events:
        assert EVENT_KEYS <= set(event)
    assert events[0]["event"] == "cycle"
    down = next(event for event in events if event["event"] == "down")
    assert (down["guest"], down["domid"], down["cycle"]) == ("web", 3, 1)
    times = [event["at_us"] for event in events]
    assert times == sorted(times)


@pytest.mark.parametrize("options, missed", [
    ((), ["Cycle 2 ended: ok; 'pmcoord report 2' shows it.", "Cycle 3 ended: failed; 'pmcoord report 3' shows it."]),
    (("--json",), [f'{{"cycle":{number},"at_us":null,"event":"missed","guest":null,"domid":null,"text":""}}'
                   for number in (2, 3)]),
])
def test_monitor_tells_of_cycles_that_it_has_missed(pmcoord, options, missed):
    scenario = pmcoord.scenario('[Host]\nS3=refuse\n[Guest "web"]\n')
    with monitoring(pmcoord, scenario, *options) as monitor:
        assert pmcoord.on(scenario, "suspend", "web").returncode == 0
        read_until(monitor, "Guests stay suspended" if not options else '"held"')
        # It does not run while two cycles begin and end.
        monitor.send_signal(signal.SIGSTOP)
        assert pmcoord.on(scenario, "resume-all").returncode == 0
        assert pmcoord.on(scenario, "cycle", "-n", "1").returncode == 0
        assert pmcoord.on(scenario, "suspend-all").returncode == 1
        monitor.send_signal(signal.SIGCONT)
        lines = read_until(monitor, missed[-1])
        assert [line for line in lines if line in missed] == missed
        assert any("Cycle 1 ended: ok." in line or '"event":"end"' in line for line in lines)
        # A quiet one would say nothing of them, and this one goes on.
        assert pmcoord.on(scenario, "suspend", "web").returncode == 0
        read_until(monitor, "Cycle 4 started" if not options else '"cycle":4')


def test_monitor_prints_the_cycle_that_runs_when_it_starts(pmcoord, laptop):
    pmcoord.on(laptop, "suspend", "web")
    with monitoring(pmcoord, laptop) as monitor:
        lines = read_until(monitor, "Guests stay suspended")
    assert any(line.endswith("web              suspended") for line in lines)


def test_monitor_does_nothing_while_nothing_happens(pmcoord, laptop):
    with monitoring(pmcoord, laptop) as monitor:
        pmcoord.on(laptop, "suspend", "web")
        read_until(monitor, "Guests stay suspended")

        def switches():
            with open(f"/proc/{monitor.pid}/status") as status:
                return [line for line in status if "ctxt_switches" in line]

        def wait(seconds):
            with pytest.raises(subprocess.TimeoutExpired):
                monitor.wait(seconds)

        wait(0.5)  # until the last event of the cycle has been looked at
        before = switches()
        wait(1)
        assert switches() == before
