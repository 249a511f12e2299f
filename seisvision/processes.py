"""Helper processes never outlive the one that started them, and never listen to the network for it."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator

ENDED_WITH_PARENT = 130
LOOK_EVERY_S = 1.0
SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux' prctl(2)."""
LOOPBACK = "127.0.0.1"
LOOPBACK_INTERFACE = "lo0" if sys.platform == "darwin" else "lo"


def end_with_parent(parent: int, *unused: object) -> None:
    """End this process when the one that started it ends, even by ``kill -9``; ends it at once where that is over.

    Linux sends a signal. It does so when the *thread* ends that started this process, so that whoever starts helpers
    must wait for them in the same thread. A thread that looks every second serves where there is no such signal.

    Args:
        parent: process number of the one that started this, as it knew it itself: what this process could ask for is
            another one by the time that one has ended.
        *unused: what else a caller of worker initialisers gives, such as the number of a reading process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    above = os.getppid()
    # With the start method "forkserver" the server is in between, which ends after the process that it works for.
    if above != parent and not (_through_server(parent) and _multiprocessing_parent_lives()):
        os._exit(ENDED_WITH_PARENT)
    threading.Thread(target=_watch, args=(above,), daemon=True, name="ends-with-parent").start()


def available_cores() -> int:
    """Cores that this process may use, which a batch system can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def without_script() -> Iterator[None]:
    """Let processes spawned meanwhile not run the script of this one.

    A spawned process does so to know its functions, and a script without ``if __name__ == "__main__":`` would begin its
    work again in each of them. Helpers that only call functions of this program need none of it.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def packed(begin: Callable[..., None], *arguments: object) -> tuple[int, bytes]:
    """Arguments for :func:`begin_worker` as the initialiser of a pool of this process."""
    return os.getpid(), pickle.dumps((begin, arguments))


def begin_worker(parent: int, begun: bytes) -> None:
    """Begin a worker of a pool that ends with its parent, also while it imports what ``begun`` needs.

    That takes seconds, in which an initialiser of a module with large imports would not have been reached yet.
    """
    end_with_parent(parent)
    begin, arguments = pickle.loads(begun)
    begin(*arguments)


def _watch(above: int) -> None:
    while os.getppid() == above and _multiprocessing_parent_lives():
        time.sleep(LOOK_EVERY_S)
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    os._exit(ENDED_WITH_PARENT)


def _through_server(parent: int) -> bool:
    found = multiprocessing.parent_process()
    return found is not None and found.pid == parent


def _multiprocessing_parent_lives() -> bool:
    """Whether the process lives that started this one by ``multiprocessing``; true where none did."""
    found = multiprocessing.parent_process()
    return found is None or found.is_alive()


def stay_on_machine() -> None:
    """Let the sockets by which the processes of one machine exchange tensors be seen on that machine only.

    Gloo and NCCL listen on the interface of the host name otherwise, without asking who calls. What the environment
    says is overruled: clusters name an interface between machines there for all jobs.
    """
    os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK_INTERFACE
    os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK_INTERFACE
