#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The emulated laptop from the command line."""

import argparse
import os
import select
import shutil
import signal
import sys
import tempfile
import termios
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import demo  # noqa: E402
from xenlab import LabError, Laptop, Payload  # noqa: E402
from xenlab.progress import say  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]


def _fresh(bare: bool) -> Laptop:
    if bare:
        return Laptop.fresh()
    with tempfile.TemporaryDirectory() as scratch:
        say("building pmcoord")
        return Laptop.fresh(Payload.make(SOURCE, Path(scratch)))


def build(arguments: argparse.Namespace) -> int:
    with _fresh(arguments.bare) as laptop:
        say(f"ready: {str(laptop.dom0('xl info xen_version'))}, guests {', '.join(laptop.guests)}")
    return 0


def shell(arguments: argparse.Namespace) -> int:
    if not arguments.command and not sys.stdin.isatty():
        raise LabError("a shell needs a terminal; -c COMMAND does not")
    with _fresh(arguments.bare) as laptop:
        if arguments.command:
            result = laptop.dom0(arguments.command, timeout=3600, check=False)
            sys.stdout.buffer.write(result.stdout_bytes)
            sys.stderr.buffer.write(result.stderr_bytes)
            return result.status
        print("dom0 of a fresh copy of the laptop, which ends with this shell (Ctrl-D).\r\n"
              "lid shut: echo close > /run/lab-lid/fifo    wake: any key    in a guest: /usr/lib/lab/guestexec run DOMID 10 'COMMAND'")
        return _interactive(laptop)


def _interactive(laptop: Laptop) -> int:
    job = laptop.dom0_start("export HOME=/root; cd; exec bash -i", terminal=True)
    ended, ending = os.pipe()
    resized, resizing = os.pipe()
    job.on_output(lambda data: os.write(sys.stdout.fileno(), data))
    job.on_end(lambda: os.close(ending))
    signal.signal(signal.SIGWINCH, lambda *_: os.write(resizing, b"."))
    os.write(resizing, b".")
    saved = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        while True:
            ready, _, _ = select.select([sys.stdin, resized, ended], [], [])
            if ended in ready:
                break
            if resized in ready:
                os.read(resized, 64)
                size = shutil.get_terminal_size()
                job.resize(size.lines, size.columns)
                continue
            typed = os.read(sys.stdin.fileno(), 1024)
            if not typed:
                break
            if laptop.is_suspended():
                laptop.wake()
            else:
                job.write(typed)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
    return job.status or 0


def demonstrate(arguments: argparse.Namespace) -> int:
    with _fresh(bare=False) as laptop:
        demo.run(laptop, SOURCE / "build/demo")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("build", build, "build and boot the laptop, and keep a snapshot for copies"),
        ("shell", shell, "a root shell in dom0 of a fresh copy"),
        ("demo", demonstrate, "close its lid, open it, and show that all guests were resumed"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        if name != "demo":
            command.add_argument("--bare", action="store_true", help="without pmcoord")
        command.set_defaults(function=function)
        if name == "shell":
            command.add_argument("-c", dest="command", help="run this command instead")
    arguments = parser.parse_args()
    try:
        return arguments.function(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
