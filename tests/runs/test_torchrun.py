"""Runs whose processes were started by torchrun, and errors that only one of several processes meets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ready_python
from test_workers import SMALL, TWO, assert_same, command, only_run
from tiny_runs import ROOT, plain_config, tiny_config
from two_ranks import two_ranks

from seisvision.errors import ConfigurationError
from seisvision.records.folder import FAILED, FINISHED, RunFolder, write_json
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.launch import n_processes

TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
TORCHRUN += ["--local-addr=127.0.0.1"]


def torchrun(words: list[str], **variables: str) -> subprocess.CompletedProcess:
    """Torchrun itself, whose imports and those of its processes are done (``ready_python``)."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", **variables}
    return ready_python.run(
        [words[0], *TORCHRUN, *words[1:]], capture_output=True, text=True, env=environment, timeout=300
    )


def test_torchrun_does_one_run_in_one_folder(data_dir: Path, tmp_path: Path) -> None:
    one = ensure_run(tiny_config(data_dir, tmp_path / "one", *SMALL), [])
    words = command(data_dir, tmp_path / "two", "trainer.accelerator=cpu")
    done = torchrun(words)
    assert done.returncode == 0, done.stderr
    two = only_run(tmp_path / "two")
    assert done.stdout.count(str(two.path)) == 1 and two.status()["state"] == FINISHED
    assert_same(one, two)
    # The same command again only shows the result, and a sweep is refused.
    again = two_ranks(words, tmp_path)
    assert [one.returncode for one in again] == [0, 0] and "is finished" in again[0].stdout
    refused = two_ranks([*words, "-m", "seed=1,2"], tmp_path)
    assert refused[0].returncode == 2 and "A sweep (-m) cannot be started by torchrun" in refused[0].stdout
    assert sum(one.stdout.count("cannot be started") for one in refused) == 1


def test_a_run_that_a_search_gave_up_goes_to_its_end_when_asked_for_by_itself(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, *SMALL)
    folder = identify(config)
    folder.prepare(config, [])
    monitor, mode = config["task"]["monitor"]
    write_json(folder.limits_file, {"monitor": monitor, "mode": mode, "limits": {"0": 2.0}, "n_trials": 7})
    first, second = two_ranks(command(data_dir, tmp_path, "trainer.accelerator=cpu"), tmp_path)
    assert first.returncode == second.returncode == 0, first.stdout + second.stdout
    assert folder.status()["state"] == FINISHED and str(folder.path) in first.stdout.splitlines()


@pytest.mark.parametrize("starter", ["seisvision", "torchrun"])
def test_the_error_of_one_process_is_the_error_of_the_run(starter: str, data_dir: Path, tmp_path: Path) -> None:
    variables = {"SEISVISION_ALLOWED_TARGETS": "model_of_rank.", "PYTHONPATH": f"{ROOT / 'tests' / 'runs'}:{ROOT}"}
    words = command(data_dir, tmp_path, "model._target_=model_of_rank.build")
    if starter == "torchrun":
        done = torchrun(words, **variables)
    else:
        done = ready_python.run([*words, *TWO], capture_output=True, text=True, env={**os.environ, **variables})
    assert done.returncode == 1
    assert "Error: rank 1 has lost its waveforms" in done.stderr
    folder = only_run(tmp_path)
    assert folder.status()["state"] == FAILED
    assert folder.status()["error"] == "DataError: rank 1 has lost its waveforms"
    assert "lost its waveforms" in folder.worker_log(1).read_text()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["trainer.devices=3"], r"batch_size=8 .* number, 3\. Give 6 or 9"),
        (["trainer.devices=0"], "trainer.devices=0 is not allowed"),
        (["trainer.devices=64", "trainer.accelerator=gpu"], "this machine has"),
        (["trainer.num_nodes=2"], "launcher=slurm"),
        (["trainer.devices=2", "trainer.overfit_batches=2"], "overfit_batches needs one process"),
        (["trainer=fsdp", "trainer.devices=2", "trainer.accelerator=cpu"], "trainer=fsdp needs GPUs"),
    ],
)
def test_what_processes_cannot_share_is_refused_at_once(overrides: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        n_processes(tiny_config(tmp_path, tmp_path, *overrides))
    assert n_processes(tiny_config(tmp_path, tmp_path)) == 1


def test_others_have_patience_with_the_evaluation_and_say_what_they_waited_for_in_vain(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "0000000000")
    folder.prepare(plain_config([]), [])
    # An earlier attempt that failed is none of theirs.
    folder.mark_running()
    folder.mark_failed("long ago")
    program = [sys.executable, str(ROOT / "tests" / "runs" / "rank_that_takes_long.py")]
    first, second = two_ranks([*program, "evaluation", str(folder.path)], tmp_path)
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
    assert folder.status()["state"] == FINISHED
    first, second = two_ranks([*program, "folder", str(folder.path)], tmp_path)
    assert second.returncode == 1
    said = second.stdout
    assert "waited" in said and "for the first process to name the run folder" in said, said
