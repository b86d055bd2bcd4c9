# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the double of Xen claims about Xen (tests/fakexen/contract.h), made of Xen itself."""

from pathlib import Path

from xenlab import RELEASE, Guest
from xenlab.debian import BuildTree

SOURCE = Path(__file__).resolve().parents[2]
# Each claim that needs the guest to suspend may take CONTRACT_SUSPEND_MS.
CLAIMS_S = 300


def build_contract(into: Path) -> bytes:
    """The program that makes the claims, built in the release's own tree: libxenctrl fits one version of Xen."""
    build = f"build/{RELEASE.suite}"
    program = f"{build}/tests/fakexen/contract"
    BuildTree.of(RELEASE).run("make", "-s", f"BUILD={build}", program, source=SOURCE, output=into)
    return (SOURCE / program).read_bytes()


def test_claims_of_the_double_hold_on_xen(bare_laptop, tmp_path):
    bare_laptop.put("/root/contract", build_contract(tmp_path), mode="755")
    bare_laptop.create_guest(Guest("scratch"))
    result = bare_laptop.dom0(f"/root/contract {bare_laptop.domid('scratch')}", CLAIMS_S, check=False)
    print(result.stdout)
    assert result.status == 0, f"{result.stdout}{result.stderr}"
    # Each claim has its line, and the guest is as it was.
    assert result.stdout.count("\nok ") > 20
    assert str(bare_laptop.guest("scratch", "echo alive")).strip() == "alive"
