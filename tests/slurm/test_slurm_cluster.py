"""Jobs on a real SLURM of two nodes on this machine: submitted, pre-empted in mid-training, finished as if undisturbed.

Needs slurmctld, slurmd, slurm-client and munge, and takes some minutes; skipped where SLURM cannot be started.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from start_slurm import missing_programs, start, stop

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runs"))
from tiny_runs import ROOT, tiny_config

from seisvision.records.folder import FINISHED, RunFolder, read_json
from seisvision.runs.ensure import ensure_run, identify
from seisvision.sweeps.slurm import JOB_FILE, SlurmLauncher

pytest.importorskip("submitit", reason="launcher=slurm is an extra")
WAIT_S = 240.0
LONG = ["trainer.max_epochs=3", "trainer.accelerator=cpu"]
TOGETHER = ["trainer.devices=2", "trainer.strategy=ddp"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if missing_programs():
        pytest.skip(f"no SLURM here: {', '.join(missing_programs())} not installed")
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patched:
        try:
            patched.setenv("SLURM_CONF", str(start(folder)))
        except RuntimeError as error:
            pytest.skip(f"SLURM cannot be started here: {error}")
        # Both nodes are this machine, and their names mean nothing to its resolver.
        patched.setenv("MASTER_ADDR", "127.0.0.1")
        patched.setenv("PYTHONPATH", str(ROOT))
        patched.setenv("OMP_NUM_THREADS", "1")
        yield
        stop(folder)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def _prepared(config: dict[str, Any]) -> RunFolder:
    folder = identify(config)
    folder.prepare(config, [])
    return folder


def _first(folders: Iterable[RunFolder], is_wanted: Callable[[RunFolder], bool]) -> RunFolder:
    """Wait for the first folder of which something is true."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for folder in folders:
            if is_wanted(folder):
                return folder
        time.sleep(0.2)
    raise AssertionError("nothing happened for too long")


def _tell_slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _job(folder: RunFolder) -> str:
    return read_json(folder.path / JOB_FILE)["job_id"]


def _history(folder: RunFolder) -> pd.DataFrame:
    return pd.read_csv(folder.history_file).sort_values(["step", "name"]).reset_index(drop=True)


def _assert_same(folder: RunFolder, undisturbed: RunFolder, rel: float) -> None:
    """Same history and predictions; two processes add up the gradient in another order than one."""
    pd.testing.assert_frame_equal(_history(folder), _history(undisturbed), rtol=rel, atol=rel)
    pd.testing.assert_frame_equal(
        pd.read_csv(folder.predictions_file), pd.read_csv(undisturbed.predictions_file), rtol=rel, atol=rel
    )
    metrics, expected = read_json(folder.metrics_file), read_json(undisturbed.metrics_file)
    for one in (metrics, expected):
        one["training"].pop("seconds")
    assert rel or metrics == expected


@pytest.mark.timeout(1200)
def test_jobs_taken_off_their_nodes_end_like_undisturbed_ones(cluster: None, data_dir: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    seeds = [_prepared(tiny_config(data_dir, runs, *LONG, f"seed={seed}")) for seed in (1, 2)]
    # The number of devices is no part of a run's id.
    together = _prepared(tiny_config(data_dir, runs / "together", *LONG, *TOGETHER, "seed=1"))
    undisturbed = ensure_run(tiny_config(data_dir, tmp_path / "alone", *LONG, "seed=1"), [])

    assert list(SlurmLauncher(wait=False).run([*seeds, together])) == []
    jobs = {folder: _job(folder) for folder in (*seeds, together)}
    array = {jobs[folder].partition("_")[0] for folder in seeds}
    assert len(array) == 1 and jobs[together] not in array, "runs of one shape are one array"

    disturbances = {
        together: ["scontrol", "requeue", _job(together)],
        seeds[0]: ["scontrol", "requeue", _job(seeds[0])],
        # What SLURM says when the end of the time is near.
        seeds[1]: ["scancel", "--signal=USR1", _job(seeds[1])],
    }
    while disturbances:
        folder = _first(disturbances, lambda folder: folder.last_checkpoint.exists())
        _tell_slurm(*disturbances.pop(folder))

    # Asking again submits nothing anew.
    ended = list(SlurmLauncher(poll_s=1.0).run([*seeds, together]))
    assert {folder.path for folder in ended} == {folder.path for folder in (*seeds, together)}
    for folder in ended:
        status = folder.status()
        assert (status["state"], status["attempts"], status["error"]) == (FINISHED, 2, None), (
            folder.log_file.read_text()
        )
        assert read_json(folder.path / JOB_FILE)["job_id"] == jobs[folder], "requeued, not submitted anew"
    assert len(list(runs.rglob("config.yaml"))) == 3
    _assert_same(seeds[0], undisturbed, rel=0)
    _assert_same(together, undisturbed, rel=2e-2)
