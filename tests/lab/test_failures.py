# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that misbehave, on Xen: the report names them, the others are suspended, all are resumed."""

import contextlib
import json
import re
import time

import pytest

from xenlab import Guest, LabError, Laptop
from xenlab.laptop import ATTEMPTS
from xenlab.stuck import LET_DISK_ANSWER, MAKE_DISK, write_to

from test_sleep import GUESTS as ALL_GUESTS
from test_sleep import domains, wait_cycle_over

# Without vault: under emulation a PVH guest can fault by itself some time after its start.
GUESTS = tuple(guest for guest in ALL_GUESTS if guest != "vault")

# A guest that hangs: it never reads xenstore.
HUNG = b'name="hung"\ntype="pvh"\nkernel="/srv/lab/hung"\nmemory=16\nvcpus=1\non_reboot="destroy"\n'


@pytest.fixture(scope="module")
def shared(payload):
    """Every test restores this laptop, which is part of the test."""
    with Laptop.fresh(payload) as laptop:
        laptop.put("/run/lab/hung.cfg", HUNG)
        laptop.dom0("xl destroy vault")
        del laptop.guests["vault"]
        yield laptop


@pytest.fixture
def calm(shared):
    # Do not let a failed test affect the next one.
    shared.dom0("pmcoord resume-all -q", check=False)
    before = domains(shared)
    boots = {guest: shared.boot_id(guest) for guest in GUESTS}
    yield shared
    assert domains(shared) == before
    assert states(shared) == dict.fromkeys(GUESTS, "running")
    assert {guest: shared.boot_id(guest) for guest in GUESTS} == boots
    assert str(shared.dom0("ls /run/pmcoord/cycles 2>/dev/null | wc -l")) == "0"


def states(laptop: Laptop) -> dict[str, str]:
    return {guest["name"]: guest["state"] for guest in json.loads(str(laptop.dom0("pmcoord list --json")))["guests"]}


def listed(laptop: Laptop, name: str) -> dict:
    return next(guest for guest in json.loads(str(laptop.dom0("pmcoord list --json")))["guests"] if guest["name"] == name)


def entry(report: dict, name: str) -> dict:
    return next(guest for guest in report["guests"] if guest["name"] == name)


@contextlib.contextmanager
def hung_guest(laptop: Laptop):
    laptop.dom0("xl create /run/lab/hung.cfg")
    try:
        yield
    finally:
        laptop.dom0("xl destroy hung", check=False)


@contextlib.contextmanager
def another_guest(laptop: Laptop, guest: Guest):
    laptop.create_guest(guest)
    try:
        yield
    finally:
        laptop.dom0(f"xl destroy {guest.name}", check=False)
        laptop.forget_guest(guest.name)
        del laptop.guests[guest.name]


# The kernel reads the partitions of a new disk. While a disk's answers take seconds, the process that has created it
# waits for several of them, and cannot be frozen.
SLOW_DISK = "irqmode=2 completion_nsec=%d000000000 gb=1 nr_devices=1"


def block(laptop: Laptop, name: str, answer_seconds: int) -> None:
    """Makes the guest's kernel acknowledge requests to suspend, but unable to freeze its processes for some time."""
    laptop.guest(name, f"cd /modules && insmod configfs.ko; (insmod null_blk.ko {SLOW_DISK % answer_seconds} </dev/null >/dev/null 2>&1 &);"
                 "until grep -q '^State:.D' /proc/$(pidof insmod)/status; do :; done")


def configure(laptop: Laptop, *lines: str) -> str:
    """Writes a configuration; returns the option that selects it."""
    laptop.put("/run/lab/pmcoord.conf", "\n".join(["[Coordinator]", *lines, ""]).encode())
    return "--config /run/lab/pmcoord.conf"


def suspend(laptop: Laptop, options: str = "") -> tuple[int, dict, str]:
    """Returns exit code, report, and standard error."""
    result = laptop.dom0(f"pmcoord {options} suspend-all --guests-only --json", check=False)
    return result.status, json.loads(result.stdout), result.stderr


def resume(laptop: Laptop) -> int:
    return laptop.dom0("pmcoord resume-all -q", check=False).status


def assert_saveable(laptop: Laptop, name: str) -> None:
    laptop.dom0(f"xl save {name} /run/lab/saved && xl restore /run/lab/saved && rm /run/lab/saved")
    laptop.forget_guest(name)


# ---- the host; before the shared laptop exists, as two starve each other -------


def block_the_freezer(laptop: Laptop) -> None:
    """Makes dom0's kernel refuse to sleep, soon, because a process cannot be frozen."""
    disk = laptop.dom0(f"echo 2000 > /sys/power/pm_freeze_timeout\n{MAKE_DISK}")
    laptop.dom0(f"{write_to(disk)} < /dev/null > /dev/null 2>&1 & until grep -q '^State:.D' /proc/$!/status; do :; done")


@pytest.mark.parametrize("how", ["lid", pytest.param("command", marks=pytest.mark.long)])
def test_all_guests_are_resumed_when_the_kernel_refuses_to_sleep(laptop, how):
    boots = {guest: laptop.boot_id(guest) for guest in ALL_GUESTS}
    block_the_freezer(laptop)
    if how == "lid":
        laptop.close_lid(stays_closed=True)
        with pytest.raises(LabError, match="gave up"):
            laptop.wait_suspended()
    else:
        result = laptop.dom0("pmcoord suspend-all", check=False)
        assert result.status == 1, result
        assert "sleep" in result.stderr
    wait_cycle_over(laptop)
    # By its default, systemd would try standby and s2idle then; in vain here, but it would.
    assert "suspend entry (deep)" in str(laptop.dom0("dmesg")) and "s2idle" not in str(laptop.dom0("dmesg"))
    assert str(laptop.dom0("ls /run/systemd/sleep.conf.d")) == ""
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert (report["result"], report["slept_us"]) == ("failed", None), report
    assert {entry["outcome"] for entry in report["guests"]} == {"suspended"}
    assert states(laptop) == dict.fromkeys(ALL_GUESTS, "running")
    assert {guest: laptop.boot_id(guest) for guest in ALL_GUESTS} == boots
    laptop.wait_ping("web", seconds=10)
    if how == "lid":
        assert_backs_off(laptop, report["cycle"])


def assert_backs_off(laptop: Laptop, cycle: int) -> None:
    """systemd tries again while the lid is closed; guests must not be suspended each time."""
    laptop.dom0("systemctl start suspend.target", check=False)
    assert json.loads(str(laptop.dom0("pmcoord report --json")))["cycle"] == cycle
    assert "the next attempt is due in" in str(laptop.dom0("journalctl -b -u pmcoord -u pmcoord-sleep -o cat"))
    laptop.open_lid()
    # An attempt of logind from before the lid was opened must not succeed now.
    laptop.dom0("while systemctl list-jobs --no-legend | grep -q 'suspend\\|sleep'; do sleep 0.1; done; " + LET_DISK_ANSWER)
    # Consumes events of attempts that logind has made by itself.
    with contextlib.suppress(LabError):
        laptop.wait_suspended(1)
    laptop.sleep_and_wake()
    wait_cycle_over(laptop)
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    # Not the next number, if logind tried between the opening of the lid and the thaw of the file system.
    assert report["cycle"] > cycle and report["result"] == "ok" and report["slept_us"], report


def test_a_closed_lid_sleeps_in_spite_of_a_hung_guest(laptop):
    laptop.put("/run/lab/hung.cfg", HUNG)
    laptop.put("/etc/pmcoord/pmcoord.conf", b"[Coordinator]\nGuestTimeout=2s\n")
    laptop.dom0("systemctl reload-or-restart pmcoord; xl create /run/lab/hung.cfg")
    laptop.sleep_and_wake()
    wait_cycle_over(laptop)
    report = json.loads(str(laptop.dom0("pmcoord report --json")))
    assert report["result"] == "degraded" and entry(report, "hung")["outcome"] == "paused"
    assert "hung" in str(laptop.dom0("journalctl -b -u pmcoord -u pmcoord-sleep --no-pager"))
    status = str(laptop.dom0("systemctl show -P StatusText pmcoord"))
    assert re.search("degraded.*hung", status), status
    assert states(laptop) == dict.fromkeys((*ALL_GUESTS, "hung"), "running")
    laptop.wait_ping("web", seconds=10)


# ---- guests that do not suspend ----------------------------------------------


@pytest.mark.both
def test_a_hung_guest_is_paused_and_named_and_the_others_are_suspended(calm):
    with hung_guest(calm):
        status, report, said = suspend(calm, configure(calm, "GuestTimeout=2s"))
        assert (status, report["result"]) == (3, "degraded")
        assert "hung" in said and "2 s" in said
        assert entry(report, "hung")["outcome"] == "paused"
        assert {entry(report, name)["outcome"] for name in GUESTS} == {"suspended"}
        assert states(calm) == dict.fromkeys(GUESTS, "suspended") | {"hung": "paused"}
        resume(calm)
        assert states(calm) == dict.fromkeys((*GUESTS, "hung"), "running")
        # The request must be retracted, or the guest would suspend later.
        assert str(calm.dom0("xenstore-read /local/domain/$(xl domid hung)/control/shutdown")) == ""


@pytest.mark.long
def test_a_hung_guest_aborts_the_cycle_with_on_failure_abort(calm):
    with hung_guest(calm):
        status, report, said = suspend(calm, configure(calm, "GuestTimeout=2s", "OnFailure=abort"))
        assert (status, report["result"]) == (1, "failed")
        assert "hung" in said
        assert states(calm) == dict.fromkeys((*GUESTS, "hung"), "running")


@pytest.mark.parametrize("policy, status, outcome", [("pause", 3, "paused"), pytest.param("abort", 1, "failed", marks=pytest.mark.long)])
def test_at_the_deadline_on_deadline_decides_and_the_cause_is_named(calm, policy, status, outcome):
    with hung_guest(calm):
        options = configure(calm, "Deadline=3s", f"OnDeadline={policy}")
        start = time.monotonic()
        found, report, said = suspend(calm, options)
        assert found == status and "hung" in said and "3 s" in said
        assert time.monotonic() - start < 20
        if policy == "pause":
            assert entry(report, "hung")["outcome"] == "paused"
            assert {entry(report, name)["outcome"] for name in GUESTS} == {"suspended"}
            resume(calm)
        assert states(calm) == dict.fromkeys((*GUESTS, "hung"), "running")


@pytest.mark.both
def test_a_guest_that_suspends_late_is_resumed_and_can_be_saved_afterwards(calm):
    with another_guest(calm, Guest("late")):
        options = configure(calm, "GuestTimeout=1s", "OnFailure=abort")
        with calm.observe() as seen:
            block(calm, "late", 1)
            status, report, said = suspend(calm, options)
            calm.guest("late", "true")
        assert (status, report["result"]) == (1, "failed")
        assert "late" in said
        assert entry(report, "late")["outcome"] == "failed"
        # It may be suspended for less than a millisecond, which the observer may miss.
        assert "suspended late" in entry(report, "late")["detail"]
        assert seen.of("late")[-1].state == "running"
        assert_saveable(calm, "late")


@pytest.mark.long
def test_a_paused_guest_that_suspends_after_its_unpause_is_resumed(calm):
    with another_guest(calm, Guest("late")):
        options = configure(calm, "GuestTimeout=1s")
        block(calm, "late", 1)
        status, report, said = suspend(calm, options)
        assert (status, entry(report, "late")["outcome"]) == (3, "paused")
        assert "late" in said
        resume(calm)
        calm.guest("late", "true")
        assert states(calm)["late"] == "running"


@pytest.mark.long
def test_a_guest_that_acknowledges_and_never_suspends_continues(calm):
    with another_guest(calm, Guest("stuck")):
        calm.guest("stuck", "echo 3000 > /sys/power/pm_freeze_timeout")
        options = configure(calm, "GuestTimeout=2s", "OnFailure=abort")
        block(calm, "stuck", 100)
        status, report, said = suspend(calm, options)
        assert (status, entry(report, "stuck")["outcome"]) == (1, "failed")
        assert "stuck" in said
        assert states(calm) == dict.fromkeys((*GUESTS, "stuck"), "running")
        calm.guest("stuck", "true")


def test_a_guest_that_cannot_suspend_is_paused_without_a_wait(calm):
    with another_guest(calm, Guest("plain")):
        calm.guest("plain", "guestexec write control/feature-suspend 0")
        assert listed(calm, "plain")["mechanism"] == "pause"
        status, report, _ = suspend(calm)
        assert (status, entry(report, "plain")["outcome"]) == (3, "paused")
        suspended = next(phase for phase in report["phases"] if phase["name"] == "suspend")
        assert suspended["duration_us"] < 10_000_000
        resume(calm)
        calm.guest("plain", "true")


# ---- guests that others change -----------------------------------------------


@pytest.mark.both
def test_guests_created_and_destroyed_in_the_cycle(calm):
    options = configure(calm, "GuestTimeout=6s")
    for name in (b"new", b"doomed"):
        calm.put(f"/run/lab/{name.decode()}.cfg", HUNG.replace(b"hung", name, 1))
    try:
        # The hung guest keeps the cycle going meanwhile.
        with hung_guest(calm):
            calm.dom0("xl create /run/lab/doomed.cfg")
            job = calm.dom0_start(f"pmcoord {options} suspend-all --guests-only --json")
            for name in ("hung", "doomed"):
                calm.dom0(f"until xenstore-read /local/domain/$(xl domid {name})/control/shutdown | grep -q suspend; do :; done")
            calm.dom0("xl destroy doomed; xl create /run/lab/new.cfg")
            result = job.wait()
            report = json.loads(result.stdout)
            assert (result.status, entry(report, "hung")["outcome"]) == (3, "paused")
            assert {entry(report, name)["outcome"] for name in GUESTS} == {"suspended"}
            # xl pauses it first.
            assert entry(report, "doomed")["outcome"] in ("failed", "skipped") and entry(report, "doomed")["gone"] == "destroyed"
            new = entry(report, "new")
            # xl was building it still, or it did not answer.
            assert new["appeared"] and new["outcome"] in ("skipped", "paused"), new
            assert states(calm)["new"] == "paused"
            resume(calm)
            assert states(calm)["new"] == "running"
            assert calm.dom0("xenstore-read /local/domain/$(xl domid new)/control/shutdown", check=False).stdout.strip() == ""
    finally:
        calm.dom0("xl destroy new; xl destroy doomed", check=False)


@pytest.mark.long
def test_a_guest_destroyed_while_kept_suspended_is_reported_gone(calm):
    with another_guest(calm, Guest("victim")):
        calm.dom0("pmcoord suspend victim -q; xl destroy victim")
        told = str(calm.dom0("pmcoord resume-all | cat"))
        assert re.search(r"ms  victim +gone: destroyed\n", told) and told.endswith("No guest is left that could be resumed."), told
        report = json.loads(str(calm.dom0("pmcoord report --json")))
        assert (report["result"], entry(report, "victim")["gone"]) == ("degraded", "destroyed")


@contextlib.contextmanager
def slow_save(laptop: Laptop, name: str):
    """Saves the guest to a reader that does not read before the end: meanwhile the guest is suspended and half saved."""
    laptop.dom0("rm -f /run/lab/fifo && mkfifo /run/lab/fifo && touch /run/lab/drain")
    reader = laptop.dom0_start("exec 3<>/run/lab/fifo; echo open; while [ -e /run/lab/drain ]; do sleep 0.1; done; exec cat <&3 >/dev/null")
    reader.wait_output("open")
    saver = laptop.dom0_start(f"xl save {name} /run/lab/fifo")
    laptop.dom0(f"until xl list {name} | tail -n 1 | awk '{{ print $5 }}' | grep -q s; do :; done")
    yield
    assert states(laptop)[name] == "suspended"
    laptop.dom0("rm /run/lab/drain")
    assert saver.wait().status == 0
    reader.signal(15)


def test_a_guest_that_is_being_saved_is_not_resumed(calm):
    with another_guest(calm, Guest("saved")):
        with slow_save(calm, "saved"):
            status, report, _ = suspend(calm)
            assert (status, entry(report, "saved")["outcome"]) == (0, "skipped")
            assert resume(calm) == 0


@pytest.mark.long
def test_a_guest_that_is_saved_before_its_turn_is_not_resumed(calm):
    """It waits for another guest when the save begins."""
    with another_guest(calm, Guest("taken")), another_guest(calm, Guest("slow")):
        options = configure(calm, '[Guest "slow"]', "SuspendBefore=taken")
        block(calm, "slow", 4)
        job = calm.dom0_start(f"pmcoord {options} suspend-all --guests-only --json")
        calm.dom0("until grep -qs ' request ' /run/pmcoord/cycles/*; do :; done")
        with slow_save(calm, "taken"):
            result = job.wait()
            taken = entry(json.loads(result.stdout), "taken")
            assert result.status == 3, result
            assert taken["outcome"] == "skipped" and taken["taken_by_another"], taken
            resume(calm)


@pytest.mark.long
def test_a_guest_that_is_saved_after_a_failed_suspend_is_not_resumed(calm):
    """It has acknowledged the request, so it could be late: but this suspend is the save's."""
    with another_guest(calm, Guest("failing")):
        calm.guest("failing", "echo 1000 > /sys/power/pm_freeze_timeout")
        block(calm, "failing", 6)
        status, report, said = suspend(calm, configure(calm, "GuestTimeout=3s", "OnFailure=abort"))
        assert (status, entry(report, "failing")["outcome"]) == (1, "failed"), said
        calm.guest("failing", "while pidof insmod; do sleep 0.1; done")
        with slow_save(calm, "failing"):
            calm.dom0("systemctl restart pmcoord; pmcoord resume-all -q")


def test_a_guest_that_removes_the_request_suspends_in_each_cycle(calm):
    """As drivers of Windows and NetBSD do. A node that dom0 writes then belongs to dom0, and the guest cannot change it."""
    with another_guest(calm, Guest("remover")):
        def remove() -> int:
            return calm.guest("remover", "guestexec remove control/shutdown", check=False).status

        calm.dom0("systemctl stop pmcoord")
        assert remove() == 0
        calm.dom0(f"xenstore-write /local/domain/{calm.domid('remover')}/control/shutdown ''")
        assert remove() != 0, "the control: without the right owner the request cannot be removed"
        for daemon in ("stop", "start"):
            calm.dom0(f"systemctl {daemon} pmcoord")
            status, report, said = suspend(calm)
            assert (status, entry(report, "remover")["outcome"]) == (0, "suspended"), said
            assert resume(calm) == 0
            assert remove() == 0


def test_a_guest_that_is_shutting_down_is_waited_for_and_then_paused(calm):
    with hung_guest(calm):
        # As xl shutdown does, which would wait a minute for the guest.
        calm.dom0("xenstore-write /local/domain/$(xl domid hung)/control/shutdown poweroff")
        status, report, said = suspend(calm, configure(calm, "GuestTimeout=2s"))
        assert (status, entry(report, "hung")["outcome"]) == (3, "paused"), said
        assert "shutting down" in entry(report, "hung")["detail"] and "hung" in said
        resume(calm)
        assert states(calm)["hung"] != "paused"
        assert str(calm.dom0("xenstore-read /local/domain/$(xl domid hung)/control/shutdown")) == "poweroff"


def test_a_guest_that_is_being_built_is_paused_until_the_resume(calm):
    calm.dom0("xl create -p /run/lab/hung.cfg")
    try:
        status, report, _ = suspend(calm)
        assert (status, report["result"]) == (0, "ok"), report
        assert "being built" in entry(report, "hung")["detail"]
        # Its builder ends in the middle of the cycle.
        calm.dom0("xl unpause hung")
        assert states(calm)["hung"] == "paused"
        resume(calm)
        assert states(calm)["hung"] == "running"
    finally:
        calm.dom0("xl destroy hung", check=False)


@pytest.mark.long
def test_a_guest_that_never_answers_is_waited_for_less_after_three_cycles(calm):
    options = configure(calm, "GuestTimeout=4s")
    waited_us = []
    with hung_guest(calm):
        for _ in range(4):
            report = suspend(calm, options)[1]
            waited_us.append(entry(report, "hung")["down_us"] - entry(report, "hung")["requested_us"])
            resume(calm)
        found = json.loads(str(calm.dom0("pmcoord check --json", check=False)))["findings"]
    assert min(waited_us[:3]) > 3_900_000 and waited_us[3] < 2_500_000, waited_us
    assert any(finding["subject"] == "hung" and "did not suspend in" in finding["message"] for finding in found), found


def test_a_full_run_keeps_no_host_awake(calm):
    calm.dom0("systemctl stop pmcoord; mkdir -p /run/pmcoord; mount -t tmpfs -o size=64k none /run/pmcoord;"
              "! dd if=/dev/zero of=/run/pmcoord/filler bs=4k")
    try:
        assert calm.dom0("pmcoord cycle -n 1 -q", check=False).status == 3
        report = json.loads(str(calm.dom0("pmcoord report --json")))
        assert {entry(report, name)["outcome"] for name in GUESTS} == {"suspended"}
        assert any("No space left on device" in warning for warning in report["warnings"]), "the control: /run was not full"
    finally:
        calm.dom0("umount /run/pmcoord; systemctl start pmcoord")


def test_a_guest_that_the_user_paused_stays_paused(calm):
    calm.dom0("xl pause mail")
    status, report, _ = suspend(calm)
    assert (status, entry(report, "mail")["outcome"]) == (0, "skipped")
    resume(calm)
    assert states(calm)["mail"] == "paused"
    calm.dom0("xl unpause mail")


def test_guests_are_resumed_while_xenstored_hangs(calm):
    calm.dom0("systemctl stop pmcoord")
    try:
        calm.dom0("pmcoord suspend-all --guests-only -q")
        with calm.observe() as seen:
            # It resumes all, and then waits for xenstored, which only SIGKILL ends.
            told = calm.dom0("pid=$(pidof oxenstored xenstored) && kill -STOP $pid; timeout -s KILL 8 pmcoord resume-all -q;"
                             "cut -d ' ' -f 1 /proc/uptime; kill -CONT $pid")
        hung_until = float(str(told)) * 1e6
        for name in GUESTS:
            assert seen.first(name, "running").time_us < hung_until - 3_000_000, f"{name} was resumed when xenstored answered again"
        # The observer may see two in the same look.
        assert seen.first("netvm", "running").time_us <= seen.first("fw", "running").time_us <= seen.first("web", "running").time_us
        # What needs xenstored is done by the next process.
        calm.dom0("pmcoord resume-all -q")
        assert states(calm) == dict.fromkeys(GUESTS, "running")
        assert suspend(calm)[0] == 0
        resume(calm)
        calm.wait_ping("web", seconds=30)
    finally:
        calm.dom0("systemctl start pmcoord")


@pytest.mark.long
def test_a_second_command_names_the_running_one(calm):
    with hung_guest(calm):
        first = calm.dom0_start(f"pmcoord {configure(calm, 'GuestTimeout=8s')} suspend-all --guests-only -q")
        calm.dom0("until xenstore-read /local/domain/$(xl domid hung)/control/shutdown | grep -q suspend; do :; done")
        second = calm.dom0("pmcoord suspend-all --guests-only", check=False)
        assert second.status == 5 and re.search(r"is running \(.*suspend-all", second.stderr), second
        assert first.wait().status == 3
        resume(calm)


# ---- kinds of guest ----------------------------------------------------------


def test_a_kernel_with_an_event_channel_is_requested_by_it(calm):
    with another_guest(calm, Guest("classic")):
        calm.guest("classic", "suspend-channel > /run/log 2>&1 & until grep -q listening /run/log; do :; done")
        assert listed(calm, "classic")["mechanism"] == "event-channel"
        for _ in range(2):
            status, report, said = suspend(calm)
            assert status == 0, said
            assert (entry(report, "classic")["mechanism"], entry(report, "classic")["outcome"]) == ("event-channel", "suspended")
            assert resume(calm) == 0
            calm.guest("classic", "pidof suspend-channel")


def test_a_guest_that_sends_events_without_end_delays_nothing(calm):
    quiet_s = calm.dom0("systemctl restart pmcoord").seconds
    with another_guest(calm, Guest("stormy")):
        calm.guest("stormy", "suspend-channel storm > /run/log 2>&1 & until grep -q listening /run/log; do :; done")
        for daemon in ("start", "stop"):
            calm.dom0(f"systemctl {daemon} pmcoord")
            status, report, said = suspend(calm)
            assert status == 0, said
            assert (entry(report, "stormy")["mechanism"], entry(report, "stormy")["outcome"]) == ("event-channel", "suspended")
            assert resume(calm) == 0
        calm.guest("stormy", "[ $(pidof suspend-channel | wc -w) = 2 ]")
        calm.dom0("systemctl start pmcoord; timeout 5 pmcoord status")
        # The storm takes up to half of the emulated machine.
        assert calm.dom0("systemctl restart pmcoord").seconds < 3 * quiet_s


@pytest.mark.long
def test_a_device_model_is_suspended_after_its_guest_and_resumed_before_it(calm):
    with another_guest(calm, Guest("stub")):
        calm.dom0(f"xenstore-write /local/domain/{calm.domid('stub')}/target {calm.domid('mail')}")
        assert listed(calm, "stub")["role"] == "stub-domain"
        assert set(listed(calm, "mail")["needs"]) == {"fw", "stub"}
        status, report, said = suspend(calm)
        assert status == 0, said
        assert entry(report, "mail")["down_us"] <= entry(report, "stub")["requested_us"]
        with calm.observe() as seen:
            assert resume(calm) == 0
        assert seen.first("stub", "running").time_us <= seen.first("mail", "running").time_us
        report = json.loads(str(calm.dom0("pmcoord report --json")))
        assert entry(report, "stub")["running_us"] < entry(report, "mail")["running_us"]


@pytest.mark.long
def test_a_false_claim_of_a_guest_changes_no_order(calm):
    with another_guest(calm, Guest("liar", backend="fw", ip="10.0.2.19")):
        honest = {guest["name"]: guest["needs"] for guest in json.loads(str(calm.dom0("pmcoord list --json")))["guests"]}
        assert honest["liar"] == ["fw"]
        calm.guest("liar", f"guestexec write device/vif/0/backend-id {calm.domid('web')} &&"
                   f"guestexec write device/vif/0/backend /local/domain/{calm.domid('web')}/backend/vif/{calm.domid('liar')}/0")
        assert {guest["name"]: guest["needs"] for guest in json.loads(str(calm.dom0("pmcoord list --json")))["guests"]} == honest


def assert_suspended_and_resumed(laptop: Laptop, name: str, mechanism: str) -> None:
    assert (listed(laptop, name)["type"], listed(laptop, name)["mechanism"]) == ("hvm", mechanism)
    status, report, said = suspend(laptop)
    assert status == 0, said
    assert entry(report, name)["outcome"] == "suspended"
    resume(laptop)
    beat = laptop.heartbeat(name)
    deadline = time.monotonic() + 60
    while laptop.heartbeat(name) <= beat:
        assert time.monotonic() < deadline, "the guest does not run"


@pytest.mark.long
@pytest.mark.parametrize("pv_drivers, mechanism", [(True, "xenstore"), (False, "hvm")])
def test_a_fully_virtualised_guest_is_suspended(calm, pv_drivers, mechanism):
    for _ in range(ATTEMPTS):
        with another_guest(calm, Guest("full", type="hvm", memory=192, pv_drivers=pv_drivers)):
            try:
                assert_suspended_and_resumed(calm, "full", mechanism)
                return
            except (AssertionError, LabError):
                # The emulation may end such a guest.
                if not calm.has_faulted("full"):
                    raise
                resume(calm)
    pytest.fail("the emulation has failed each time")
