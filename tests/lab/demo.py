# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demonstration: closes and opens the lid of a Xen laptop.

Each statement is checked before it is printed; the first false one ends the demonstration with an error.
"""

import json
import re
import time
from pathlib import Path

from xenlab import LabError, Laptop
from xenlab.laptop import GATEWAY

NIGHT_SECONDS = 5
LINK_SECONDS = 10


def _show(laptop: Laptop, command: str) -> None:
    print(f"\ndom0# {command}", flush=True)
    print(str(laptop.dom0(command)), flush=True)


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _claim(true: bool, text: str) -> None:
    if not true:
        raise LabError(f"this is not true: {text}")
    print(f"   {text}", flush=True)


def _answers(laptop: Laptop) -> int:
    """The number of replies that the ping in web has received."""
    return int(str(laptop.guest("web", "grep -c seq= /run/demo-ping", check=False)) or 0)


def _last_answer(laptop: Laptop) -> str:
    return str(laptop.guest("web", "grep seq= /run/demo-ping | tail -n 1"))


def _check_report(report: dict) -> None:
    moments = {guest["name"]: guest for guest in report["guests"]}
    _claim(report["result"] == "ok", f"cycle {report['cycle']} is ok: every guest was suspended in memory and resumed")
    for first, then in (("web", "fw"), ("mail", "fw"), ("fw", "netvm")):
        _claim(moments[first]["down_us"] <= moments[then]["requested_us"]
               and moments[then]["running_us"] <= moments[first]["running_us"],
               f"{first} was suspended before {then} was requested, and {then} ran again before {first}")
    _claim(report["written_bytes"] == 0, "pmcoord wrote nothing to a disk between the first request and the last resume")


def _check_guests(laptop: Laptop, boots: dict[str, str], card: str) -> None:
    for guest, boot in boots.items():
        late_ms = laptop.clock_error_us(guest) // 1000
        _claim(laptop.boot_id(guest) == boot, f"{guest} was not rebooted")
        _claim(late_ms < 1000, f"{guest}'s clock is right (off by {late_ms} ms at most, besides the time to read it)")
    _claim(str(laptop.guest("netvm", "readlink -f /sys/class/net/enp0s0/device/driver")) == card,
           f"netvm's network card has its driver ({card.rsplit('/', 1)[-1]}) and its name again")


def run(laptop: Laptop, pictures: Path) -> None:
    card = str(laptop.guest("netvm", "readlink -f /sys/class/net/enp0s0/device/driver"))
    boots = {guest: laptop.boot_id(guest) for guest in laptop.guests}

    _step("A Xen laptop: its guests, and the plan to suspend them")
    _show(laptop, "xl list")
    _show(laptop, "pmcoord list")
    _show(laptop, "pmcoord plan")

    _step(f"web pings the gateway {GATEWAY} through fw and netvm's network card, during the whole cycle")
    laptop.guest("web", f"ping -i 0.5 {GATEWAY} > /run/demo-ping 2>&1 &")
    laptop.guest("web", "timeout 10 sh -c 'until grep -q seq= /run/demo-ping; do sleep 0.1; done'")
    print(f"   {_last_answer(laptop)}")

    _step("The lid closes")
    start = time.monotonic()
    laptop.close_lid()
    laptop.wait_suspended()
    print(f"   the host is in S3, {time.monotonic() - start:.1f} s after the lid closed", flush=True)
    time.sleep(NIGHT_SECONDS)

    _step("The lid opens")
    start = time.monotonic()
    laptop.wake()
    laptop.wait_awake()
    print(f"   dom0 answers, {time.monotonic() - start:.1f} s after the wake", flush=True)
    answers = _answers(laptop)
    goes_on = laptop.guest("web", f"timeout {LINK_SECONDS} sh -c 'until [ $(grep -c seq= /run/demo-ping) -gt {answers} ]; do sleep 0.1; done'",
                           timeout=LINK_SECONDS + 20, check=False)
    _claim(goes_on.status == 0, f"web's ping continues, {time.monotonic() - start:.1f} s after the wake: {_last_answer(laptop)}")
    laptop.dom0("flock /run/pmcoord/lock true", timeout=90)

    _step("The report")
    _show(laptop, "pmcoord report")
    _check_report(json.loads(str(laptop.dom0("pmcoord report --json"))))
    _check_guests(laptop, boots, card)

    pictures.mkdir(parents=True, exist_ok=True)
    laptop.dom0("pmcoord report --svg /run/timeline.svg && pmcoord plan --svg /run/plan.svg")
    for name in ("timeline.svg", "plan.svg"):
        picture = laptop.get(f"/run/{name}")
        _claim(re.search(rb"<svg[ >]", picture) is not None, f"picture: {pictures / name}")
        (pictures / name).write_bytes(picture)
