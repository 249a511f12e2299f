"""What commands start listens to this machine only, and ends with them."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_watch import Watched, is_loopback, listening
from tiny_runs import ROOT, TINY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

TRAIN = str(ROOT / "train.py")
LONG = ["trainer.max_epochs=5000", "view.height=16", "view.width=16", "optimizer=sgd", "trainer.batch_size=6"]
READERS = ["system.num_workers=1", "system.memory_gb=0"]
ENDS_WITHIN_S = 20.0
"""Seconds on a busy machine; the system's signal comes at once, and our own look once a second."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def begin(*words: str, **variables: str) -> Watched:
        started.append(Watched(list(words), tmp_path / f"said-{len(started)}", **variables))
        return started[-1]

    yield begin
    for one in started:
        one.end()


def leaves_nothing(command: Watched) -> bool:
    """Kill a command whose helpers live; whether they end soon, and have listened to this machine only."""
    assert command.helpers()
    command.kill()
    end = time.monotonic() + ENDS_WITHIN_S
    while command.pids() and time.monotonic() < end:
        time.sleep(0.1)
    left = [command.words_of(pid) for pid in command.pids()]
    assert not left, left
    assert all(map(is_loopback, command.listened)), command.listened
    return True


def said(text: str) -> Callable[[Watched], bool]:
    return lambda command: text in command.log.read_text()


def pool_workers(command: Watched) -> int:
    return sum("spawn_main" in " ".join(command.words_of(pid)) for pid in command.helpers())


def test_the_watch_sees_who_listens_to_everybody(start: Callable[..., Watched]) -> None:
    server = "import socket, time; s = socket.create_server(('', 0)); print('up', flush=True); time.sleep(600)"
    assert start("-c", server).until(said("up")).listened == {"0.0.0.0"}
    with socket.create_server(("127.0.0.1", 0)) as own:
        inode = str(own.fileno())
        assert inode and "127.0.0.1" in {address for address, _ in listening()}
    assert is_loopback("::1") and is_loopback("::ffff:127.0.0.1") and not is_loopback("::")


def test_a_worker_ends_with_the_command_also_while_it_imports(start: Callable[..., Watched]) -> None:
    pool = start(str(ROOT / "tests" / "runs" / "worker_that_imports_long.py"))
    pool.until(said("imports"))
    assert leaves_nothing(pool)


@pytest.mark.parametrize("moment", ["workers begin", "workers work"])
def test_workers_that_make_a_set_end_with_the_command(
    moment: str, start: Callable[..., Watched], tmp_path: Path
) -> None:
    words = ["data", "synth", "--n-events", "5000", "--processes", "2", "--length-s", "1200", "--n-stations", "4", "6"]
    synth = start("-m", "seisvision.cli", *words, "--data-dir", str(tmp_path / "data"))
    synth.until(lambda command: pool_workers(command) == 2)
    if moment == "workers work":
        synth.until(lambda command: any(tmp_path.rglob("waveforms*.hdf5")) or said("Synthesised")(command))
    assert leaves_nothing(synth)


def test_a_training_that_makes_its_set_takes_the_workers_along(start: Callable[..., Watched], tmp_path: Path) -> None:
    folders = [f"system.data_dir={tmp_path / 'data'}", f"system.runs_dir={tmp_path / 'runs'}"]
    made = ["dataset.source.n_events=5000", "+dataset.source.processes=2"]
    train = start(TRAIN, *TINY, *folders, *made)
    train.until(lambda command: pool_workers(command) == 2)
    assert leaves_nothing(train)


def test_workers_of_an_import_end_with_it(start: Callable[..., Watched]) -> None:
    importing = start(str(Path(__file__).with_name("import_that_takes_long.py")))
    importing.until(lambda command: command.log.read_text().count("at work") == 2)
    assert leaves_nothing(importing)


def test_two_ranks_their_readers_and_their_dashboard_stay_on_the_machine_and_end_with_it(
    start: Callable[..., Watched], data_dir: Path, tmp_path: Path
) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    ddp = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
    wandb = ["logger=wandb", "logger.wandb.mode=offline"]
    train = start(TRAIN, *TINY, *LONG, *folders, *ddp, *wandb, *READERS)
    train.until(said("epoch   2/"))
    # Gloo listens, so that the watch has something to judge.
    assert train.listened and len(train.helpers()) >= 5
    assert leaves_nothing(train)


def test_the_runs_of_a_sweep_and_their_readers_end_with_it(
    start: Callable[..., Watched], data_dir: Path, tmp_path: Path
) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'runs'}"]
    several = ["seed=1,2", "launcher=local_parallel", "launcher.n_jobs=2", *READERS]
    sweep = start(TRAIN, "-m", *TINY, *LONG, *folders, *several)
    sweep.until(lambda _: sum("epoch   2/" in path.read_text() for path in tmp_path.rglob("train.log")) == 2)
    assert len(sweep.helpers()) >= 4
    assert leaves_nothing(sweep)


def test_processes_that_srun_starts_on_one_machine_are_reached_on_it_alone(start: Callable[..., Watched]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    job = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}
    job |= {"SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "job", "SLURM_NODELIST": "cluster7", "MASTER_PORT": port}
    # What a cluster says for jobs of several nodes.
    job |= {"GLOO_SOCKET_IFNAME": "eth0", "NCCL_SOCKET_IFNAME": "eth0"}
    both = start(str(Path(__file__).with_name("ranks_that_meet.py")), **job)
    both.until(lambda command: command.log.read_text().count("{'met': 2} 127.0.0.1") == 2)
    assert both.listened and all(map(is_loopback, both.listened)), both.listened
