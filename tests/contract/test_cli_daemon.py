# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon on a private bus: commands that it runs, and its D-Bus interface."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from program import PROGRAM, Pmcoord

NAME = "org.pmcoord.Coordinator1"
PATH = "/org/pmcoord/Coordinator1"

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_type="method_call"/><allow send_type="signal"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>
"""


class Bus:
    def __init__(self, directory):
        self.socket = directory / "bus"
        config = directory / "bus.conf"
        config.write_text(BUS.format(socket=self.socket))
        self._process = subprocess.Popen(
            [shutil.which("dbus-daemon"), f"--config-file={config}", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE, text=True)
        self._process.stdout.readline()  # it listens
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.socket}"}

    def close(self):
        self._process.terminate()
        self._process.wait()

    def busctl(self, *arguments, check=True):
        return subprocess.run(["busctl", "--system", *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=30, check=check)

    def has_owner(self, name):
        # Not "busctl status": that of systemd 257 fails on a machine without a cgroup file system.
        bus = "org.freedesktop.DBus"
        return self.busctl("call", bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", name).stdout == "b true\n"

    def call(self, method, *arguments, check=True):
        return self.busctl("call", NAME, PATH, NAME, method, *arguments, check=check)

    def property(self, name):
        return self.busctl("get-property", NAME, PATH, NAME, name).stdout.split(maxsplit=1)[1].strip().strip('"')

    def wait_property(self, name, value):
        deadline = time.monotonic() + 30
        while self.property(name) != value:
            assert time.monotonic() < deadline, f"{name} stays {self.property(name)}"


class Served(Pmcoord):
    """A pmcoord with a daemon on the bus, for one scenario."""

    def __init__(self, directory, bus):
        super().__init__(directory)
        self.bus = bus
        self.scenario_path = None
        self.daemon = None

    def serve(self, scenario):
        self.scenario_path = scenario
        self.daemon = subprocess.Popen(
            [PROGRAM, f"--hypervisor=sim:{scenario}", "daemon"], env=self.bus.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 30
        while not self.bus.has_owner(NAME):
            assert self.daemon.poll() is None, self.daemon.stdout.read()
            assert time.monotonic() < deadline
        self.bus.wait_property("State", "idle")

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, f"--hypervisor=sim:{self.scenario_path}", *arguments],
                                env=self.bus.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def bus(tmp_path):
    bus = Bus(tmp_path)
    yield bus
    bus.close()


@pytest.fixture
def served(tmp_path, bus):
    served = Served(tmp_path, bus)
    yield served
    if served.daemon:
        # It ends as systemd ends it, which is part of what the tests execute.
        served.daemon.terminate()
        try:
            served.daemon.wait(20)
        except subprocess.TimeoutExpired:
            served.daemon.kill()
            served.daemon.wait()
            raise


def test_the_interface_has_all_members(served):
    served.serve(served.shipped("laptop.sim"))
    lines = served.bus.busctl("introspect", NAME, PATH, NAME).stdout.splitlines()
    members = {line.split()[0]: line.split()[1] for line in lines[1:]}
    for method in ("SuspendAll", "Suspend", "ResumeAll", "Resume", "Sleep", "Bench", "Cancel", "List", "Plan", "Report"):
        assert members.get(f".{method}") == "method"
    for name in ("State", "Job", "Verb", "Client", "Cycle", "LastResult", "Hypervisor", "Version"):
        assert members.get(f".{name}") == "property"
    for name in ("Step", "JobRemoved", "GuestAdded", "GuestRemoved"):
        assert members.get(f".{name}") == "signal"


def test_the_daemon_runs_commands_with_the_same_results(served):
    served.serve(served.shipped("laptop.sim"))
    result = served.ask("suspend-all", "--json")
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert report["result"] == "ok"
    assert {guest["outcome"] for guest in report["guests"]} == {"suspended"}
    assert served.bus.property("Cycle") == "1", "it was not the daemon that ran it"
    assert served.bus.property("LastResult") == "ok"

    assert served.ask("suspend-all", "--guests-only").returncode == 0
    lines = served.ask("resume-all").stdout.splitlines()
    assert lines[-1] == "5 guests resumed."
    assert not [line for line in lines if "web" in line and line.endswith(" down")], "that was another command's"
    assert served.ask("resume-all").returncode == 0

    assert served.ask("suspend", "fw").returncode == 0
    assert "3 guests resumed" in served.ask("resume-all").stdout
    wrong = served.ask("suspend", "nobody")
    assert wrong.returncode == 2
    assert "no guest has the name or domid 'nobody'" in wrong.stderr


def test_the_daemon_runs_a_series_of_cycles(served):
    served.serve(served.shipped("laptop.sim"))
    result = served.ask("cycle", "-n", "2", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["cycles"] == 2
    assert served.bus.property("Cycle") == "2"
    result = served.ask("bench", "-n", "1", "--json")
    assert result.returncode == 0
    assert int(served.bus.property("Cycle")) == 2 + json.loads(result.stdout)["cycles"]


def test_status_sees_the_daemon_and_its_end(served):
    served.serve(served.shipped("laptop.sim"))
    assert json.loads(served.ask("status", "--json").stdout)["daemon"] is True
    served.daemon.terminate()
    served.daemon.wait(30)
    assert json.loads(served.ask("status", "--json").stdout)["daemon"] is False


def test_progress_is_shown_as_without_the_daemon(served):
    served.serve(served.shipped("laptop.sim"))
    lines = served.ask("suspend-all", "--guests-only", "-v").stdout.splitlines()
    words = [line.split()[2:4] for line in lines if line.split()[1:2] == ["ms"]]
    for step in (["web", "requested"], ["web", "suspended"], ["netvm", "quiesced"], ["netvm", "suspended"]):
        assert step in words


def test_a_failed_cycle_has_its_exit_code_and_names_the_guest(served):
    served.serve(served.shipped("laptop-hung-guest.sim"))
    result = served.ask("suspend-all")
    assert result.returncode == 3
    assert "mail" in result.stdout


def test_a_configuration_and_a_timeout_are_passed_on(served, tmp_path):
    served.serve(served.shipped("laptop-hung-guest.sim"))
    config = tmp_path / "other.conf"
    config.write_text("[Coordinator]\nOnFailure=abort\n")
    result = served.ask("suspend-all", "--config", str(config))
    assert result.returncode == 1
    broken = tmp_path / "broken.conf"
    broken.write_text("[Coordinator]\nDeadline=soon\n")
    result = served.ask("suspend-all", "--config", str(broken))
    assert result.returncode == 3
    assert "broken.conf:2" in result.stderr
    # The command reads the file, too; this is what the daemon has read.
    assert any("broken.conf:2: Deadline: " in warning for warning in json.loads(served.ask("report", "--json").stdout)["warnings"])


def test_a_named_configuration_that_cannot_be_read_keeps_nothing_from_resuming(served, tmp_path):
    served.serve(served.shipped("laptop.sim"))
    assert served.ask("suspend-all", "--guests-only").returncode == 0
    missing = str(tmp_path / "none.conf")
    result = served.ask("suspend-all", "--config", missing)
    assert result.returncode == 2 and "none.conf" in result.stderr
    result = served.ask("resume-all", "--config", missing)
    assert result.returncode == 0, result.stderr
    assert "none.conf" in result.stderr
    assert "resumed" in result.stdout


def test_the_configuration_of_one_command_does_not_affect_the_next(served, tmp_path):
    served.serve(served.shipped("laptop.sim"))
    before = served.bus.call("List").stdout
    config = tmp_path / "other.conf"
    config.write_text('[Guest "vault"]\nPolicy=ignore\n')
    result = served.ask("suspend-all", "--config", str(config), "--json")
    vault = next(guest for guest in json.loads(result.stdout)["guests"] if guest["name"] == "vault")
    assert vault["outcome"] == "skipped"
    assert served.bus.call("List").stdout == before


def test_list_plan_and_report_over_dbus_are_the_commands_json(served):
    served.serve(served.shipped("laptop.sim"))

    def text(reply):
        return json.loads(json.loads(reply.stdout.split(maxsplit=1)[1]))

    assert text(served.bus.call("List")) == json.loads(served.ask("list", "--json").stdout)
    assert text(served.bus.call("Plan")) == json.loads(served.ask("plan", "--json").stdout)
    assert served.ask("suspend-all").returncode == 0
    assert text(served.bus.call("Report", "t", "0"))["cycle"] == 1
    missing = served.bus.call("Report", "t", "99", check=False)
    assert missing.returncode != 0


@pytest.mark.parametrize("arguments, named", [
    (("SuspendAll", "a{sv}", "1", "faster", "b", "true"), "faster"),
    (("SuspendAll", "a{sv}", "1", "force", "s", "yes"), "force"),
    (("SuspendAll", "a{sv}", "1", "guests-only", "s", "yes"), "option 'guests-only' has the wrong D-Bus type"),
    (("SuspendAll", "a{sv}", "1", "timeout-us", "s", "1s"), "option 'timeout-us' has the wrong D-Bus type"),
    (("SuspendAll", "a{sv}", "1", "config", "b", "true"), "option 'config' has the wrong D-Bus type"),
    (("Cycle", "a{sv}", "1", "sleep", "s", "yes"), "option 'sleep' has the wrong D-Bus type"),
    (("SuspendAll", "a{sv}", "1", "config", "s", "relative"), "the configuration's path 'relative' is not absolute"),
    (("Suspend", "asa{sv}", "0", "0"), "no guest"),
    (("Sleep", "a{sv}", "1", "faster", "b", "true"), "unknown option 'faster'"),
    (("Report", "t", "7"), "there is no report in "),
    (("Cancel", "t", "4711"), "job 4711 is not running"),
])
def test_bad_calls_are_refused_with_an_error(served, arguments, named):
    served.serve(served.shipped("laptop.sim"))
    result = served.bus.call(*arguments, check=False)
    assert result.returncode != 0
    assert named in result.stderr
    assert served.bus.property("State") == "idle"


@pytest.fixture
def signals(served):
    """A function that starts to listen, and returns a function that returns the daemon's signals since then."""
    listeners = []

    def listen():
        listener = subprocess.Popen(
            ["busctl", "--system", "monitor", "--json=short", "--match", f"type='signal',interface='{NAME}'"],
            env=served.bus.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        listeners.append(listener)
        listener.stderr.readline()  # it monitors

        def read_to(member):
            found = []
            while not found or found[-1][0] != member:
                line = listener.stdout.readline()
                assert line, listener.stderr.read()
                message = json.loads(line)
                found.append((message["member"], message["payload"]["data"]))
            return found

        return read_to

    yield listen
    for listener in listeners:
        listener.kill()
        listener.communicate()


def test_signals_tell_each_step_and_the_end(served, signals):
    served.serve(served.shipped("laptop.sim"))
    read_to = signals()
    assert served.ask("suspend", "web").returncode == 0
    told = read_to("JobRemoved")
    job = told[-1][1][0]
    steps = [data for member, data in told if member == "Step"]
    assert [(data[4], data[3], data[5]) for data in steps if data[3] in ("", "web")] == [
        ("phase", "", "inventory"), ("phase", "", "prepare"), ("phase", "", "suspend"),
        ("request", "web", ""), ("down", "web", ""), ("held", "", ""),
    ]
    assert {(data[0], data[1]) for data in steps} == {(job, 1)}
    times = [data[2] for data in steps]
    assert times == sorted(times) and 0 <= times[0] < times[-1] < 1_000_000
    report = json.loads(told[-1][1].pop())
    assert told[-1][1] == [job, 0, "", 0, True]
    assert report == json.loads(served.ask("report", "--json").stdout)

    assert served.ask("resume-all").returncode == 0
    told = read_to("JobRemoved")
    assert told[-1][1][:5] == [job + 1, 0, "", 1, False]
    assert json.loads(told[-1][1][5])["held"] is False
    assert ("running", "web") in [(data[4], data[3]) for member, data in told if member == "Step"]


def test_a_job_without_a_cycle_has_no_report(served, signals):
    served.serve(served.shipped("laptop.sim"))
    read_to = signals()
    assert served.ask("resume-all").returncode == 0
    assert read_to("JobRemoved")[-1][1][1:] == [0, "", 0, False, ""]
    assert served.ask("suspend", "nobody").returncode == 2
    [_, code, message, *rest] = read_to("JobRemoved")[-1][1]
    assert (code, rest) == (2, [0, False, ""]) and "'nobody'" in message


def test_properties_tell_of_the_last_job(served):
    served.serve(served.shipped("laptop-hung-guest.sim"))
    assert {name: served.bus.property(name) for name in ("State", "Job", "Verb", "Client", "Cycle", "LastResult")} == {
        "State": "idle", "Job": "0", "Verb": "", "Client": "", "Cycle": "0", "LastResult": ""}
    assert served.ask("suspend-all").returncode == 3
    assert {name: served.bus.property(name) for name in ("State", "Job", "Verb", "Client", "Cycle", "LastResult")} == {
        "State": "idle", "Job": "0", "Verb": "", "Client": "", "Cycle": "1", "LastResult": "degraded"}
    assert served.bus.property("Hypervisor") == f"sim:{served.scenario_path}"
    assert served.bus.property("Version") in served.ask("--version").stdout


def test_the_daemon_runs_the_cycle_of_the_sleep_unit(served):
    served.serve(served.shipped("laptop.sim"))
    result = served.ask("sleep-unit")
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(served.ask("report", "--json").stdout)
    assert (report["trigger"], report["result"]) == ("sleep", "ok")
    assert served.bus.property("Cycle") == "1"


def test_a_sleep_that_fails_fails_the_sleep_unit(served):
    served.serve(served.shipped("laptop-no-s3.sim"))
    result = served.ask("sleep-unit")
    assert result.returncode not in (0, 3)
    assert result.stderr.startswith("pmcoord: ")


@pytest.mark.parametrize("command, message", [
    ("sleep-unit", "the pmcoord daemon died during the sleep: 'pmcoord recover' or the restarted daemon resumes the guests"),
    ("suspend-all", "the pmcoord daemon died during the job: systemd restarts the daemon, which then resumes the guests; "
                    "see 'pmcoord status'"),
])
def test_a_daemon_that_dies_leaves_guests_to_the_next_process(served, command, message):
    laptop = served.shipped("laptop.sim").read_text()
    scenario = served.scenario(f"[Host]\nKeepState=always\nKilledAt=45\n{laptop}")
    served.serve(scenario)
    result = served.ask(command)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (1, f"pmcoord: {message}")
    assert served.daemon.wait(20) == -signal.SIGKILL
    served.daemon = None
    assert served.on(scenario, "status", "-q").returncode == 6
    # The scenario kills no other process.
    scenario.write_text(scenario.read_text().replace("KilledAt=45\n", ""))
    assert served.on(scenario, "recover").returncode == 0
    assert set(served.states(scenario).values()) == {"running"}


def test_a_second_daemon_is_refused(served):
    scenario = served.shipped("laptop.sim")
    served.serve(scenario)
    second = served.ask("daemon")
    assert second.returncode != 0
    assert "another pmcoord daemon is running" in second.stderr


@pytest.mark.parametrize("has_socket", [False, True])
def test_without_a_bus_the_daemon_fails(pmcoord, laptop, tmp_path, has_socket):
    """With exit code 1, after which systemd restarts it, unlike after 2 or 4."""
    if has_socket:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "bus"))
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/bus"}
    result = subprocess.run([PROGRAM, f"--hypervisor=sim:{laptop}", "daemon"], env=environment, text=True,
                            capture_output=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "system bus" in result.stderr


def read_until(process, *words):
    lines = []
    while not all(any(word in line for line in lines) for word in words):
        line = process.stdout.readline()
        assert line, f"it ended before {words}: {lines}"
        lines.append(line)
    return lines


def test_monitor_prints_added_and_removed_guests(served):
    served.serve(served.scenario("[Guest \"web\"]\nDestroyedAfter=150ms\n[Guest \"late\"]\nAppearsAfter=160ms\n"
                                 "[Guest \"mail\"]\nSuspendTime=100ms\n"))
    # With a kept guest, each prints a line when it has subscribed to the daemon's guests.
    assert served.ask("suspend", "mail").returncode == 0
    plain, as_json = served.start("monitor"), served.start("monitor", "--json")
    read_until(plain, "Guests stay suspended")
    read_until(as_json, '"held"')
    assert served.ask("resume-all").returncode == 0
    served.ask("cycle", "-n", "1")

    read_until(plain, "web (1) was removed.\n", "late (2) was added.\n")
    told = [json.loads(line) for line in read_until(as_json, '"guest-removed"', '"guest-added"')]
    gone = next(event for event in told if event["event"] == "guest-removed")
    assert (gone["guest"], gone["domid"], gone["cycle"], gone["at_us"]) == ("web", 1, None, None)
    for monitor in (plain, as_json):
        monitor.terminate()
        assert monitor.wait(10) == 0


def test_the_daemon_tells_systemd_and_its_log_of_each_job(served, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(30)
        served.bus.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        served.serve(served.shipped("laptop-hung-guest.sim"))
        del served.bus.environment["NOTIFY_SOCKET"]
        process = served.start("suspend-all")
        process.communicate(timeout=60)
        assert process.returncode == 3
        served.daemon.terminate()
        log = served.daemon.communicate(timeout=30)[0].replace(str(process.pid), "PID")
        messages = []
        while not messages or not messages[-1].startswith("STOPPING=1"):
            messages.append(notified.recv(4096).decode().replace(str(process.pid), "PID"))
    # A slow machine also sends the status of each step.
    assert [message for message in messages if not message.startswith("STATUS=")] == [
        "READY=1",
        "WATCHDOG_USEC=60000000\nSTATUS=Running recover, requested by the daemon itself.",
        "WATCHDOG_USEC=0\nSTATUS=Ready.",
        "WATCHDOG_USEC=60000000\nSTATUS=Running suspend-all, requested by process PID (pmcoord).",
        "WATCHDOG_USEC=0\nSTATUS=Ready. Last cycle: degraded: "
        "cycle 1 degraded: mail was paused: did not suspend within 10 s",
        "STOPPING=1",
    ]
    assert log.splitlines()[1:] == [
        "pmcoord: suspend-all: cycle 1 degraded: mail was paused: did not suspend within 10 s"]


def test_sigterm_stops_the_daemon(served):
    served.serve(served.shipped("laptop.sim"))
    served.daemon.send_signal(signal.SIGTERM)
    assert served.daemon.wait(timeout=30) == 0


def test_an_idle_daemon_does_not_wake_up(served):
    served.serve(served.shipped("laptop.sim"))
    status = f"/proc/{served.daemon.pid}/status"

    def switches():
        with open(status, encoding="ascii") as file:
            return [line for line in file if "ctxt_switches" in line]

    time.sleep(1.5)  # what it had to do after its start is done
    before = switches()
    time.sleep(3)
    assert switches() == before
