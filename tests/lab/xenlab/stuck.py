# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk that does not answer: a process that waits for it cannot be frozen.

It is a loop disk in a file on a frozen file system. A process that waits for the file system itself could be frozen,
since Linux 6.2.
"""

MAKE_DISK = """
set -e
modprobe loop
truncate -s 8M /run/stuck.img
mkfs.ext4 -q /run/stuck.img
mkdir -p /run/stuck
mount -o loop /run/stuck.img /run/stuck
truncate -s 1M /run/stuck/disk
losetup -f --show /run/stuck/disk
fsfreeze -f /run/stuck
"""
"""Shell commands for dom0 or netvm that print the disk's name."""

LET_DISK_ANSWER = "fsfreeze -u /run/stuck"


def remove_disk(disk: str) -> str:
    """Shell commands for a disk that answers."""
    return f"losetup -d {disk}; umount /run/stuck; rm /run/stuck.img"


def write_to(disk: str) -> str:
    """A command that waits for the disk."""
    return f"dd if=/dev/zero of={disk} bs=4k count=1 oflag=direct"
