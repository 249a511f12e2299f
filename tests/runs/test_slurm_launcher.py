"""Scripts of SLURM jobs and what is done with the queue's answers, without a SLURM; jobs on a real one: tests/slurm."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import ready_python
from tiny_runs import ROOT, plain_config, tiny_config

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import FAILED, INTERRUPTED, RUNNING, RunFolder, write_json
from seisvision.runs.ensure import identify
from seisvision.runs.epoch_clock import EpochClock
from seisvision.sweeps.launcher import build_launcher
from seisvision.sweeps.slurm import JOB_FILE, SlurmLauncher
from seisvision.sweeps.slurm_job import attempts_in_vain, begin_attempt, requeue
from seisvision.sweeps.slurm_queue import has_ended, job_states

pytest.importorskip("submitit", reason="launcher=slurm is an extra")


class FakeSlurm:
    """Commands of SLURM that answer what a test wants, and remember what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls_file = folder, folder / "calls"

    def answers(self, program: str, output: str = "", error: str = "", code: int = 0, then: str = "") -> None:
        """Let a program write ``output`` and ``error``, and, where given, ``then`` from its second call on."""
        path = self.folder / program
        lines = [f'echo "{program} $*" >> {self.calls_file}', f"printf '{output}'", f"printf '{error}' >&2"]
        if then:
            lines.insert(1, f"[ $(grep -c ^{program} {self.calls_file}) -gt 1 ] && printf '{then}' && exit 0")
        path.write_text("\n".join(["#!/bin/sh", *lines, f"exit {code}"]))
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    return FakeSlurm(folder)


def _runs(tmp_path: Path, *many: list[str]) -> list[RunFolder]:
    folders = [RunFolder(tmp_path / "runs" / "default" / f"{number:010d}") for number in range(len(many))]
    for folder, overrides in zip(folders, many, strict=True):
        folder.prepare(plain_config(overrides), overrides)
    return folders


def test_a_dry_run_prints_one_script_for_each_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    four = ["trainer.devices=4", "trainer.num_nodes=2", "system.num_workers=3"]
    folders = _runs(tmp_path, ["seed=1"], four, ["seed=2"], ["trainer.accelerator=cpu"])
    settings = plain_config(["launcher=slurm", "launcher.dry_run=true", "launcher.time_min=90", "launcher.mem_gb=12.5"])
    launcher = build_launcher({**settings["launcher"], "partition": "gpu", "sbatch": {"qos": "long", "gres": "disk:1"}})
    assert list(launcher.run(folders)) == [] and not launcher.waits
    one, two, three = capsys.readouterr().out.split("#!/bin/bash")[1:]
    for line in ("array=0-1%2", "gpus-per-node=1", "ntasks-per-node=1", "nodes=1", "time=90", "mem=12800M"):
        assert f"#SBATCH --{line}\n" in one
    for line in ("partition=gpu", "qos=long", "gres=disk:1", "requeue", "signal=USR1@120"):
        assert f"#SBATCH --{line}\n" in one and f"#SBATCH --{line}\n" in two
    for line in ("nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "cpus-per-task=4"):
        assert f"#SBATCH --{line}\n" in two
    assert "--array" not in two and "gpus" not in three
    assert all("srun" in script and "--kill-on-bad-exit=1" in script for script in (one, two, three))
    assert not list(tmp_path.rglob("*.pkl"))


def test_an_unknown_number_of_devices_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"trainer\.devices=auto"):
        SlurmLauncher().shape(plain_config(["trainer.devices=auto"]))
    with pytest.raises(ConfigurationError, match=r"launcher\.time_min=0"):
        SlurmLauncher(time_min=0)
    with pytest.raises(ConfigurationError, match="launcher=slurm cannot be built"):
        build_launcher({"kind": "slurm", "nodes": 3})


def test_without_the_commands_of_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"launcher\.dry_run=true"):
        list(SlurmLauncher().run(_runs(tmp_path, [])))


@pytest.mark.parametrize(("state", "is_asked"), [("RUNNING", True), ("COMPLETING", False), ("", False)])
def test_only_a_job_that_would_end_for_good_is_requeued(state: str, is_asked: bool, slurm: FakeSlurm) -> None:
    slurm.answers("squeue", f"{state}\\n")
    slurm.answers("scontrol")
    assert requeue(max_requeues=2, n_in_vain=1) == is_asked
    assert ("scontrol requeue 7" in slurm.calls) == is_asked


def test_a_job_of_an_array_requeues_itself_alone(slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    slurm.answers("squeue", "RUNNING\\n")
    slurm.answers("scontrol")
    assert requeue(max_requeues=2, n_in_vain=1) and "scontrol requeue 7_3" in slurm.calls


def test_only_attempts_in_a_row_without_a_new_epoch_are_counted(
    slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "40")
    slurm.answers("squeue", "RUNNING\\n")
    slurm.answers("scontrol")
    (folder,) = _runs(tmp_path, [])
    for expected in (1, 2, 3):
        begin_attempt(folder)
        assert attempts_in_vain(folder) == expected
        assert requeue(2, expected) == (expected <= 2)
    begin_attempt(folder)
    folder.last_checkpoint.write_text("an epoch")
    assert attempts_in_vain(folder) == 0 and requeue(2, 0) and not requeue(0, 0)
    begin_attempt(folder)
    assert attempts_in_vain(folder) == 1
    begin_attempt(folder)
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    begin_attempt(folder)
    assert attempts_in_vain(folder) == 1, "of a job that was submitted anew"


def test_the_time_of_an_epoch_is_that_of_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = EpochClock(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert clock.seconds_left() == math.inf
    clock.start(None)
    assert clock.seconds_left() == math.inf
    for now[0] in (10.0, 40.0, 45.0):
        assert not clock.epoch_is_stored()
    now[0] = 60.0
    assert clock.seconds_left() == 15.0
    clock.start(25.0)
    assert clock.seconds_left() == 25.0
    clock.ask_to_stop()
    assert clock.epoch_is_stored()
    with pytest.raises(KeyboardInterrupt):
        clock.check()
    clock.stop()
    assert clock.seconds_left() == math.inf
    clock.check()


def _attempt(folder: RunFolder, signal_s: float, until: Callable[[], bool]) -> tuple[int, str]:
    """Exit code and words of a job that hears, once something has happened, that its time is nearly up."""
    code = f"from seisvision.sweeps.slurm_job import WorkOnRun; WorkOnRun({str(folder.path)!r}, 2, {signal_s})()"
    job = ready_python.Ready([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 240
    while not until() and time.monotonic() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    _, said = job.communicate(timeout=240)
    return job.returncode, said


def test_a_job_ends_its_epoch_before_its_time_is_up_and_fails_where_none_fits(
    slurm: FakeSlurm, data_dir: Path, tmp_path: Path
) -> None:
    slurm.answers("squeue", "RUNNING\\n")
    slurm.answers("scontrol")
    config = tiny_config(data_dir, tmp_path, "trainer.max_epochs=500", "trainer.accelerator=cpu")
    folder = identify(config)
    folder.prepare(config, [])

    def knows_how_long_epochs_take() -> bool:
        # The first is timed only after its checkpoint is there.
        return folder.history_file.exists() and int(pd.read_csv(folder.history_file)["epoch"].max()) > 0

    exit_code, said = _attempt(folder, 120.0, knows_how_long_epochs_take)
    assert exit_code == 130 and "it stops after this epoch" in said and "scontrol requeue 7" in slurm.calls, said
    assert folder.status()["state"] == INTERRUPTED
    stored = load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"]
    history = pd.read_csv(folder.history_file)
    assert (history["name"] == "train/loss").sum() == stored + 1 == history["epoch"].max() + 1

    # Too late for an epoch, however short.
    seconds = folder.status()["seconds"]
    exit_code, said = _attempt(folder, 1.0, lambda: folder.status()["state"] == RUNNING)
    status = folder.status()
    assert exit_code == 1 and status["state"] == FAILED and "launcher.time_min" in status["error"], said
    assert len([call for call in slurm.calls if "requeue" in call]) == 1 and status["seconds"] >= seconds


def test_states_are_read_from_the_queue(slurm: FakeSlurm) -> None:
    slurm.answers("squeue", "12_0|RUNNING|None\\n12_1|PENDING|Priority\\n")
    states = job_states(["12_0", "12_1", "12_2"])
    assert states == {"12_0": "RUNNING", "12_1": "PENDING", "12_2": "FORGOTTEN"}
    assert [has_ended(state) for state in states.values()] == [False, False, True]
    slurm.answers("squeue", error="slurm_load_jobs error: Invalid job id specified", code=1)
    assert job_states(["12"]) == {"12": "FORGOTTEN"}
    slurm.answers("squeue", error="Unable to contact slurm controller", code=1)
    assert job_states(["12"]) is None


def test_a_run_that_has_a_job_is_watched_and_not_submitted_again(slurm: FakeSlurm, tmp_path: Path) -> None:
    (folder,) = _runs(tmp_path, [])
    write_json(folder.path / JOB_FILE, {"job_id": "12", "output": "12.out"})
    slurm.answers("sbatch", code=1)
    slurm.answers("squeue", "12|RUNNING|None\\n")
    assert list(SlurmLauncher(wait=False).run([folder])) == []
    assert not any("sbatch" in call for call in slurm.calls)
    slurm.answers("squeue", error="Unable to contact slurm controller", code=1)
    with pytest.raises(SeisvisionError, match="nothing was submitted"):
        list(SlurmLauncher(wait=False).run([folder]))


def test_a_job_that_slurm_ended_fails_its_run(slurm: FakeSlurm, tmp_path: Path) -> None:
    (folder,) = _runs(tmp_path, [])
    write_json(folder.path / JOB_FILE, {"job_id": "12", "output": "12.out"})
    slurm.answers("squeue", "12|RUNNING|None\\n", then="12|OUT_OF_MEMORY|None\\n")
    assert list(SlurmLauncher(poll_s=0.1).run([folder])) == [folder]
    status = folder.status()
    assert status["state"] == FAILED and "OUT_OF_MEMORY" in status["error"] and "12.out" in status["error"]


@pytest.mark.parametrize(
    "settings",
    [
        {"partition": "gpu\n#SBATCH --uid=root"},
        {"account": "a\rb"},
        {"sbatch": {"qos": "long\ntouch smuggled"}},
        {"sbatch": {"qos=x\n#SBATCH --uid": "root"}},
        {"sbatch": {"--wrap": "touch smuggled"}},
        {"setup": ["module load cuda\ntouch smuggled"]},
        {"setup": ["  #SBATCH --uid=root"]},
    ],
)
def test_settings_stay_on_their_line_of_the_script(settings: dict) -> None:
    with pytest.raises(ConfigurationError, match="launcher"):
        SlurmLauncher(**settings)


def test_names_in_a_script_are_words_of_it_and_never_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a b;$(touch smuggled)`touch smuggled`'\"#"
    folder = RunFolder(tmp_path / name / "0000000000")
    folder.prepare(plain_config(["trainer.accelerator=cpu"]), [])
    launcher = SlurmLauncher(dry_run=True, partition="$(touch smuggled)", sbatch={"comment": "'; touch smuggled #"})
    assert list(launcher.run([folder])) == []
    script = capsys.readouterr().out.partition("#!/bin/bash")[2]
    # The shell finds the commands of the script, of which only srun is one of ours.
    (tmp_path / "srun").write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done\n')
    (tmp_path / "srun").chmod(0o755)
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )
    assert ran.returncode == 0, ran.stderr
    assert str(folder.path.parent.resolve() / "slurm") in ran.stdout.splitlines()
    assert not list(tmp_path.rglob("smuggled")) and not Path("smuggled").exists()
    broken = RunFolder(tmp_path / "a\n#SBATCH --uid=root" / "0000000000")
    broken.prepare(plain_config(["trainer.accelerator=cpu"]), [])
    with pytest.raises(ConfigurationError, match="on one line"):
        list(launcher.run([broken]))
