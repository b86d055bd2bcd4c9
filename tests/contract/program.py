# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the built pmcoord as a black box, on simulated hosts."""

import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("BUILD", "build") / "pmcoord"


class Pmcoord:
    """Runs pmcoord; each instance has states, journals and reports of its own."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "pmcoord.conf").write_text("")

    def run(self, *arguments, config=None, stdout=subprocess.PIPE):
        config = config or self.directory / "pmcoord.conf"
        return subprocess.run(
            [PROGRAM, "--config", config, *arguments],
            stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False)

    def scenario(self, text, name="scenario"):
        path = self.directory / name
        # pytest numbers its directories from 0 again when /tmp was emptied, and /run keeps the states of that path.
        if not path.exists():
            shutil.rmtree(self.journals(path).parent, ignore_errors=True)
        path.write_text(text)
        return path

    def on(self, scenario, *arguments, **options):
        return self.run(f"--hypervisor=sim:{scenario}", *arguments, **options)

    def json(self, scenario, *arguments):
        result = self.on(scenario, *arguments, "--json")
        return json.loads(result.stdout)

    def states(self, scenario):
        """The state of each guest: {name: state}."""
        return {guest["name"]: guest["state"] for guest in self.json(scenario, "list")["guests"]}

    def journals(self, scenario):
        """The directory of a simulation's journals: named by the FNV-1a hash of the scenario's path."""
        digest = 0xCBF29CE484222325
        for byte in str(scenario.resolve()).encode():
            digest = (digest ^ byte) * 0x100000001B3 % 2**64
        if os.geteuid() == 0:
            base = pathlib.Path("/run/pmcoord-rehearsal")
        else:
            base = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", f"/tmp/pmcoord-rehearsal-{os.geteuid()}"))
            if "XDG_RUNTIME_DIR" in os.environ:
                base /= "pmcoord-rehearsal"
        return base / f"{digest:016x}" / "cycles"

    def shipped(self, name):
        """A copy of a shipped scenario, so that each test has its own states of guests."""
        return self.scenario((ROOT / "hooks/scenarios" / name).read_text(), name)
