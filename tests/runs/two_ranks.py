"""Two processes as torchrun starts them; torchrun itself is in the few tests that call it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import ready_python


def two_ranks(words: list[str], folder: Path, **variables: str) -> list[subprocess.CompletedProcess[str]]:
    """Start a command twice, as the first and the second process of a job, and wait for both.

    Args:
        words: the command, which begins with this Python.
        folder: takes what they say; both streams are one.
        variables: of the environment, beside those of torchrun.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo",
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", **variables}  # fmt: skip
    files = [folder / f"said-{rank}.txt" for rank in range(2)]
    processes = []
    for rank, file in enumerate(files):
        environment = {**os.environ, **variables, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        with file.open("wb") as said:
            started = ready_python.Ready(
                words, stdout=said.fileno(), stderr=subprocess.STDOUT, text=True, env=environment
            )
        processes.append(started)
    codes = [process.wait(timeout=300) for process in processes]
    return [subprocess.CompletedProcess(words, code, file.read_text()) for code, file in zip(codes, files, strict=True)]
