# SPDX-License-Identifier: LGPL-2.1-or-later
"""pmcoord-agent as a black box in a guest made of files: /sys, /run and /etc are directories of the test."""

import fcntl
import json
import os
import pathlib
import re
import select
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / os.environ.get("BUILD", "build") / "pmcoord-agent"
UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
ENTER = """
tree=$1
shift
for name in sys run etc; do
	mount --bind "$tree/$name" "/$name" || exit 99
done
exec "$@"
"""
NIC = "0000:00:04.0"


class Guest:
    def __init__(self, top):
        self.top = top
        self.write("run/.keep", "")
        self.write("etc/pmcoord/agent.conf", "[Agent]\n")
        self.write("sys/power/pm_freeze_timeout", "20000\n")
        self.write("sys/class/block/.keep", "")
        self.write("sys/fs/cgroup/user.slice/cgroup.freeze", "0")
        self.write("sys/fs/cgroup/user.slice/cgroup.events", "populated 1\nfrozen 1\n")
        for name, text in (("class", "0x020000"), ("vendor", "0x8086"), ("device", "0x10d3")):
            self.write(f"sys/devices/{NIC}/{name}", text)
        self.write("sys/drivers/e1000e/unbind", "")
        self.write("sys/drivers/e1000e/bind", "")
        (top / "sys/devices" / NIC / "driver").symlink_to("../../drivers/e1000e")
        (top / "sys/bus/pci/devices").mkdir(parents=True)
        (top / "sys/bus/pci/devices" / NIC).symlink_to(f"../../../devices/{NIC}")

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name):
        path = self.top / name
        return path.read_text() if path.exists() else None

    def add_hook(self, name, script):
        self.write(f"etc/pmcoord/suspend.d/{name}", f"#!/bin/sh\n{script}\n")
        (self.top / "etc/pmcoord/suspend.d" / name).chmod(0o755)

    def run(self, *arguments, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
        return subprocess.run([*UNSHARE, "sh", "-c", ENTER, "sh", self.top, AGENT, *arguments], capture_output=True,
                              text=True, timeout=60, check=False, env={**environment, **variables})


@pytest.fixture
def guest(tmp_path):
    guest = Guest(tmp_path)
    if guest.run("--version").returncode != 0:
        pytest.skip("this machine has no mount namespaces")
    return guest


def assert_undone(guest):
    assert guest.read("sys/fs/cgroup/user.slice/cgroup.freeze") == "0"
    assert guest.read("sys/power/pm_freeze_timeout").strip() == "20000"
    assert guest.read("run/pmcoord-agent/journal") is None


def test_the_dry_run_shows_this_guest(guest):
    guest.add_hook("10-x", "true")
    result = guest.run("--dry-run")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "hook     10-x",
        "freeze   user.slice",
        "",
        "ACTION   FUNCTION      DRIVER           CLASS       INTERFACE  WHY",
        f"unbind   {NIC}  e1000e           network     -",
    ]
    assert json.loads(guest.run("--dry-run", "--json").stdout)["hooks"] == ["10-x"]
    assert_undone(guest)


def test_the_settings_are_read_below_etc_or_where_told(guest):
    guest.write("etc/pmcoord/agent.conf", "[Agent]\nFreeze=\nColour=red\n")
    guest.write("other.conf", "[Agent]\nFreeze=gone.slice\nColour=blue\nTimeout=soon\n")
    result = guest.run("--dry-run")
    assert result.stderr == "/etc/pmcoord/agent.conf:3: unknown key 'Colour', ignoring\n"
    assert (result.returncode, "slice" in result.stdout) == (0, False)
    result = guest.run("--dry-run", "--config", guest.top / "other.conf")
    assert [line.partition(":")[2] for line in result.stderr.splitlines()] == [
        "3: unknown key 'Colour', ignoring",
        "4: Timeout: 'soon' is not a time of up to 1h, such as '500ms' or '10s'",
    ]
    assert (result.returncode, "skip     gone.slice" in result.stdout) == (2, True)


def test_the_self_test_quiesces_and_restores_this_guest(guest):
    guest.add_hook("10-x", f"echo $1 $PMCOORD_CYCLE >> {guest.top}/log")
    result = guest.run("--test")
    assert result.returncode == 0
    assert re.match(r"ok: quiesced in [\d.]+ m?s, restored in [\d.]+ m?s\n", result.stdout)
    assert re.search(rf"^{NIC} e1000e ok [\d.]+ m?s$", result.stdout, re.M)
    assert guest.read("log") == "pre 0\npost 0\n"
    assert guest.read("sys/drivers/e1000e/unbind") == NIC
    assert_undone(guest)
    assert guest.read("run/pmcoord-agent/done") is None


@pytest.mark.parametrize("hook, returncode, outcome, text", [
    ("test $1 = post", 1, "failed", "hook 10-x pre failed with status 1"),
    ("test $1 = pre", 3, "degraded", "hook 10-x post failed with status 1"),
])
def test_a_self_test_that_fails_has_another_exit_code(guest, hook, returncode, outcome, text):
    guest.add_hook("10-x", hook)
    result = guest.run("--test")
    assert result.returncode == returncode
    assert result.stdout.startswith(f"{outcome}: quiesced in ")
    assert text in result.stdout
    shown = json.loads(guest.run("--test", "--json").stdout)
    assert shown["result"] == outcome
    assert text in shown["reason"] + shown["detail"]
    assert_undone(guest)


@pytest.mark.parametrize("cycle, effect, returncode, done", [
    (3, "freeze user.slice", 0, "failed 3\n\n"),
    (3, "device x", 3, "degraded 3\ncannot undo device x: Bad message\n"),
    (0, "freeze user.slice", 0, None),
])
def test_what_an_agent_has_left_is_restored(guest, cycle, effect, returncode, done):
    guest.write("sys/fs/cgroup/user.slice/cgroup.freeze", "1")
    guest.write("run/pmcoord-agent/journal",
                f"cycle {cycle}\neffect freeze user.slice\neffect {effect}\n")
    result = guest.run("--restore")
    assert (result.returncode, result.stdout) == (returncode, "")
    assert ("cannot undo device x: Bad message\n" in result.stderr) == (returncode != 0)
    assert guest.read("run/pmcoord-agent/done") == done
    assert_undone(guest)


def test_without_leftovers_nothing_is_restored(guest):
    guest.write("sys/fs/cgroup/user.slice/cgroup.freeze", "1")
    result = guest.run("--restore")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert guest.read("sys/fs/cgroup/user.slice/cgroup.freeze") == "1"


@pytest.mark.parametrize("mode", ["--test", "--restore"])
def test_only_one_agent_changes_the_guest(guest, mode):
    guest.write("run/pmcoord-agent/journal", "cycle 3\neffect freeze user.slice\n")
    guest.write("sys/fs/cgroup/user.slice/cgroup.freeze", "1")
    with open(guest.top / "run/pmcoord-agent/lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        result = guest.run(mode)
    assert result.returncode == 5
    assert result.stderr == "pmcoord-agent: another pmcoord-agent is running a cycle or a test\n"
    assert guest.read("sys/fs/cgroup/user.slice/cgroup.freeze") == "1"


def test_a_self_test_does_not_begin_before_leftovers_are_restored(guest):
    guest.write("run/pmcoord-agent/journal", "cycle 3\neffect freeze user.slice\n")
    result = guest.run("--test")
    assert result.returncode == 1
    assert "cycle 3 has not been undone: run 'pmcoord-agent --restore'" in result.stdout


def test_a_journal_that_cannot_be_read_is_an_error(guest):
    (guest.top / "run/pmcoord-agent/journal").mkdir(parents=True)
    for variables, prefix in (({}, "pmcoord-agent: "), ({"JOURNAL_STREAM": "8:1"}, "<3>")):
        result = guest.run("--restore", **variables)
        assert result.returncode == 1
        assert result.stderr == f"{prefix}cannot read /run/pmcoord-agent/journal: Is a directory\n"


def test_a_plan_that_cannot_be_made_is_an_error(guest):
    guest.write("etc/pmcoord/suspend.d", "")
    result = guest.run("--dry-run")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "pmcoord-agent: cannot list hooks, PCI functions and modules: Not a directory\n"


def test_short_options_and_the_last_mode_count(guest):
    assert guest.run("-h").stdout == guest.run("--help").stdout
    assert guest.run("--test", "--dry-run").stdout == guest.run("--dry-run", "-v").stdout
    result = guest.run("--dry-run", "now")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "pmcoord-agent: unexpected argument 'now'; see --help\n"


# ---- The service, with a double of Xen's libraries ----


@pytest.fixture(scope="module")
def xen(tmp_path_factory):
    library = tmp_path_factory.mktemp("xen") / "guest_xen.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, ROOT / "tests/contract/guest_xen.c"],
                   check=True, timeout=60)
    return library


class Service:
    """An agent that runs as systemd runs it; `kept` is its event channel in systemd's store, the fd of an open file."""

    def __init__(self, guest, xen, kept=""):
        self.top = guest.top
        (self.top / "nodes").mkdir(exist_ok=True)
        address = self.top / "notify"
        address.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(address))
        self.socket.settimeout(20)
        script = ENTER.replace("exec", f"{kept}\nexport LD_PRELOAD='{xen}'\nexec")
        environment = {**os.environ, "NOTIFY_SOCKET": str(address), "XEN_NODES": str(self.top / "nodes")}
        self.process = subprocess.Popen([*UNSHARE, "sh", "-c", script, "sh", self.top, AGENT], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def read_messages(self, last):
        """Reads what the agent tells systemd, until the message `last`."""
        messages = []
        while last not in messages:
            text, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 4)
            for descriptor in descriptors:
                os.close(descriptor)
            messages.append(text.decode() + (" with a descriptor" if descriptors else ""))
        return messages

    def nodes(self):
        return {path.name.removeprefix("data_pmcoord_"): path.read_text() for path in (self.top / "nodes").iterdir()}

    def stop(self):
        self.process.terminate()
        stdout, stderr = self.process.communicate(timeout=30)
        rest = []
        while select.select([self.socket], [], [], 0)[0]:
            rest.append(self.socket.recv(4096).decode())
        self.socket.close()
        assert stdout == ""
        return rest, stderr


def test_the_service_publishes_its_channel_and_stops_on_a_signal(guest, xen):
    service = Service(guest, xen)
    assert service.read_messages("READY=1") == [
        "FDSTOREREMOVE=1\nFDNAME=evtchn",
        "FDSTORE=1\nFDPOLL=0\nFDNAME=evtchn with a descriptor",
        "STATUS=ready 0",
        "READY=1",
    ]
    assert service.nodes() == {"version": "1", "event-channel": "41", "state": "ready 0", "detail": ""}
    assert guest.read("run/pmcoord-agent/port") == "41\n"
    assert service.stop() == (["STOPPING=1"], "")
    assert service.process.returncode == 0
    assert "state" not in service.nodes()


KEPT = """
exec 5<&0 3<>"$tree/channel" 0<&5
export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=evtchn
"""


@pytest.mark.parametrize("port, published", [
    ("17\n", {"detail": "", "state": "ready 0"}),
    # Without a port that can be used, the agent binds a new one.
    ("18\n", {"version": "1", "event-channel": "41", "state": "ready 0", "detail": ""}),
    ("2147483648\n", {"version": "1", "event-channel": "41", "state": "ready 0", "detail": ""}),
    (None, {"version": "1", "event-channel": "41", "state": "ready 0", "detail": ""}),
])
def test_the_service_keeps_a_channel_that_is_stored(guest, xen, port, published):
    os.mkfifo(guest.top / "channel")
    if port:
        guest.write("run/pmcoord-agent/port", port)
    service = Service(guest, xen, KEPT)
    messages = service.read_messages("READY=1")
    kept = "version" not in published
    assert messages == ([] if kept else ["FDSTOREREMOVE=1\nFDNAME=evtchn",
                                         "FDSTORE=1\nFDPOLL=0\nFDNAME=evtchn with a descriptor"]) + [
        "STATUS=ready 0", "READY=1"]
    assert service.nodes() == published
    assert guest.read("run/pmcoord-agent/port") == ("17\n" if kept else "41\n")
    service.stop()
    assert service.process.returncode == 0
