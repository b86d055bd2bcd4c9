# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands in dom0 through the laptop's second serial port; tools/shelld.c is the other end, tools/frames.h the format."""

import os
import random
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from .errors import PATIENCE_S, LabError

_HEADER = struct.Struct("<6I")
_MAGIC = 0x4C42414C
_PAYLOAD_MAX = 2048
# The port loses what is in its FIFO when the machine sleeps: unanswered frames are repeated this often.
_REPEAT_S = 1.0
# After a timeout, further calls do not wait as long again.
_SILENT_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Result:
    """The result of a command. str() is its standard output without the last newline."""

    command: str
    status: int
    stdout_bytes: bytes
    stderr_bytes: bytes
    seconds: float

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode(errors="replace")

    def __str__(self) -> str:
        return self.stdout.rstrip("\n")


class CommandFailed(LabError):
    """A command ended with a status other than 0."""

    def __init__(self, where: str, result: Result, more: str = "") -> None:
        self.result = result
        super().__init__(f"{where}: '{result.command}' ended with status {result.status}\n{result.stdout}{result.stderr}{more}")


class Job:
    """A command that runs in dom0."""

    def __init__(self, channel: "Channel", number: int, command: str) -> None:
        self._channel = channel
        self.number = number
        self.command = command
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.status: int | None = None
        self._lost = False
        self._started = time.monotonic()
        self._on_output = None
        self._on_end = None

    def wait(self, timeout: float = PATIENCE_S) -> Result:
        """Waits until the command has ended, whatever its status; the output is complete then."""
        if not self._channel.wait_for(lambda: self.status is not None, timeout):
            raise TimeoutError(f"'{self.command}' still runs after {timeout:g} s; so far:\n{self._so_far()}")
        if self._lost:
            raise LabError(f"'{self.command}': the serial port has lost some of its output:\n{self._so_far()}")
        return Result(self.command, self.status, bytes(self.stdout), bytes(self.stderr), time.monotonic() - self._started)

    def wait_output(self, pattern: str, timeout: float = PATIENCE_S) -> str:
        """Waits until the standard output matches, and returns the match."""
        found = None

        def look() -> bool:
            nonlocal found
            found = re.search(pattern, self.stdout.decode(errors="replace"))
            return found is not None or self.status is not None

        if not self._channel.wait_for(look, timeout) or not found:
            raise LabError(f"'{self.command}' did not print /{pattern}/ within {timeout:g} s; it printed:\n{self._so_far()}")
        return found.group(0)

    def write(self, data: bytes) -> None:
        """Writes to the command's standard input; no data ends it."""
        for start in range(0, max(len(data), 1), _PAYLOAD_MAX):
            self._channel.send("i", self.number, data[start:start + _PAYLOAD_MAX])

    def signal(self, number: int) -> None:
        self._channel.send("s", self.number, struct.pack("<I", number))

    def resize(self, rows: int, columns: int) -> None:
        self._channel.send("w", self.number, struct.pack("<II", rows, columns))

    def on_output(self, call) -> None:
        """Passes earlier and later output of the command to call(bytes), which must not block or use the channel."""
        with self._channel.changed:
            if self.stdout:
                call(bytes(self.stdout))
            self._on_output = call

    def on_end(self, call) -> None:
        """Calls call() when the command has ended; see on_output."""
        with self._channel.changed:
            self._on_end = call
            if self.status is not None:
                call()

    def _so_far(self) -> str:
        return (self.stdout + self.stderr).decode(errors="replace")[-4000:]

    def _receive(self, kind: str, payload: bytes) -> None:
        if kind == "X":
            status, out, err = struct.unpack("<3I", payload)
            self._lost = (out, err) != (len(self.stdout), len(self.stderr))
            self.status = os.waitstatus_to_exitcode(status)
            if self._on_end:
                self._on_end()
            return
        (self.stdout if kind == "O" else self.stderr).extend(payload)
        if self._on_output:
            self._on_output(payload)


class Channel:
    def __init__(self, port: socket.socket, last_words: Callable[[], str]) -> None:
        """last_words: what to say when the laptop is off."""
        self._port = port
        self._last_words = last_words
        self._send_lock = threading.Lock()
        self.changed = threading.Condition()
        self._closed = False
        self._acknowledged: int | None = None
        self._silent = False
        # A copy of the laptop has already seen the numbers of the run it was copied from.
        self._seq = random.getrandbits(32)
        self._next_job = random.getrandbits(31)
        self._jobs: dict[int, Job] = {}
        self._thread = threading.Thread(target=self._read, name="channel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._port.close()

    def wait_for(self, predicate, timeout: float) -> bool:
        """Waits until predicate() is true, calling it whenever a frame arrives. False: timeout."""
        with self.changed:
            done = self.changed.wait_for(lambda: predicate() or self._closed, timeout)
            if done and not predicate():
                raise LabError(self._last_words())
            return done

    def ping(self, timeout: float) -> None:
        """Returns when a process in dom0 has answered."""
        self.send("p", 0, b"", timeout)

    def start(self, command: str, terminal: bool = False, stdin: bool = True) -> Job:
        """Starts a command; without stdin it reads an end of file at once."""
        with self.changed:
            self._next_job = (self._next_job + 1) & 0xFFFFFFFF
            job = self._jobs[self._next_job] = Job(self, self._next_job, command)
        kind = b"t" if terminal else b"|"
        data = command.encode()
        for start in range(0, max(len(data), 1), _PAYLOAD_MAX - 1):
            self.send("r", job.number, kind + data[start:start + _PAYLOAD_MAX - 1])
        self.send("g", job.number, b"" if stdin else b"0")
        return job

    def send(self, kind: str, job: int, payload: bytes, timeout: float = PATIENCE_S) -> None:
        """Sends one frame and waits until dom0 has acknowledged it."""
        with self._send_lock:
            self._seq = seq = (self._seq + 1) & 0xFFFFFFFF
            head = struct.pack("<5I", _MAGIC, ord(kind), seq, job, len(payload))
            frame = head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload
            timeout = min(timeout, _SILENT_PATIENCE_S) if self._silent else timeout
            deadline = time.monotonic() + timeout
            while True:
                try:
                    # A sleeping machine does not read, and its port fills up. A frame is too small to be sent in
                    # parts, and a wait for space might never end.
                    self._port.send(frame, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    pass
                except OSError as error:
                    raise LabError(self._last_words()) from error
                if self.wait_for(lambda: self._acknowledged == seq, min(_REPEAT_S, timeout)):
                    self._silent = False
                    return
                if time.monotonic() > deadline:
                    self._silent = self._silent or timeout >= _SILENT_PATIENCE_S
                    raise TimeoutError(f"dom0 does not answer for {timeout:g} s")

    def _read(self) -> None:
        data = bytearray()
        while True:
            try:
                received = self._port.recv(65536)
            except OSError:
                received = b""
            with self.changed:
                if not received:
                    self._closed = True
                    self.changed.notify_all()
                    return
                data += received
                self._parse(data)
                self.changed.notify_all()

    def _parse(self, data: bytearray) -> None:
        while True:
            start = data.find(struct.pack("<I", _MAGIC))
            del data[:start if start >= 0 else max(len(data) - 3, 0)]
            if len(data) < _HEADER.size:
                return
            _, kind, seq, number, length, crc = _HEADER.unpack_from(data)
            if length > _PAYLOAD_MAX:
                del data[:1]
                continue
            if len(data) < _HEADER.size + length:
                return
            payload = bytes(data[_HEADER.size:_HEADER.size + length])
            if zlib.crc32(payload, zlib.crc32(bytes(data[:_HEADER.size - 4]))) != crc:
                del data[:1]
                continue
            del data[:_HEADER.size + length]
            if chr(kind) == "A":
                self._acknowledged = seq
            elif number in self._jobs:
                self._jobs[number]._receive(chr(kind), payload)
                if chr(kind) == "X":
                    del self._jobs[number]
