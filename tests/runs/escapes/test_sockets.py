"""What reads runs, explains, tunes and compares listens to nobody but this machine, nor do its helpers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_cluster_runs import make_run, three_groups
from fake_runs import fake_run
from process_watch import Watched, is_loopback
from tiny_runs import ROOT, TINY, tiny_config

from seisvision.runs.ensure import ensure_run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

READERS = ["system.num_workers=1", "system.memory_gb=0"]
SMALL = [
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
    "dataset.source.n_events=16",
]
OWN = {"SEISVISION_ALLOWED_TARGETS": "model_of_ones_own."}


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of a small network that a process of its own reads samples for."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OWN.items():
            patch.setenv(name, value)
        folders = (data_dir, tmp_path_factory.mktemp("runs"))
        return ensure_run(tiny_config(*folders, *SMALL, "trainer.max_epochs=1", *READERS), []).path


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def begin(*words: str) -> Watched:
        binds = tmp_path / "binds"
        binds.touch()
        paths = [str(path) for path in (ROOT, ROOT / "tests" / "runs", Path(__file__).with_name("binds"))]
        variables = {**OWN, "PYTHONPATH": os.pathsep.join(paths), "SEISVISION_TEST_BINDS": str(binds)}
        started.append(Watched(list(words), tmp_path / "said", **variables).to_the_end())
        # What listened between two looks was bound all the same.
        started[-1].listened |= set(binds.read_text().split())
        return started[-1]

    yield begin
    for one in started:
        one.end()


def evaluate(run: Path, data_dir: Path, folder: Path) -> list[str]:
    words = [f"system.data_dir={data_dir}", f"system.runs_dir={folder}", "accelerator=cpu", "system.num_workers=1"]
    return [str(ROOT / "evaluate.py"), f"ckpt={run}", *words]


def tune(run: Path, data_dir: Path, folder: Path) -> list[str]:
    words = [*TINY, *SMALL, *READERS, f"system.data_dir={data_dir}", "trainer.accelerator=cpu"]
    return ["-m", "seisvision.cli", "tune", "lr", *words, "--steps", "40", "--out", str(folder / "lr.yaml")]


def explain(run: Path, data_dir: Path, folder: Path) -> list[str]:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    return ["-m", "seisvision.cli", "explain", str(run), "--samples", "2", "--data-dir", str(data_dir)]


def compare(run: Path, data_dir: Path, folder: Path) -> list[str]:
    for number in range(3):
        fake_run(folder / "runs" / str(number), {"optimizer.lr": 0.1**number, "view.height": number % 3}, n=40)
    return ["-m", "seisvision.cli", "compare", str(folder / "runs"), "--out", str(folder / "report.html")]


def clusters(run: Path, data_dir: Path, folder: Path) -> list[str]:
    for k in (2, 3):
        make_run(folder / "runs" / str(k), three_groups(60)[0], k, 1)
    return ["-m", "seisvision.cli", "clusters", str(folder / "runs"), "--out", str(folder / "report")]


@pytest.mark.parametrize("command", [evaluate, tune, explain, compare, clusters], ids=lambda command: command.__name__)
def test_a_command_listens_to_this_machine_only(
    command: Callable[[Path, Path, Path], list[str]],
    trained: Path,
    data_dir: Path,
    tmp_path: Path,
    watch: Callable[..., Watched],
) -> None:
    watched = watch(*command(trained, data_dir, tmp_path))
    log = watched.log.read_text()
    assert watched.process.returncode == 0, log
    assert watched.n_looks > 3 and all(map(is_loopback, watched.listened)), watched.listened
    assert not watched.pids()


def test_the_watch_sees_what_listens_for_a_moment(watch: Callable[..., Watched]) -> None:
    for family, address in (("AF_INET", "0.0.0.0"), ("AF_INET6", "::")):
        code = f"import socket; s = socket.socket(socket.{family}); s.bind(('', 0)); s.listen(); s.close()"
        assert watch("-c", code).listened & {"0.0.0.0", address}
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    assert watch("-c", child).listened
