"""Processes of a Python that is ready are what ``subprocess`` gives, but for the imports."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import ready_python

pytestmark = pytest.mark.skipif(not ready_python.POSSIBLE, reason="uses what only Linux has")
TELL = "import os, sys; print(os.getppid(), os.getcwd(), sys.argv[1:], os.environ['WORD'], 'torch' in sys.modules)"
NESTED = "import subprocess, sys, os; print(os.getpid()); subprocess.run([sys.executable, '-c', sys.argv[1]])"


def test_it_is_a_child_with_its_folder_words_and_variables(tmp_path: Path) -> None:
    settings = {"capture_output": True, "text": True, "cwd": tmp_path, "env": {"WORD": "said"}}
    done = ready_python.run([sys.executable, "-c", TELL, "a b"], **settings)
    assert done.stdout == f"{os.getpid()} {tmp_path} ['a b'] said True\n" and done.stderr == ""
    script = tmp_path / "script.py"
    script.write_text(f"{TELL}\nprint(sys.stdin.read(), __name__, __file__)\nsys.exit('it failed')")
    done = ready_python.run([sys.executable, script], input="given", **settings)
    assert done.stdout.splitlines()[1] == f"given __main__ {script}"
    assert (done.returncode, done.stderr) == (1, "it failed\n")


def test_what_it_starts_is_its_own_child_and_ready() -> None:
    own = {**os.environ, "WORD": "said"}
    done = ready_python.run([sys.executable, "-c", NESTED, TELL], capture_output=True, text=True, env=own)
    number, said = done.stdout.splitlines()
    assert said.startswith(f"{number} ") and said.endswith("True")


def test_it_is_waited_for_and_killed_and_proc_tells_of_it() -> None:
    code = "import time; print('up', flush=True); time.sleep(600)"
    own = {**os.environ, "WORD": "said"}
    with ready_python.Ready([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=own) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        assert process.poll() is None
        about = Path("/proc") / str(process.pid)
        assert (about / "cmdline").read_bytes().split(b"\0")[:3] == [os.fsencode(sys.executable), b"-c", code.encode()]
        assert b"WORD=said" in (about / "environ").read_bytes().split(b"\0")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    with ready_python.Ready([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_workers_of_pools_are_ready_and_what_a_test_starts_is_fresh() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(eval, "'torch' in __import__('sys').modules").result()
        assert pool.submit(os.getppid).result() == os.getpid()
    said = subprocess.run([sys.executable, "-c", "import sys; print('torch' in sys.modules)"], capture_output=True)
    assert said.stdout == b"False\n"


def test_a_python_with_options_of_its_own_is_fresh() -> None:
    done = ready_python.run([sys.executable, "-X", "utf8", "-c", "import sys; sys.exit('torch' in sys.modules)"])
    assert done.returncode == 0
