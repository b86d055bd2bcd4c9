# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps directories that are expensive to make under a key: a hash of all their inputs."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator

from .progress import say


def root() -> Path:
    base = os.environ.get("PMCOORD_LAB_CACHE")
    if base:
        return Path(base).resolve()
    xdg = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(xdg, "pmcoord-lab").resolve()


class Key:
    """A hash over the inputs of a directory."""

    def __init__(self, *words: str) -> None:
        self._hash = hashlib.sha256()
        self.add(*words)

    def add(self, *words: str) -> "Key":
        for word in words:
            data = word.encode()
            self._hash.update(b"%d:" % len(data) + data)
        return self

    def add_tree(self, *paths: Path) -> "Key":
        for path in paths:
            files = [path] if not path.is_dir() else sorted(p for p in path.rglob("*") if p.is_symlink() or not p.is_dir())
            for file in files:
                if "__pycache__" in file.parts:
                    continue
                if file.is_symlink():
                    self.add(str(file.relative_to(path.parent)), "->", os.readlink(file))
                    continue
                self.add(str(file.relative_to(path.parent)), oct(file.stat().st_mode & 0o777))
                self._hash.update(hashlib.sha256(file.read_bytes()).digest())
        return self

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


@contextlib.contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process makes {what}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def get(kind: str, key: Key, make: Callable[[Path], None], keep: int) -> Path:
    """The directory KIND/KEY; make(dir) fills it if it does not exist.

    It is renamed into place when complete; the remains of a killed process are removed by the next one. Of the other
    directories of the kind, the keep-1 used last are kept.
    """
    parent = root() / kind
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / str(key)
    with _locked(root() / f"{kind}.lock", kind):
        if not target.exists():
            for leftover in parent.glob("*.new"):
                shutil.rmtree(leftover)
            new = parent / f"{key}.new"
            new.mkdir()
            try:
                make(new)
                os.rename(new, target)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise
        os.utime(target)
        _prune(parent, keep)
    return target


def _prune(parent: Path, keep: int) -> None:
    by_age = sorted((d for d in parent.iterdir() if d.is_dir()), key=lambda d: d.stat().st_mtime, reverse=True)
    # A running copy has its files open, so they can be removed.
    for old in by_age[keep:]:
        shutil.rmtree(old)
