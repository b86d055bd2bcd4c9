#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures pmcoord and what it is compared with, in turn in the same laptop, and prints one table.

Absolute times are those of an emulated machine; only ratios are significant. The exit status is 1 if a bar is missed.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from xenlab import RELEASE, LabError, Laptop, Payload  # noqa: E402
from xenlab.debian import BuildTree  # noqa: E402
from xenlab.laptop import Guest  # noqa: E402
from xenlab.progress import say  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]
COMPARATORS = Path(__file__).resolve().parent / "comparators"
EIGHT = tuple(Guest(f"g{i}") for i in range(1, 9))
# Between two measurements, so that guests are idle again.
SETTLE = "sleep 1"
IDLE_SECONDS = 60
DAEMON_RESTARTS = 20
MIB = 1024.0  # in KiB, the kernel's unit


# ---- rows of the table ----


@dataclass
class Row:
    """ours and theirs are medians of the samples, in unit."""

    what: str
    ours: float
    theirs: float | None = None
    unit: str = "ms"
    bar: float | None = None  # None: for comparison only
    compared: str = "ratio"  # what must be <= bar: "ratio", "difference" (ours - theirs) or "ours"
    note: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        if self.bar is None:
            return None
        value = {"ratio": self.ratio, "ours": self.ours, "difference": self.ours - (self.theirs or 0)}[self.compared]
        return value is not None and value <= self.bar

    def cells(self) -> list[str]:
        def number(value: float | None) -> str:
            return "" if value is None else f"{value:.1f}" if value % 1 else f"{value:.0f}"

        unit = f" {self.unit}" if self.unit else ""
        bar = {"ratio": f"≤ {self.bar} ×", "ours": f"≤ {self.bar}{unit}", "difference": f"≤ +{self.bar}{unit}"}[self.compared]
        return [
            self.what, number(self.ours) + unit, number(self.theirs) + unit if self.theirs is not None else "",
            f"{self.ratio:.3f}" if self.ratio is not None else "", bar if self.bar is not None else "",
            {True: "met", False: "MISSED", None: ""}[self.met], self.note,
        ]


def compare(what: str, ours: list[float], theirs: list[float], bar: float | None, compared: str = "ratio", note: str = "") -> Row:
    """A row of two lists of ms."""
    return Row(what, median(ours), median(theirs), bar=bar, compared=compared, note=note, samples={"ours": ours, "theirs": theirs})


def print_table(rows: list[Row]) -> None:
    lines = [["WHAT", "OURS", "THEIRS", "RATIO", "BAR", "", "NOTE"]] + [row.cells() for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [cell.rjust(width) if 0 < i < 4 else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


# ---- pmcoord and the others ----


class Bench:
    """A laptop with pmcoord and the programs that it is compared with."""

    def __init__(self, laptop: Laptop, programs: dict[str, bytes]) -> None:
        self.laptop = laptop
        for name, program in programs.items():
            laptop.put(f"/run/lab/{name}", program, mode="755")
        self.has_daemon = laptop.dom0("systemctl start pmcoord.service && systemctl is-active pmcoord.service", check=False).status == 0

    def dom0(self, command: str, timeout: float = 120) -> str:
        return str(self.laptop.dom0(command, timeout))

    def run_other(self, program: str, *guests: str) -> dict:
        """One round of a comparator; times in ms."""
        domids = " ".join(str(self.laptop.domid(guest)) for guest in guests)
        figures = json.loads(self.dom0(f"/run/lab/{program} {domids}; {SETTLE}"))
        return {key.removesuffix("_us"): value / 1000 for key, value in figures.items()}

    def warm_up(self, *guests: str) -> None:
        """One round of each side that does not count: the first one after a copy runs code that was not translated yet."""
        self.cycle()
        self.run_other("libxl-each", *guests)
        self.run_other("barest-loop", *guests)

    def cycle(self) -> "Cycle":
        """One cycle of all guests, by pmcoord."""
        self.dom0("pmcoord -q cycle -n 1")
        return self.last_cycle()

    def cycle_of(self, guest: str) -> "Cycle":
        self.dom0(f"pmcoord -q suspend {guest} && pmcoord -q resume {guest}")
        return self.last_cycle()

    def last_cycle(self) -> "Cycle":
        report = json.loads(self.dom0(f"pmcoord report --json; {SETTLE}"))
        if report["result"] != "ok":
            raise LabError(f"cycle {report['cycle']} is {report['result']}: {json.dumps(report, indent=1)}")
        return Cycle(report)


class Cycle:
    """The moments of a report, in ms since the cycle began (before the inventory)."""

    def __init__(self, report: dict) -> None:
        self.report = report
        acting = [guest for guest in report["guests"] if guest["mechanism"] != "none"]
        resume = [phase for phase in report["phases"] if phase["name"] == "resume"][-1]
        self.first_request = min(guest["requested_us"] for guest in acting) / 1000
        self.last_down = max(guest["down_us"] for guest in acting) / 1000
        self.suspend = self.last_down - self.first_request
        self.resume = (max(guest["running_us"] for guest in acting) - resume["start_us"]) / 1000

    def guest(self, name: str) -> dict:
        return next(guest for guest in self.report["guests"] if guest["name"] == name)


def build_comparators(into: Path) -> dict[str, bytes]:
    tree = BuildTree.of(RELEASE)
    libraries = {
        "libxl-each": ["-lxenlight", "-lxentoollog"],
        "barest-loop": ["-lxenctrl", "-lxenguest", "-lxenevtchn", "-lxenstore"],
    }
    for name, links in libraries.items():
        tree.run("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", f"/output/{name}", f"{name}.c", *links, source=COMPARATORS, output=into)
    return {name: (into / name).read_bytes() for name in libraries}


# ---- eight independent guests ----


def measure_eight(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    names = [guest.name for guest in EIGHT]
    ours, libxl, barest = [], [], []
    bench.warm_up(*names)
    for i in range(options.rounds):
        say(f"8 guests: round {i + 1} of {options.rounds}")
        ours.append(bench.cycle())
        libxl.append(bench.run_other("libxl-each", *names))
        barest.append(bench.run_other("barest-loop", *names))
    suspend, whole, resume = [c.suspend for c in ours], [c.last_down for c in ours], [c.resume for c in ours]
    by_libxl, by_barest = [f["suspend"] for f in libxl], [f["suspend"] for f in barest]
    yield compare("8 guests suspended, against libxl one by one", suspend, by_libxl, 0.40)
    yield compare("  the same with our inventory", whole, by_libxl, 0.40, note="from the beginning of the cycle")
    yield compare("8 guests suspended, against the barest loop", suspend, by_barest, 1.15)
    yield compare("  the same with our inventory", whole, by_barest, None, note="from the beginning of the cycle")
    yield compare("8 guests resumed, against libxl", resume, [f["resume"] for f in libxl], 0.50)
    yield compare("8 guests resumed, against the barest loop", resume, [f["resume"] for f in barest], None)


def measure_one(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    ours, whole, libxl = [], [], []
    bench.warm_up("g1")
    for i in range(options.rounds):
        say(f"1 guest: round {i + 1} of {options.rounds}")
        cycle, other = bench.cycle_of("g1"), bench.run_other("libxl-each", "g1")
        ours.append(cycle.suspend + cycle.resume)
        whole.append(cycle.last_down + cycle.resume)
        libxl.append(other["suspend"] + other["resume"])
    yield compare("1 guest, suspend + resume, against libxl", ours, libxl, 0.70)
    yield compare("  the same with our inventory", whole, libxl, None, note="from the beginning of the cycle")


def measure_save(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """Saves into dom0's memory, because a disk would be slower."""
    ours, saved = [], []
    timed = "TIMEFORMAT=%R; time { xl save g8 /dev/shm/g8 && xl restore /dev/shm/g8; } > /dev/null 2> /run/lab/xl.log"
    for i in range(options.rounds):
        say(f"xl save and restore: round {i + 1} of {options.rounds}")
        cycle = bench.cycle_of("g8")
        ours.append(cycle.last_down + cycle.resume)
        seconds = bench.laptop.dom0(f"{{ {timed}; }} 2>&1; s=$?; rm -f /dev/shm/g8; {SETTLE}; exit $s", 180)
        saved.append(float(str(seconds).splitlines()[-1]) * 1000)
        bench.laptop.forget_guest("g8")
    yield compare("1 guest, suspend + resume, against xl save + restore", ours, saved, 0.03, note="with our inventory; saved in memory")


# ---- ports ----


def count_ports(bench: Bench, guest: str) -> int:
    listing = bench.dom0(f"$(ls -d /usr/lib/xen-*/bin/lsevtchn /usr/sbin/lsevtchn 2>/dev/null | head -n 1) {bench.laptop.domid(guest)}")
    return len(listing.splitlines())


def measure_ports(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    bench.cycle()
    before = {guest.name: count_ports(bench, guest.name) for guest in EIGHT}
    say(f"ports: {options.cycles} cycles")
    bench.dom0(f"pmcoord -q cycle -n {options.cycles}", timeout=60 + options.cycles * 10)
    restarts = DAEMON_RESTARTS if bench.has_daemon else 0
    for i in range(restarts):
        bench.dom0("systemctl reset-failed pmcoord.service; systemctl restart pmcoord.service")
    bench.cycle()
    after = {guest.name: count_ports(bench, guest.name) for guest in EIGHT}
    grown = max(after[name] - before[name] for name in before)
    note = f"{options.cycles} cycles, {restarts} restarts of the daemon; {min(before.values())} to {max(before.values())} ports per guest"
    yield Row("event-channel ports, more than after the first cycle", grown, unit="", bar=0, compared="ours", note=note)


# ---- the agent ----

AGENT_WITHOUT_DEVICES = """[Agent]
Freeze=%s
Devices=none
NetworkManager=no
CompactMemory=no
"""
PROCESSES = 200


def measure_request(bench: Bench, options: argparse.Namespace, freeze: str, what: str) -> tuple[list[float], list[float]]:
    """netvm requested through its agent, which stops no device, and directly, in turn; ms from the request until it is suspended."""
    config = shlex.quote(AGENT_WITHOUT_DEVICES % freeze)
    bench.laptop.guest("netvm", f"printf %s {config} > /etc/pmcoord/agent.conf; systemctl restart pmcoord-agent")
    ours, direct = [], []
    for i in range(options.rounds + 1):
        say(f"{what}: round {i} of {options.rounds}" if i else f"{what}: a round that does not count")
        guest = bench.cycle_of("netvm").guest("netvm")
        if guest["mechanism"] != "agent":
            raise LabError(f"netvm was suspended by {guest['mechanism']}: {guest['detail']}")
        ours.append((guest["down_us"] - guest["requested_us"]) / 1000)
        direct.append(bench.run_other("barest-loop", "netvm")["suspend"])
    return ours[1:], direct[1:]


def measure_agent(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """The guests that need netvm are kept suspended meanwhile."""
    laptop = bench.laptop
    laptop.guest("netvm", "cp -p /etc/pmcoord/agent.conf /run/agent.conf")
    bench.dom0("pmcoord -q suspend fw")
    ours, direct = measure_request(bench, options, "", "agent")
    yield compare("driver domain suspended by its agent, against a direct request", ours, direct, 5, compared="difference", note="no devices, nothing frozen")

    # Without the agent, the kernel freezes all of them by itself.
    laptop.guest("netvm", f"systemd-run -q --collect --unit=crowd --slice=user.slice sh -c 'for i in $(seq {PROCESSES}); do sleep infinity & done; wait'")
    ours, direct = measure_request(bench, options, "user.slice", f"agent and {PROCESSES} processes")
    yield compare(f"  with {PROCESSES} processes to freeze", ours, direct, 50, compared="difference", note="no devices; against the kernel's own freezing")
    steps = str(laptop.guest("netvm", "journalctl -u pmcoord-agent -n 200 -o cat --no-pager | grep -o 'freezing [0-9.]*' | tail -n 5 | xargs"))
    say(f"the agent's own measure of it, in ms: {steps}")

    bench.dom0("pmcoord -q resume-all")
    laptop.guest("netvm", "systemctl stop crowd; cp -p /run/agent.conf /etc/pmcoord/agent.conf; systemctl restart pmcoord-agent")


# ---- idling, memory, disks, processes ----

Run = Callable[..., str]


def main_pid(run: Run, unit: str) -> int:
    return int(run(f"systemctl show -P MainPID {unit}"))


def switches(run: Run, pid: int) -> int:
    return sum(map(int, run(f"awk '/^(non)?voluntary_ctxt/ {{ print $2 }}' /proc/{pid}/task/*/status").split()))


def measure_idle(run: Run, unit: str, what: str) -> Iterator[Row]:
    pid = main_pid(run, unit)
    before = switches(run, pid)
    run(f"sleep {IDLE_SECONDS}", timeout=IDLE_SECONDS + 60)
    woken = switches(run, pid) - before
    yield Row(f"{what} idle: wake-ups in {IDLE_SECONDS} s", woken, unit="", bar=0, compared="ours")
    # The trace also contains the calls that its threads wait in, without a result. Attaching strace interrupts them once.
    trace = f"timeout -s INT {IDLE_SECONDS + 5} strace -qq -f -ttt -o /run/idle.trace -p {pid}; test $? = 124"
    run(f"date +%s.%N > /run/idle.began; {trace}", timeout=IDLE_SECONDS + 60)
    late = "NR == FNR { began = $1; next } / = / && ($1 ~ /[.]/ ? $1 : $2) > began + 5"
    calls = run(f"awk '{late}' /run/idle.began /run/idle.trace").splitlines()
    first = calls[0][:80] if calls else ""
    yield Row(f"{what} idle: system calls in {IDLE_SECONDS} s", len(calls), unit="", bar=0, compared="ours", note=first)


def measure_memory(run: Run, unit: str, what: str, bar_kib: float) -> Iterator[Row]:
    pid = main_pid(run, unit)
    rollup = run(f"cat /proc/{pid}/smaps_rollup")
    kib = {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB", rollup, re.M)}
    status = run(f"grep -E 'VmLck|VmRSS' /proc/{pid}/status").split()
    note = f"locked {kib.get('Locked', 0)} KiB, resident {kib['Rss']} KiB ({' '.join(status)})"
    yield Row(f"private memory of the {what}", kib["Private_Clean"] + kib["Private_Dirty"], unit="KiB", bar=bar_kib, compared="ours", note=note)


def measure_quiet(bench: Bench, _: argparse.Namespace) -> Iterator[Row]:
    """Bytes that pmcoord has written, and processes that it has started, from the first request to the last resume."""
    if bench.has_daemon:
        pid = main_pid(bench.dom0, "pmcoord.service")
        tracer = bench.laptop.dom0_start(f"exec strace -qq -f -ttt -e trace=%process -o /run/cycle.trace -p {pid}")
        bench.dom0("sleep 1; pmcoord -q cycle -n 1")
        tracer.signal(2)
        tracer.wait(30)
    else:
        bench.dom0("strace -qq -f -ttt -e trace=%process -o /run/cycle.trace pmcoord -q cycle -n 1")
    cycle = bench.last_cycle()
    trace = bench.dom0("cat /run/cycle.trace")
    started = len(re.findall(r"\b(?:execve|clone|clone3|fork|vfork)\(", trace)) - (0 if bench.has_daemon else 1)
    yield Row("bytes written by pmcoord while guests are suspended", cycle.report["written_bytes"], unit="", bar=0, compared="ours")
    yield Row("processes started by pmcoord in a whole cycle", started, unit="", bar=0, compared="ours")


# ---- the engine alone ----

ENGINE_SIZES = (10, 50, 100, 500, 1000, 5000)
# "Near-linear": the most that a guest among 5,000 may cost, relative to one among 500.
NEAR_LINEAR = 2.0


def run_engine(shape: str, guests: int, rounds: int) -> list[float]:
    """Whole cycles, in ms of processor time, which other processes do not affect; the engine never waits."""
    done = subprocess.run([SOURCE / "build/tests/bench/engine", shape, str(guests), str(rounds)], check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    return [(down + back) / 1000 for down, back in zip(figures["down_us"], figures["back_us"])]


def measure_engine(options: argparse.Namespace) -> Iterator[Row]:
    """On this machine, not in the laptop."""
    for shape in ("chain", "star"):
        cycles = {guests: run_engine(shape, guests, options.rounds + 1)[1:] for guests in ENGINE_SIZES}
        all_sizes = "; ".join(f"{guests}: {median(times):.2f}" for guests, times in cycles.items())
        samples = {str(guests): times for guests, times in cycles.items()}
        yield Row(f"engine alone, {shape} of 500, suspended and resumed", median(cycles[500]), bar=5, compared="ours", note=f"ms, guests: {all_sizes}", samples=samples)
        yield Row(f"  a guest among 5,000, against one among 500 ({shape})", median(cycles[5000]) / 5, median(cycles[500]) / 0.5, unit="µs", bar=NEAR_LINEAR)


# ---- sections ----


def measure_laptop_daemon(bench: Bench, _: argparse.Namespace) -> Iterator[Row]:
    if not bench.has_daemon:
        say("no daemon runs: its rows are left out")
        return
    yield from measure_idle(bench.dom0, "pmcoord.service", "daemon")
    yield from measure_memory(bench.dom0, "pmcoord.service", "daemon", 2 * MIB)


def measure_laptop_agent(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    def netvm(command: str, timeout: float = 60) -> str:
        return str(bench.laptop.guest("netvm", command, timeout))

    yield from measure_idle(netvm, "pmcoord-agent.service", "agent")
    yield from measure_memory(netvm, "pmcoord-agent.service", "agent", MIB)
    yield from measure_agent(bench, options)


Measure = Callable[[Bench, argparse.Namespace], Iterator[Row]]
# Sections by the laptop that they need.
ON_EIGHT: dict[str, Measure] = {"eight": measure_eight, "one": measure_one, "save": measure_save, "ports": measure_ports}
ON_LAPTOP: dict[str, Measure] = {"quiet": measure_quiet, "daemon": measure_laptop_daemon, "agent": measure_laptop_agent}


def run_measures(measures: list[Measure], laptop: Callable[[], Laptop], programs: dict[str, bytes], options: argparse.Namespace) -> Iterator[Row]:
    if not measures:
        return
    with laptop() as running:
        bench = Bench(running, programs)
        for measure in measures:
            for row in measure(bench, options):
                say("  ".join(filter(None, row.cells())))
                yield row


def run_all(options: argparse.Namespace) -> Iterator[Row]:
    def wanted(measures: dict[str, Measure]) -> list[Measure]:
        return [measure for name, measure in measures.items() if not options.sections or name in options.sections]

    if not options.sections or "engine" in options.sections:
        for row in measure_engine(options):
            say("  ".join(filter(None, row.cells())))
            yield row
    if not wanted(ON_EIGHT) + wanted(ON_LAPTOP):
        return
    with tempfile.TemporaryDirectory() as scratch:
        payload = Payload.make(SOURCE, Path(scratch) / "payload")
        programs = build_comparators(Path(scratch))
        yield from run_measures(wanted(ON_EIGHT), lambda: Laptop.fresh(replace(payload, netvm=None), EIGHT), programs, options)
        yield from run_measures(wanted(ON_LAPTOP), lambda: Laptop.fresh(payload), programs, options)


def main() -> int:
    names = ["engine", *ON_EIGHT, *ON_LAPTOP]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each side, in turn (10)")
    parser.add_argument("--cycles", type=int, default=100, help="cycles before ports are counted again (100)")
    parser.add_argument("--json", type=Path, default=SOURCE / "build/bench.json", help="file for the figures, with all samples")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(names)} (all)")
    options = parser.parse_args()
    if set(options.sections) - set(names):
        parser.error(f"there is no section {', '.join(sorted(set(options.sections) - set(names)))}")
    rows = list(run_all(options))
    print_table(rows)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows], indent=1))
    missed = sum(row.met is False for row in rows)
    print(f"\n{sum(row.met is True for row in rows)} bars met, {missed} missed; all samples in {options.json}")
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench: {error}")
