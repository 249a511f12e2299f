"""Runs of several processes: the metrics of one, one folder, and an end that takes all of them along."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ready_python
from tiny_runs import ROOT, TINY, tiny_config

from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import FAILED, FINISHED, INTERRUPTED, RUNNING, RunFolder, read_json
from seisvision.runs import terminal
from seisvision.runs.ensure import ensure_run
from seisvision.runs.launch import GRACE_S

TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
SMALL = ["view.height=16", "view.width=16", "optimizer=sgd", "trainer.batch_size=6"]
# 17 training events in batches of 8 leave one, which joins the last batch: the first process has five of it.
MORE = ["dataset.source.n_events=31", "trainer.max_epochs=3", "trainer.batch_size=8", "augment.noise_fraction=0.1"]
MORE += ["view.height=48", "view.width=48"]
WAIT_S = 120.0
"""Longer than anything here takes on a busy machine."""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")


def command(data_dir: Path, runs_dir: Path, *overrides: str) -> list[str]:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    return [sys.executable, str(ROOT / "train.py"), *TINY, *SMALL, *folders, *overrides]


def only_run(runs_dir: Path) -> RunFolder:
    (path,) = (path.parent for path in runs_dir.glob("*/*/config.yaml"))
    return RunFolder(path)


def workers(runs_dir: Path) -> dict[int, int]:
    """Rank to process number of the workers of the runs below a folder."""
    found: dict[int, tuple[int, int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ProcessLookupError):
            continue
        if "--worker" in words and any(word.startswith(str(runs_dir)) for word in words):
            rank = next(int(text[5:]) for text in variables if text.startswith("RANK="))
            found[int(process.name)] = rank, parent
    # A worker that starts a program is seen twice until that program has begun.
    return {rank: number for number, (rank, parent) in found.items() if parent not in found}


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


def start(words: list[str], until: bytes) -> subprocess.Popen:
    """Start a run and return when it has said something, such as the loss of an epoch: by then no worker forks."""
    process = ready_python.Ready(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = b""
    for line in process.stderr or ():
        said += line
        if until in line:
            return process
    pytest.fail(said.decode())


def assert_same(first: RunFolder, second: RunFolder, rtol: float = 2e-4) -> None:
    """Same history, predictions and weights, but for the order of floating-point sums."""
    histories = [pd.read_csv(folder.history_file) for folder in (first, second)]
    for column in ("epoch", "step", "name"):
        assert histories[0][column].equals(histories[1][column])
    np.testing.assert_allclose(histories[0]["value"], histories[1]["value"], rtol=rtol, atol=1e-5)
    tables = [pd.read_csv(folder.predictions_file) for folder in (first, second)]
    assert tables[0]["source_id"].tolist() == tables[1]["source_id"].tolist()
    for name in tables[0].columns[tables[0].columns.str.contains("probability")]:
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=rtol, atol=1e-4)
    metrics = [read_json(folder.metrics_file)["training"] for folder in (first, second)]
    assert metrics[0]["best_epoch"] == metrics[1]["best_epoch"]
    weights = [load_checkpoint(folder.last_checkpoint)["state_dict"] for folder in (first, second)]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        np.testing.assert_allclose(value, weights[1][name], rtol=1e-2, atol=1e-4, err_msg=name)


def is_asked_to_end(pid: int) -> bool:
    """Whether SIGTERM waits for a process that was stopped, or it was ended already."""
    try:
        (pending,) = re.findall(r"ShdPnd:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    except (OSError, ProcessLookupError):
        return True
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.fixture(scope="module")
def one(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run in one process."""
    terminal.set_up_logging()
    folder = ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("one"), *SMALL, *MORE), [])
    assert read_json(folder.metrics_file)["data"]["samples"]["train"] % 8 == 1
    return folder


def test_two_processes_find_what_one_finds(one: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    done = ready_python.run([*command(data_dir, tmp_path, *MORE), *TWO], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = only_run(tmp_path)
    assert done.stdout.splitlines()[-1] == str(two.path) and two.run_id == one.run_id
    assert "epoch   3/3" in done.stderr and done.stderr.count("network  resnet18") == 1
    assert two.worker_log(1).exists() and "epoch   3/3" in two.log_file.read_text()
    assert_same(one, two)


def test_a_killed_parent_takes_its_workers_along_and_one_process_takes_over(
    one: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    parent = start([*command(data_dir, tmp_path, *MORE), *TWO], until=b"epoch   2/3")
    assert sorted(workers(tmp_path)) == [0, 1]
    parent.kill()
    parent.wait()
    assert within(WAIT_S, lambda: not workers(tmp_path))
    folder = only_run(tmp_path)
    assert folder.status()["state"] == RUNNING
    terminal.set_up_logging()
    ensure_run(tiny_config(data_dir, tmp_path, *SMALL, *MORE), [])
    assert "resume   after epoch" in folder.log_file.read_text()
    assert (folder.status()["state"], folder.status()["attempts"]) == (FINISHED, 2)
    assert_same(one, folder)


def test_ctrl_c_and_dying_workers_end_all_processes(data_dir: Path, tmp_path: Path) -> None:
    words = [*command(data_dir, tmp_path, "trainer.max_epochs=500"), *TWO]
    parent = start(words, until=b"epoch   2/500")
    os.kill(parent.pid, signal.SIGINT)
    assert parent.wait(timeout=WAIT_S) == 130
    folder = only_run(tmp_path)
    assert (folder.status()["state"], folder.status()["error"]) == (INTERRUPTED, "interrupted")
    stored = load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"]
    assert stored >= 0 and not workers(tmp_path)

    parent = start(words, until=b"train/loss")
    os.kill(workers(tmp_path)[1], signal.SIGKILL)
    assert parent.wait(timeout=WAIT_S) == 1
    status = folder.status()
    assert status["state"] == FAILED and "Process 1 of 2 was killed by signal 9 (SIGKILL)" in status["error"]
    assert within(WAIT_S, lambda: not workers(tmp_path))
    assert load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"] >= stored

    parent = start(words, until=b"train/loss")
    stopped = list(workers(tmp_path).values())
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    os.kill(parent.pid, signal.SIGINT)
    assert within(WAIT_S, lambda: any(map(is_asked_to_end, stopped)))
    os.kill(parent.pid, signal.SIGINT)
    assert parent.wait(timeout=WAIT_S) == 130 and folder.status()["state"] == INTERRUPTED
    # Had it waited for its workers, it would have said so; on a machine that stood still for so long it has.
    assert b"Interrupted." not in parent.stderr.read() or time.monotonic() - began > GRACE_S
    assert within(WAIT_S, lambda: not workers(tmp_path))
