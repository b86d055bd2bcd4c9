# SPDX-License-Identifier: LGPL-2.1-or-later
"""pmcoord is installed on a disk that a guest serves: while that guest is suspended, the disk cannot be read."""

import json
import shlex

import pytest

from test_sleep import wait_cycle_over
from xenlab import Guest, LabError, Laptop

MOUNT = "/srv/disk"
DEVICE = 51712  # xvda (major 202, minor 0)

# Writes what a toolstack writes for a disk of dom0 that a guest serves. Each kernel reads both halves as soon as its own
# exists, so they are written in one transaction, below directories that both may read.
ATTACH = """
b=/local/domain/{store}/backend/vbd/0 f=/local/domain/0/device/vbd
xenstore-write $b "" $f ""
xenstore-chmod $b n{store} r0
xenstore-chmod $f n0 r{store}
b=$b/{device} f=$f/{device}
xenstore-write $f/backend $b $f/backend-id {store} $f/virtual-device {device} $f/device-type disk $f/state 1 \
    $b/frontend $f $b/frontend-id 0 $b/online 1 $b/removable 0 $b/bootable 1 $b/mode w $b/type phy \
    $b/params /dev/ram0 $b/physical-device 1:0 $b/dev xvda $b/state 1
udevadm wait --timeout=60 /dev/xvda
"""

# Installs pmcoord and its libraries on that disk.
INSTALL = f"""
mkfs.ext4 -q /dev/xvda && mkdir -p {MOUNT} && mount /dev/xvda {MOUNT} && mkdir {MOUNT}/lib
cp /usr/bin/pmcoord {MOUNT}/ && cp -L $(ldd /usr/bin/pmcoord | grep -o '/[^ ]*') {MOUNT}/lib/
head -c 1000000 /dev/urandom > {MOUNT}/file
mkdir -p /run/systemd/system/pmcoord.service.d
"""
PMCOORD = f"{MOUNT}/lib/ld-linux-x86-64.so.2 --library-path {MOUNT}/lib {MOUNT}/pmcoord"
DROP_IN = f"[Service]\nExecStart=\nExecStart={PMCOORD} daemon\n"

DROP_CACHES = "sync; echo 3 > /proc/sys/vm/drop_caches"


@pytest.fixture(scope="module")
def shared(payload):
    with Laptop.fresh(payload) as laptop:
        laptop.dom0("xl destroy vault")
        laptop.create_guest(Guest("store", memory=192))
        laptop.guest("store", "cd /modules && insmod brd.ko rd_nr=1 rd_size=65536 && insmod xen-blkback.ko")
        laptop.dom0("set -e;" + ATTACH.format(store=laptop.domid("store"), device=DEVICE))
        laptop.dom0("set -e;" + INSTALL)
        laptop.put("/run/systemd/system/pmcoord.service.d/from-disk.conf", DROP_IN.encode())
        laptop.dom0("systemctl daemon-reload && systemctl restart pmcoord")
        yield laptop


@pytest.fixture
def laptop(shared, request):
    request.node.laptop = shared
    yield shared
    guests = json.loads(str(shared.dom0("pmcoord list --json")))["guests"]
    assert {guest["state"] for guest in guests} == {"running"}


def mapped(laptop: Laptop) -> str:
    return str(laptop.dom0(f"grep -c {MOUNT} /proc/$(systemctl show -p MainPID --value pmcoord)/maps"))


def can_read(laptop: Laptop) -> bool:
    """Reads the disk, not the page cache."""
    read = f"timeout -s KILL 5 dd if={MOUNT}/file of=/dev/null bs=64k iflag=direct"
    return laptop.dom0(read, check=False).status == 0


def test_the_guest_is_suspended_and_resumed_while_its_disk_cannot_be_read(laptop):
    assert int(mapped(laptop)) > 10
    assert can_read(laptop)
    laptop.dom0(DROP_CACHES)
    result = laptop.dom0("pmcoord suspend-all --guests-only --json")
    assert "store" in result.stdout
    assert not can_read(laptop), "the guest serves its disk while suspended"
    laptop.dom0("pmcoord resume-all")
    assert can_read(laptop)


def test_the_host_sleeps_and_wakes(laptop):
    laptop.dom0(DROP_CACHES)
    job = laptop.dom0_start("pmcoord suspend-all --json")
    laptop.wait_suspended()
    laptop.wake()
    laptop.wait_awake()
    report = json.loads(job.wait().stdout)
    assert report["result"] == "ok" and report["slept_us"] is not None, report
    assert can_read(laptop)


def test_the_lids_sleep_is_refused_with_advice(laptop):
    """systemd starts programs before the sleep, after the guest was suspended."""
    laptop.close_lid()
    with pytest.raises(LabError, match="gave up"):
        laptop.wait_suspended()
    laptop.open_lid()
    wait_cycle_over(laptop)
    log = str(laptop.dom0("journalctl -b -u pmcoord -u pmcoord-sleep -o cat"))
    assert f"{MOUNT} is mounted from xvda, a disk that a guest serves" in log
    assert "use 'pmcoord suspend-all'" in log


def test_check_reports_it(laptop):
    findings = json.loads(str(laptop.dom0("pmcoord check --json", check=False)))["findings"]
    assert [f for f in findings if shlex.quote(MOUNT) in f["message"] and f["level"] == "warning"], findings
