"""Commands in processes of their own, without the ten seconds that each would spend on the imports of torch and others.

One Python per test process imports the libraries, and none of our modules, and forks for every command. What a test
gets is a process with a pid, signals, streams and an exit code, as ``subprocess`` gives it. Tests of what a fresh
interpreter does, such as what a command imports, start one by ``subprocess``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

LIBRARIES = (
    "torch._dynamo",
    "pytorch_lightning",
    "torchvision",
    "timm",
    "hydra",
    "pandas",
    "obspy",
    "matplotlib.pyplot",
)
LONGEST_REQUEST = 1 << 20
_server: socket.socket | None = None
_lock = threading.Lock()


class Ready:
    """A command in a fork of a Python that is ready; the part of ``subprocess.Popen`` that tests use.

    Args:
        command: ``[sys.executable, ...]`` with a script, ``-m module`` or ``-c code``, and arguments.
        stdout, stderr: ``subprocess.PIPE``, ``DEVNULL``, a descriptor, or None for this process's own; ``stderr`` also
            ``STDOUT``.
        text: whether what is read is text.
        cwd, env, start_new_session: as ``subprocess.Popen`` takes them.
    """

    def __init__(
        self,
        command: list[Any],
        *,
        stdout: int | None = None,
        stderr: int | None = None,
        text: bool = False,
        cwd: Any = None,
        env: dict[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        self.args, self.returncode = [str(word) for word in command], None
        assert self.args[0] == sys.executable, f"{self.args[0]} is not this Python"
        with contextlib.ExitStack() as child_ends:
            self.stdout, out = _stream(stdout, 1, text, child_ends)
            self.stderr, error = (None, out) if stderr == subprocess.STDOUT else _stream(stderr, 2, text, child_ends)
            self._ended, ends = socket.socketpair()
            child_ends.enter_context(ends)
            request = {
                "words": self.args[1:],
                "cwd": str(cwd or Path.cwd()),
                "environment": dict(os.environ if env is None else env),
                "session": start_new_session,
            }
            with _lock:
                server = _ready()
                socket.send_fds(server, [json.dumps(request).encode()], [ends.fileno(), out, error])
                self.pid = int(server.recv(64))

    def poll(self) -> int | None:
        """Exit code, None as long as there is none."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Exit code; raises ``subprocess.TimeoutExpired`` where there is none by then."""
        if self.returncode is None:
            self._ended.settimeout(timeout)
            try:
                said = self._ended.recv(64)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            assert said, "the Python that is ready has died"
            self.returncode = int(said)
            self._ended.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """What it wrote on both streams, once it has ended."""
        said: dict[int, Any] = {}
        streams = {number: stream for number, stream in ((1, self.stdout), (2, self.stderr)) if stream is not None}
        readers = [threading.Thread(target=_read, args=(*pair, said), daemon=True) for pair in streams.items()]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return said.get(1), said.get(2)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Ready:
        return self

    def __exit__(self, *error: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def run(
    command: list[Any],
    *,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **settings: Any,
) -> subprocess.CompletedProcess[Any]:
    """What ``subprocess.run`` does, by a Python that is ready."""
    if capture_output:
        settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = Ready(command, **settings)
    try:
        stdout, stderr = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    done = subprocess.CompletedProcess(process.args, process.wait(), stdout, stderr)
    if check:
        done.check_returncode()
    return done


def _stream(kind: int | None, number: int, text: bool, child_ends: contextlib.ExitStack) -> tuple[IO[Any] | None, int]:
    """What the test reads, if anything, and the descriptor into which the command writes."""
    if kind == subprocess.PIPE:
        reading, writing = os.pipe()
        child_ends.callback(os.close, writing)
        return (os.fdopen(reading) if text else os.fdopen(reading, "rb")), writing
    if kind == subprocess.DEVNULL:
        null = os.open(os.devnull, os.O_RDWR)
        child_ends.callback(os.close, null)
        return None, null
    return None, number if kind is None else kind


def _read(number: int, stream: IO[Any], said: dict[int, Any]) -> None:
    said[number] = stream.read()


def _ready() -> socket.socket:
    """The connection to the Python that is ready, which is started by the first command."""
    global _server
    if _server is None:
        _server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, __file__, str(theirs.fileno())]
        started = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)
        theirs.close()
        atexit.register(started.wait)
        atexit.register(_server.close)
    return _server


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; returns in a fork what it is to do, and None in the server once nobody asks any more."""
    ends: dict[int, socket.socket] = {}
    waking, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(waker), signal.signal(signal.SIGCHLD, lambda *_: None)
    for ready in _wait_for(connection.fileno(), waking):
        if ready == waking:
            with contextlib.suppress(BlockingIOError):
                os.read(waking, 4096)
            _tell_ends(ends)
            continue
        said, numbers, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
        if not said:
            return None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(before[0])
            signal.signal(signal.SIGCHLD, before[1])
            for number, target in zip(numbers[1:], (1, 2), strict=True):
                os.dup2(number, target)
            for number in (*numbers, waking, waker, connection.detach(), *(end.detach() for end in ends.values())):
                os.close(number)
            return json.loads(said)
        ends[pid] = socket.socket(fileno=numbers[0])
        for number in numbers[1:]:
            os.close(number)
        connection.send(str(pid).encode())
    return None


def _wait_for(*descriptors: int) -> Iterator[int]:
    import select

    while True:
        yield from select.select(descriptors, [], [])[0]


def _tell_ends(ends: dict[int, socket.socket]) -> None:
    """Tell the tests the exit codes of what has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with ends.pop(pid) as end, contextlib.suppress(BrokenPipeError):
                end.send(str(os.waitstatus_to_exitcode(status)).encode())


def do(request: dict[str, Any]) -> None:
    """Become the command: its folder, variables and arguments, as a fresh interpreter would have them."""
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.path[:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    first, *rest = request["words"]
    if first == "-c":
        sys.argv, code = ["-c", *rest[1:]], compile(rest[0], "<string>", "exec")
        sys.path.insert(0, "")
        exec(code, sys.modules["__main__"].__dict__)
    elif first == "-m":
        sys.argv = ["-m", *rest[1:]]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


def _serve_from(number: int) -> dict[str, Any] | None:
    import gc
    import importlib

    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    return serve(socket.socket(fileno=number))


if __name__ == "__main__":
    asked = _serve_from(int(sys.argv[1]))
    if asked is not None:
        do(asked)
