"""Everything that a command has started, wherever it has moved to, and where that listens."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import ready_python
from tiny_runs import ROOT

LISTENING = "0A"
"""TCP_LISTEN of Linux, as /proc/net/tcp writes it."""
UNCONNECTED = "07"
"""Of a UDP socket that takes what anybody sends."""
WAIT_S = 300.0
"""Longer than anything here takes on a busy machine."""


class Watched:
    """A command whose descendants are known by a mark in their environment, which all of them inherit."""

    def __init__(self, words: list[str], log: Path, **variables: str) -> None:
        self.mark = f"SEISVISION_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        paths = f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'runs'}"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **variables, name: value}
        self.log = log
        self.listened: set[str] = set()
        self.n_looks = 0
        with log.open("wb") as said:
            self.process = ready_python.Ready(
                [sys.executable, *words], env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )

    def pids(self) -> list[int]:
        """Process numbers of the command and all it has started."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_there = process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if is_there and self.mark.encode() in process.joinpath("environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def words_of(self, pid: int) -> list[str]:
        """Its command line; empty where it has ended."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        return []

    def helpers(self) -> list[int]:
        """All but the command itself."""
        return [pid for pid in self.pids() if pid != self.process.pid]

    def until(self, condition: Callable[[Watched], bool]) -> Watched:
        """Look, all the time, at who listens where, until something is so."""
        end = time.monotonic() + WAIT_S
        while not condition(self):
            self.look()
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        self.look()
        return self

    def to_the_end(self) -> Watched:
        """Look, all the time, at who listens where, until the command has ended."""
        end = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.log.read_text()
            self.look()
            time.sleep(0.05)
        return self

    def look(self) -> None:
        """Remember the addresses at which anything listens now."""
        self.n_looks += 1
        inodes: set[str] = set()
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for handle in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        inodes.add(str(handle.readlink()))
        self.listened |= {address for address, inode in listening() if f"socket:[{inode}]" in inodes}

    def kill(self) -> None:
        """``kill -9`` of the command alone."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever a test has found."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def listening() -> Iterator[tuple[str, str]]:
    """Address and inode of every socket of this machine that others can send to without having been called."""
    for name, state in (("tcp", LISTENING), ("tcp6", LISTENING), ("udp", UNCONNECTED), ("udp6", UNCONNECTED)):
        path = Path("/proc/net", name)
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            cells = line.split()
            if cells[3] == state:
                yield address(cells[1].partition(":")[0]), cells[9]


def address(hexadecimal: str) -> str:
    """An address of /proc/net: 32-bit words, each with its bytes in the order of the machine."""
    whole = bytes.fromhex(hexadecimal)
    words = [whole[at : at + 4] for at in range(0, len(whole), 4)]
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return str(ipaddress.ip_address(ordered))


def is_loopback(text: str) -> bool:
    """Whether only this machine reaches an address."""
    found = ipaddress.ip_address(text)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
