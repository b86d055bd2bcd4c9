# SPDX-License-Identifier: LGPL-2.1-or-later
"""pmcoord-agent as a black box, on a machine that is not a Xen guest: its options, errors and output."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / os.environ.get("BUILD", "build") / "pmcoord-agent"


def run(*arguments, config="", tmp_path=None):
    if tmp_path:
        (tmp_path / "agent.conf").write_text(config)
        arguments = ("--config", tmp_path / "agent.conf", *arguments)
    return subprocess.run([AGENT, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [[], ["--status"], ["--status", "--json"]])
def test_without_xen_it_fails_with_one_sentence(arguments, tmp_path):
    result = run(*arguments, tmp_path=tmp_path)
    assert result.returncode == 4
    assert re.fullmatch(r"pmcoord-agent: cannot open xenstore: [^\n]*; run pmcoord-agent as root in a Xen guest\n", result.stderr)
    assert result.stdout == ""


def test_help_and_version_need_no_xen():
    assert re.fullmatch(r"pmcoord-agent \d+\.\d+\.\d+\n", run("--version").stdout)
    text = run("--help").stdout
    for option in ("--dry-run", "--test", "--status", "--restore", "--json", "--config"):
        assert option in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("option", ["--help", "--version", "--dry-run"])
def test_lost_output_is_an_error(option):
    with open("/dev/full", "w") as full:
        result = subprocess.run([AGENT, option], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "pmcoord-agent: cannot write the output: No space left on device"


@pytest.mark.parametrize("arguments", [["--frobnicate"], ["now"], ["--config"]])
def test_wrong_usage_is_exit_2(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr and result.stdout == ""


def test_a_bad_configuration_names_file_line_and_key(tmp_path):
    result = run("--dry-run", config="[Agent]\nThawAfter=soon\n", tmp_path=tmp_path)
    assert result.returncode == 2
    assert re.search(r"agent\.conf:2: .*'soon'", result.stderr)
    # The default applies, and the plan is shown.
    assert result.stdout == run("--dry-run", tmp_path=tmp_path).stdout


def large(path):
    path.touch()
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize("put", [
    lambda path: path.write_text("[Agent]\nTimeout=soon\n"),
    lambda path: path.write_text("[Agent\nTimeout=1s\n"),
    lambda path: path.write_bytes(b"[Agent]\n\0\n"),
    lambda path: path.write_bytes(bytes(i * 7919 % 251 for i in range(50000))),
    lambda path: path.mkdir(),
    lambda path: path.symlink_to("/nonexistent/x"),
    os.mkfifo,
    large,
])
def test_no_agent_conf_keeps_an_agent_from_restoring(tmp_path, put):
    path = tmp_path / "agent.conf"
    put(path)
    for mode, returncode in (("--restore", 0), ("--dry-run", 2)):
        result = run("--config", path, mode)
        assert result.returncode == returncode, result.stderr
        assert "agent.conf" in result.stderr
        assert len(result.stderr.splitlines()) < 25


def test_an_unknown_key_is_reported_and_ignored(tmp_path):
    result = run("--dry-run", config="[Agent]\nColour=blue\n", tmp_path=tmp_path)
    assert result.returncode == 0
    assert "agent.conf:2: unknown key 'Colour', ignoring" in result.stderr


def test_the_dry_run_shows_the_same_as_table_and_as_json(tmp_path):
    config = "[Agent]\nFreeze=user.slice system.slice\nSync=yes\n"
    table = run("--dry-run", config=config, tmp_path=tmp_path)
    shown = run("--dry-run", "--json", config=config, tmp_path=tmp_path)
    assert (table.returncode, shown.returncode) == (0, 0)

    plan = json.loads(shown.stdout)
    assert plan["sync"] is True and "sync     file systems" in table.stdout
    assert [entry["cgroup"] for entry in plan["freeze"]] == ["user.slice", "system.slice"]
    refused = plan["freeze"][1]
    assert not refused["freeze"] and f"skip     system.slice: {refused['reason']}" in table.stdout
    for device in plan["devices"]:
        assert {"address", "driver", "class", "interfaces", "action", "risk", "reason"} <= set(device)
        action = "KEEP" if device["risk"] else device["action"]
        assert re.search(rf"^{action} +{device['address']} +{device['driver']} ", table.stdout, re.M)
    if not plan["devices"]:
        assert "no PCI function has a driver" in table.stdout
    assert not re.search(" $", table.stdout, re.M)
