"""Runs of several processes: the metrics of one, one folder, and an end that takes all of them along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_runs import ROOT, TINY, tiny_config

from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.experiment import ensure_run
from seisvision.runs.folder import FAILED, FINISHED, INTERRUPTED, RUNNING, RunFolder, read_json

TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
SMALL = ["view.height=16", "view.width=16", "optimizer=sgd", "trainer.batch_size=6"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")


def command(data_dir: Path, runs_dir: Path, *overrides: str) -> list[str]:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    return [sys.executable, str(ROOT / "train.py"), *TINY, *SMALL, *folders, *overrides]


def only_run(runs_dir: Path) -> RunFolder:
    (path,) = (path.parent for path in runs_dir.glob("*/*/config.yaml"))
    return RunFolder(path)


def workers(runs_dir: Path) -> dict[int, int]:
    """Rank to process number of the workers of the runs below a folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ProcessLookupError):
            continue
        if "--worker" in words and any(word.startswith(str(runs_dir)) for word in words):
            found[next(int(text[5:]) for text in variables if text.startswith("RANK="))] = int(process.name)
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


def start(words: list[str], until: bytes) -> subprocess.Popen:
    """Start a run and return when it has said something."""
    process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
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


def test_two_processes_find_what_one_finds_also_when_they_take_over_from_each_other(
    data_dir: Path, tmp_path: Path
) -> None:
    # 17 training events in batches of 8 leave one: the second process has nothing of the last batch.
    more = ["dataset.source.n_events=31", "trainer.max_epochs=3", "trainer.batch_size=8", "augment.noise_fraction=0.1"]
    more += ["view.height=48", "view.width=48"]
    one = ensure_run(tiny_config(data_dir, tmp_path / "one", *SMALL, *more), [])
    assert read_json(one.metrics_file)["data"]["samples"]["train"] % 8 == 1
    words = command(data_dir, tmp_path / "two", *more)
    done = subprocess.run([*words, *TWO], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = only_run(tmp_path / "two")
    assert done.stdout.splitlines()[-1] == str(two.path) and two.run_id == one.run_id
    assert "epoch   3/3" in done.stderr and done.stderr.count("network  resnet18") == 1
    assert two.worker_log(1).exists() and "epoch   3/3" in two.log_file.read_text()
    assert_same(one, two)


def test_a_killed_parent_takes_its_workers_along_and_one_process_takes_over(data_dir: Path, tmp_path: Path) -> None:
    straight = ensure_run(tiny_config(data_dir, tmp_path / "straight", *SMALL, "trainer.max_epochs=3"), [])
    runs_dir = tmp_path / "killed"
    words = command(data_dir, runs_dir, "trainer.max_epochs=3")
    parent = start([*words, *TWO], until=b"epoch   2/3")
    assert sorted(workers(runs_dir)) == [0, 1]
    parent.kill()
    parent.wait()
    assert within(5, lambda: not workers(runs_dir))
    folder = only_run(runs_dir)
    assert folder.status()["state"] == RUNNING
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and "resume   after epoch" in done.stderr, done.stderr
    assert (folder.status()["state"], folder.status()["attempts"]) == (FINISHED, 2)
    assert_same(straight, folder)


def test_ctrl_c_and_dying_workers_end_all_processes(data_dir: Path, tmp_path: Path) -> None:
    words = [*command(data_dir, tmp_path, "trainer.max_epochs=500"), *TWO]
    parent = start(words, until=b"epoch   2/500")
    os.kill(parent.pid, signal.SIGINT)
    assert parent.wait(timeout=30) == 130
    folder = only_run(tmp_path)
    assert (folder.status()["state"], folder.status()["error"]) == (INTERRUPTED, "interrupted")
    stored = load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"]
    assert stored >= 0 and not workers(tmp_path)

    parent = start(words, until=b"epoch")
    died = time.monotonic()
    os.kill(workers(tmp_path)[1], signal.SIGKILL)
    assert parent.wait(timeout=30) == 1
    assert time.monotonic() - died < 20
    status = folder.status()
    assert status["state"] == FAILED and "Process 1 of 2 was killed by signal 9 (SIGKILL)" in status["error"]
    assert within(5, lambda: not workers(tmp_path))
    assert load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"] >= stored

    parent = start(words, until=b"epoch")
    for pid in workers(tmp_path).values():
        os.kill(pid, signal.SIGSTOP)
    os.kill(parent.pid, signal.SIGINT)
    time.sleep(1)
    os.kill(parent.pid, signal.SIGINT)
    again = time.monotonic()
    assert parent.wait(timeout=30) == 130
    assert time.monotonic() - again < 5 and folder.status()["state"] == INTERRUPTED
    assert within(5, lambda: not workers(tmp_path))
