# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands on Xen: cycles without S3, guests by name, and refusals."""

import json
import subprocess

import pytest

from test_sleep import GUESTS, domains, last_report, wait_cycle_over
from xenlab import RELEASE


def states(laptop) -> dict[str, str]:
    guests = json.loads(str(laptop.dom0("pmcoord list --json")))["guests"]
    return {guest["name"]: guest["state"] for guest in guests}


def test_list_has_every_guest(laptop):
    guests = {guest["name"]: guest for guest in json.loads(str(laptop.dom0("pmcoord list --json")))["guests"]}
    assert set(guests) == set(GUESTS)
    assert {name: guest["type"] for name, guest in guests.items()} == {
        "netvm": "pv", "fw": "pv", "web": "pv", "mail": "pv", "vault": "pvh"}
    assert {name: guest["role"] for name, guest in guests.items()} == {
        "netvm": "driver-domain", "fw": "driver-domain", "web": "guest", "mail": "guest", "vault": "guest"}
    assert {name: guest["needs"] for name, guest in guests.items()} == {
        "netvm": [], "fw": ["netvm"], "web": ["fw"], "mail": ["fw"], "vault": []}
    assert sorted(guests["fw"]["serves"]) == ["mail", "web"]
    assert guests["netvm"]["agent"] == "ready" and guests["netvm"]["mechanism"] == "agent"
    assert guests["vault"]["uuid"] == str(laptop.dom0("xl list -v vault | tail -n 1 | awk '{ print $7 }'"))


def test_plan_follows_the_dependencies_of_list(laptop):
    plan = json.loads(str(laptop.dom0("pmcoord plan --json")))
    down = {step["guest"]: step for step in plan["suspend"]}
    assert sorted(down["fw"]["after"]) == ["mail", "web"] and down["netvm"]["after"] == ["fw"]
    assert [down[name]["depth"] for name in ("web", "mail", "vault", "fw", "netvm")] == [0, 0, 0, 1, 2]
    assert plan["resume"][0]["guest"] == "netvm"


@pytest.mark.long
def test_guests_only_and_resume_all_are_idempotent(laptop):
    before = domains(laptop)
    boots = {guest: laptop.boot_id(guest) for guest in GUESTS}

    assert laptop.dom0("pmcoord suspend-all --guests-only").status == 0
    assert set(states(laptop).values()) == {"suspended"}
    assert laptop.dom0("pmcoord suspend-all --guests-only").status == 0
    assert set(states(laptop).values()) == {"suspended"}
    assert laptop.dom0("pmcoord resume-all").status == 0
    assert set(states(laptop).values()) == {"running"}
    assert laptop.dom0("pmcoord resume-all").status == 0

    laptop.wait_ping("web", seconds=10)
    assert domains(laptop) == before
    assert {guest: laptop.boot_id(guest) for guest in GUESTS} == boots
    assert last_report(laptop)["result"] == "ok"


def test_suspend_all_uses_logind_and_prints_the_report(laptop):
    job = laptop.dom0_start("pmcoord suspend-all --json")
    laptop.wait_suspended()
    laptop.wake()
    laptop.wait_awake()
    result = job.wait(90)
    report = json.loads(str(result))
    assert (result.status, report["result"], report["trigger"]) == (0, "ok", "sleep"), report
    assert report["slept_us"] > 0
    laptop.wait_ping("web", seconds=10)


def test_suspend_all_without_the_sleep_unit_runs_the_cycle_itself(laptop):
    laptop.dom0("systemctl disable pmcoord-sleep.service")
    job = laptop.dom0_start("pmcoord suspend-all --json")
    laptop.wait_suspended()
    laptop.wake()
    report = json.loads(str(job.wait(90)))
    assert (report["result"], report["trigger"]) == ("ok", "suspend-all"), report
    assert report["slept_us"] > 0
    laptop.wait_ping("web", seconds=10)
    assert str(laptop.dom0("cat /sys/power/sync_on_suspend")) == "1"


def test_guests_by_name_are_suspended_in_order(laptop):
    laptop.dom0("pmcoord suspend fw")
    assert states(laptop) == {"netvm": "running", "fw": "suspended", "web": "suspended", "mail": "suspended", "vault": "running"}
    laptop.dom0("pmcoord resume web")
    assert states(laptop) == {"netvm": "running", "fw": "running", "web": "running", "mail": "suspended", "vault": "running"}
    laptop.wait_ping("web", seconds=10)
    laptop.dom0("pmcoord resume-all")
    assert set(states(laptop).values()) == {"running"}


@pytest.mark.long
def test_a_guest_that_the_user_paused_stays_paused(laptop):
    laptop.dom0("xl pause mail")
    laptop.sleep_and_wake()
    wait_cycle_over(laptop)
    assert last_report(laptop)["result"] == "ok"
    assert states(laptop)["mail"] == "paused"
    laptop.dom0("xl unpause mail")
    laptop.wait_ping("mail", seconds=10)


@pytest.mark.long
def test_a_guest_that_is_kept_suspended_stays_so_over_a_sleep(laptop):
    laptop.dom0("pmcoord suspend web -q")
    laptop.sleep_and_wake()
    laptop.dom0("systemctl stop pmcoord-sleep.service", timeout=90)
    assert states(laptop) == dict.fromkeys(GUESTS, "running") | {"web": "suspended"}
    laptop.dom0("pmcoord resume-all -q")
    laptop.wait_ping("web", seconds=15)


def test_a_coordinator_killed_while_guests_are_suspended_strands_no_guest(laptop):
    """ExecStopPost= resumes them as soon as systemd has noticed the death."""
    boots = {guest: laptop.boot_id(guest) for guest in GUESTS}
    laptop.close_lid()
    laptop.wait_suspended()
    # The first command after the wake kills it, because in S3 nothing runs.
    laptop.wake()
    laptop.dom0("pkill -KILL -x pmcoord", check=False)
    laptop.wait_awake()
    laptop.dom0("systemctl stop pmcoord-sleep.service", timeout=90)
    assert set(states(laptop).values()) == {"running"}
    laptop.wait_ping("web", seconds=15)
    assert {guest: laptop.boot_id(guest) for guest in GUESTS} == boots


def test_a_closed_terminal_undoes_the_cycle(laptop):
    laptop.dom0("systemctl stop pmcoord")
    laptop.guest("netvm", "mkdir -p /etc/pmcoord/suspend.d; cd /etc/pmcoord/suspend.d; "
                          "printf '#!/bin/sh\\n[ $1 = post ] || sleep 4\\n' > 10-slow; chmod +x 10-slow")

    status = laptop.dom0("pmcoord suspend-all --guests-only & pid=$!; until grep -qs ' down ' /run/pmcoord/cycles/*; do sleep 0.05; done;"
                         "kill -HUP $pid; wait $pid", check=False).status

    assert status == 1
    assert last_report(laptop)["detail"] == "the terminal of the command was closed (SIGHUP)"
    assert states(laptop) == dict.fromkeys(GUESTS, "running")
    laptop.wait_ping("web", seconds=15)


@pytest.mark.long
@pytest.mark.parametrize("daemon", [True, False])
def test_a_closed_pipe_stops_no_cycle(laptop, daemon):
    if not daemon:
        laptop.dom0("systemctl stop pmcoord")
    assert str(laptop.dom0("pmcoord suspend-all --guests-only | true; echo ${PIPESTATUS[0]}")) == "0"
    assert states(laptop) == dict.fromkeys(GUESTS, "suspended")
    assert str(laptop.dom0("pmcoord resume-all | true; echo ${PIPESTATUS[0]}")) == "0"
    assert states(laptop) == dict.fromkeys(GUESTS, "running")


@pytest.mark.long
def test_cycles_leak_no_port(laptop):
    def ports(guest: str) -> int:
        """Without those of physical interrupts, whose number depends on whether the card's driver gets MSI-X."""
        return int(str(laptop.dom0(f"/usr/lib/xen-{RELEASE.xen}/bin/lsevtchn {laptop.domid(guest)} | grep -vc 'Physical IRQ'")))

    def cycle() -> None:
        laptop.dom0("pmcoord suspend-all --guests-only -q && pmcoord resume-all -q")

    cycle()
    first = {guest: ports(guest) for guest in GUESTS}
    for _ in range(5):
        cycle()
    assert {guest: ports(guest) for guest in GUESTS} == first


# ---- refusals ----------------------------------------------------------------


def refused(laptop, command: str, status: int, *words: str) -> None:
    before = states(laptop)
    result = laptop.dom0(command, check=False)
    assert result.status == status, result
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pmcoord: "), result.stderr
    for word in words:
        assert word in lines[0]
    assert states(laptop) == before


def test_a_missing_guest_is_named_and_nothing_changes(laptop):
    refused(laptop, "pmcoord suspend web nosuch", 2, "'nosuch'")
    refused(laptop, "pmcoord resume nosuch", 2, "'nosuch'")


def test_not_root_is_exit_4(laptop):
    refused(laptop, "setpriv --reuid=nobody --clear-groups pmcoord suspend-all", 4, "root")


def test_a_broken_configuration_is_reported_by_line_and_keeps_no_guest_suspended(laptop):
    laptop.dom0("pmcoord suspend-all --guests-only")
    laptop.put("/etc/pmcoord/pmcoord.conf", b"[Coordinator]\n\nDeadline=soon\n[Guest\n")
    assert laptop.dom0("pmcoord check", check=False).status == 2
    assert laptop.dom0("pmcoord resume-all").status == 0
    assert states(laptop) == dict.fromkeys(GUESTS, "running")
    result = laptop.dom0("pmcoord suspend-all --guests-only", check=False)
    assert result.status == 3
    assert "/etc/pmcoord/pmcoord.conf:3: Deadline: 'soon'" in result.stderr
    assert states(laptop) == dict.fromkeys(GUESTS, "suspended")
    laptop.dom0("systemctl restart pmcoord; pmcoord resume-all")
    assert states(laptop) == dict.fromkeys(GUESTS, "running")


def test_in_a_guest_the_error_names_dom0(laptop):
    laptop.dom0("mkdir -p /run/lab/guest && mount -t tmpfs none /run/lab/guest && touch /run/lab/guest/empty"
                " && mount --bind /run/lab/guest/empty /proc/xen/capabilities")
    result = laptop.dom0("pmcoord list", check=False)
    assert result.status == 4 and "pmcoord-agent" in result.stderr
    laptop.dom0("umount /proc/xen/capabilities")


def test_another_version_of_xen_is_named(laptop, tmp_path):
    """Xen refuses tools of another version with EACCES, as this replacement of the library does."""
    (tmp_path / "shim.c").write_text(
        "#include <errno.h>\nint xc_domain_getinfolist(void) { errno = EACCES; return -1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
    laptop.put("/run/lab/shim.so", (tmp_path / "shim.so").read_bytes())
    refused(laptop, "LD_PRELOAD=/run/lab/shim.so pmcoord list", 4, RELEASE.xen, "version")


def test_without_xenstored_commands_fail_at_once(laptop):
    laptop.dom0("pkill -KILL -x 'o?xenstored'")
    result = laptop.dom0("timeout 10 pmcoord list", check=False)
    assert result.status == 4 and "xenstored" in result.stderr


@pytest.mark.parametrize("command", ["suspend-all --guests-only", pytest.param("resume-all", marks=pytest.mark.long)])
def test_a_second_command_names_the_running_one(laptop, command):
    laptop.dom0("mkdir -p /run/pmcoord")
    holder = laptop.dom0_start("exec 9>>/run/pmcoord/lock && flock 9 && echo 'someone, process 1' > /run/pmcoord/lock && echo held && sleep 1000")
    holder.wait_output("held", 20)
    refused(laptop, f"pmcoord {command}", 5, "someone")
