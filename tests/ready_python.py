"""Commands in processes of their own, without the ten seconds that each would spend on the imports of torch and others.

One Python per test process imports the libraries, and none of our modules, and forks for every command. What a test
gets is a child of its own, with a pid, signals, streams and an exit code, as ``subprocess`` gives it, and with its own
words and variables in /proc. So are the processes that seisvision starts, in a test process as in such a command:
ranks, runs of a sweep, workers of pools. Tests of what a fresh interpreter does, such as what a command imports, start
one by ``subprocess``.

A fork is of the Python that is ready, and becomes the child of whoever asked for it: it is the child of a process that
ends at once, and Linux gives those that are left to whoever is told to take them.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import multiprocessing.util
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import blank_figures
import quick_composing
import thin_networks

LIBRARIES = (
    "torch._dynamo",
    "pytorch_lightning",
    "torchvision",
    "timm",
    "hydra",
    "pandas",
    "obspy",
    "matplotlib.pyplot",
    "sklearn.ensemble",
    "scipy.signal",
    "scipy.optimize",
    "h5py",
)
LONGEST_REQUEST = 1 << 20
SPACE = "SEISVISION_SPACE_FOR_WORDS"
"""Variable and word of the Python that is ready, over which forks write their own words and variables."""
TAKE_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of Linux' prctl(2)."""
SET_PARENT_DEATH_SIGNAL = 1
POSSIBLE = sys.platform == "linux"

_popen = subprocess.Popen
_spawn = multiprocessing.util.spawnv_passfds
_home = os.getpid()
"""The process that may start a Python that is ready: forks of a test process, which are ready anyway, may not."""
_server: tuple[socket.socket, Any] | None = None
"""Connection and process of the Python that is ready."""
_lock = threading.Lock()


class Ready(subprocess.Popen):
    """``subprocess.Popen`` whose process is a fork of a Python that is ready, where it is to be a Python like this one.

    Other programs, and Pythons with options of their own, are started as ever.
    """

    def _execute_child(  # type: ignore[override]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask,
        start_new_session, *rest,
    ) -> None:  # fmt: skip
        words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
        words = [os.fsdecode(word) for word in words]
        plain = not (executable or preexec_fn or shell or gid or gids or uid) and umask == -1
        if not (plain and close_fds and self.is_for_us(words)):
            super()._execute_child(
                args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
                p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask,
                start_new_session, *rest,
            )  # fmt: skip
            return
        streams = {0: p2cread, 1: c2pwrite, 2: errwrite}
        given = {number: number if stream == -1 else stream for number, stream in streams.items()}
        given |= {number: number for number in pass_fds}
        self.pid = fork(words, given, cwd=cwd, environment=env, session=start_new_session)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def is_for_us(self, words: list[str]) -> bool:
        """Whether a command is to be a fork."""
        return is_for_us(words)


def run(
    command: Sequence[Any],
    *,
    capture_output: bool = False,
    input: Any = None,
    timeout: float | None = None,
    check: bool = False,
    **settings: Any,
) -> subprocess.CompletedProcess[Any]:
    """What ``subprocess.run`` does, by a Python that is ready."""
    if capture_output:
        settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        settings["stdin"] = subprocess.PIPE
    with Ready(command, **settings) as process:
        try:
            stdout, stderr = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.wait(), stdout, stderr)
    if check:
        done.check_returncode()
    return done


class OurOwn(Ready):
    """``subprocess.Popen`` of a test process: what seisvision starts is ready, and what a test starts is fresh."""

    def is_for_us(self, words: list[str]) -> bool:
        return super().is_for_us(words) and words[1:3] == ["-m", "seisvision.runs.work"]


def install(kind: type[Ready]) -> None:
    """Let what this process starts by ``subprocess`` be of a kind, and workers of ``multiprocessing`` be ready."""
    subprocess.Popen, multiprocessing.util.spawnv_passfds = kind, spawn  # type: ignore[misc]


@contextlib.contextmanager
def begun_in(environment: dict[str, str]) -> Iterator[None]:
    """Let the Python that is ready be one that was begun with other variables, such as a path of its own."""
    global _server
    before, _server = _server, _begin(environment)
    try:
        yield
    finally:
        _server[0].close()
        _server[1].wait()
        _server = before


def spawn(path: bytes, arguments: list[Any], passed: Sequence[int]) -> int:
    """Start a worker of ``multiprocessing``; stands for its own function."""
    words = [os.fsdecode(word) for word in arguments]
    if not (os.fsdecode(path) == sys.executable and is_for_us(words) and any("spawn_main" in word for word in words)):
        return _spawn(path, arguments, passed)
    return fork(words, {number: number for number in (0, 1, 2, *passed)})


def is_for_us(words: list[str]) -> bool:
    """Whether a command is this Python with a script, ``-m module`` or ``-c code``."""
    after = _options(words)[1]
    said = bool(after) and (after[0] in ("-m", "-c") or not after[0].startswith("-"))
    return POSSIBLE and os.getpid() == _home and words[0] == sys.executable and said


def _options(words: list[str]) -> tuple[list[str], list[str]]:
    """The options of the interpreter that forks can have too, and what comes after them."""
    n_options = next((place for place, word in enumerate(words[1:]) if word not in ("-u", "-B")), 0)
    return words[1 : 1 + n_options], words[1 + n_options :]


def fork(
    words: list[str],
    streams: dict[int, int],
    *,
    cwd: Any = None,
    environment: dict[Any, Any] | None = None,
    session: bool = False,
) -> int:
    """Ask for a child of this process; returns its pid.

    Args:
        words: the command, which begins with this Python.
        streams: number of each descriptor in the child, and the one of this process that it is.
        cwd, environment, session: as ``subprocess.Popen`` takes them.
    """
    variables = os.environ if environment is None else environment
    request = {
        "words": words,
        "streams": list(streams),
        "cwd": os.fsdecode(cwd or Path.cwd()),
        "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()},
        "session": session,
        "parent": os.getpid(),
    }
    with _lock:
        server = _ready()
        _prctl(TAKE_ORPHANS, 1)
        try:
            socket.send_fds(server, [json.dumps(request).encode()], list(streams.values()))
            said = server.recv(64)
        finally:
            _prctl(TAKE_ORPHANS, 0)
    assert said, "the Python that is ready has died"
    return int(said)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0):
        raise OSError(f"prctl({option}, {value}) is refused")


def _ready() -> socket.socket:
    """The connection to the Python that is ready, which is started by the first command and ends with this process."""
    global _server
    _server = _server or _begin(dict(os.environ))
    return _server[0]


def _begin(environment: dict[str, str]) -> tuple[socket.socket, Any]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, __file__, str(theirs.fileno()), SPACE * 200]
    variables = {**environment, "OMP_NUM_THREADS": "1", SPACE: SPACE * 1000}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    started = _popen(words, pass_fds=[theirs.fileno()], start_new_session=True, env=variables, **streams)
    theirs.close()
    return ours, started


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; returns in a fork what it is to do, and None in the server once nobody asks any more."""
    while True:
        said, numbers, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 64)
        if not said:
            return None
        between = os.fork()
        if between == 0:
            if os.fork():
                os._exit(0)
            request = json.loads(said)
            while os.getppid() != request["parent"]:
                time.sleep(0.0005)
            connection.send(str(os.getpid()).encode())
            connection.close()
            _place(dict(zip(request["streams"], numbers, strict=True)))
            return request
        os.waitpid(between, 0)
        for number in numbers:
            os.close(number)


def _place(streams: dict[int, int]) -> None:
    """Give descriptors the numbers that they are to have, and close the others."""
    # Beyond all that are wanted, so that none is overwritten before it has been moved.
    beyond = {wanted: os.dup(number) for wanted, number in streams.items()}
    import fcntl

    first = max(*streams, *beyond.values()) + 1
    moved = {wanted: fcntl.fcntl(number, fcntl.F_DUPFD, first) for wanted, number in beyond.items()}
    os.closerange(3, first)
    for wanted, number in moved.items():
        os.dup2(number, wanted)
        os.close(number)


def be(request: dict[str, Any] | None) -> None:
    """Do a command and end, as an interpreter would, save for the second that it needs to take libraries apart."""
    code, interrupted = 0, False
    try:
        if request is not None:
            do(request)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def do(request: dict[str, Any]) -> None:
    """Become the command: its folder, variables and arguments, as a fresh interpreter would have them."""
    import numpy

    global _home, _server
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _show(request["words"], request["environment"])
    if thin_networks.WORD in os.environ:
        sys.modules["timm"].create_model = thin_networks.thin_create_model()  # type: ignore[attr-defined]
    if blank_figures.WORD in os.environ:
        blank_figures.leave_blank()
    if quick_composing.FOLDER in os.environ:
        quick_composing.compose_once(keeps=False)
    tempfile.tempdir = None
    numpy.random.seed()
    _home, _server = os.getpid(), (_nursery(), None)
    install(Ready)
    sys.path[:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    with contextlib.suppress(ImportError):
        runpy.run_module("sitecustomize")
    # Tests that are run in the background would have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options, (first, *rest) = _options(request["words"])
    sys.dont_write_bytecode = "-B" in options or bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    for stream in (sys.stdout, sys.stderr) if "-u" in options else ():
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    if first == "-c":
        sys.argv, code = ["-c", *rest[1:]], compile(rest[0], "<string>", "exec")
        sys.path.insert(0, "")
        main = type(sys)("__main__")
        sys.modules["__main__"] = main
        exec(code, main.__dict__)
    elif first == "-m":
        sys.argv = ["-m", *rest[1:]]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


def _nursery() -> socket.socket:
    """A fork of this fork, as ready as the first, for what the command starts; it ends with the command."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    ours.close()
    _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    _place({0: null, 1: null, 2: null, 3: theirs.detach()})
    _show([sys.executable, "nursery"], {})
    be(serve(socket.socket(fileno=3)))
    raise AssertionError("being something ends")


def _show(words: list[str], variables: dict[str, str]) -> None:
    """Let /proc tell the words and variables of this process, by writing them where those of the first one stood."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    # Numbers 48 to 51 of proc(5), which counts the two before these from 1.
    begin, end, begin_variables, end_variables = map(int, fields[45:49])
    told = [f"{name}={value}" for name, value in variables.items()]
    for at, size, lines in ((begin, end - begin, words), (begin_variables, end_variables - begin_variables, told)):
        text = b"".join(os.fsencode(line) + b"\0" for line in lines)[: size - 1]
        ctypes.memmove(at, text.ljust(size, b"\0"), size)


def _serve_from(number: int) -> dict[str, Any] | None:
    import functools
    import gc
    import importlib.metadata

    # Lightning looks through all that is installed for every trainer.
    importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)
    for library in LIBRARIES:
        importlib.import_module(library)
    importlib.metadata.entry_points(group="pytorch_lightning.callbacks_factory")
    gc.freeze()
    return serve(socket.socket(fileno=number))


if __name__ == "__main__":
    be(_serve_from(int(sys.argv[1])))
