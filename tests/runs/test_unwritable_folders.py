"""Folders in which nothing can be written: one message before any work, and sets in them are read all the same."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ready_python
from tiny_runs import ROOT, TINY

from seisvision.data.samples.onsets import detect_onsets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.files import check_writable, check_writable_file

sys.path.insert(0, str(ROOT / "tests" / "data"))
from small_sets import write_set


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A path below a file, where not even a superuser makes a folder."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "below"


def seisvision(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seisvision.cli", *map(str, words)]
    return ready_python.run(command, capture_output=True, text=True, cwd=ROOT)


def test_what_is_tried_is_not_left(tmp_path: Path) -> None:
    check_writable(tmp_path / "not" / "yet" / "there", "--out")
    check_writable_file(tmp_path / "report.html", "--out")
    assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(blocked: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"--out=.*below cannot be written to, because .*file cannot \(Not a dir"
    ):
        check_writable(blocked, "--out")
    with pytest.raises(ConfigurationError, match=r"--out=.*is a folder\. Give the name of a file"):
        check_writable_file(blocked.parents[1], "--out")


def _tables(folder: Path) -> list[str]:
    """Inputs of an import that are there, so that only the output is at fault."""
    (folder / "wav").mkdir()
    return ["--waveforms", str(folder / "wav")]


def _fetch(folder: Path) -> list[str]:
    (folder / "greenland_events.csv").write_text("")
    return ["data", "fetch", str(ROOT / "conf/fetch/greenland.yaml"), "--root", str(folder)]


COMMANDS = {
    "import": lambda out, tmp: ["data", "import", *_tables(tmp), "--out", out],
    "shard": lambda out, tmp: ["data", "import", *_tables(tmp), "--out", out, "--shard", "1/2"],
    "merge": lambda out, tmp: ["data", "merge", tmp / "x.shards", "--out", out],
    "synth": lambda out, tmp: ["data", "synth", "--out", out],
    "synth in a data folder": lambda out, tmp: ["data", "synth", "--data-dir", out],
    "fetch": lambda out, tmp: [*_fetch(tmp), "--out", out],
    "locate": lambda out, tmp: ["locate", tmp / "obs.csv", "--out", out],
    "compare": lambda out, tmp: ["compare", tmp, "--out", f"{out}.html"],
    "clusters": lambda out, tmp: ["clusters", tmp, "--out", out],
    "tune": lambda out, tmp: ["tune", "lr", "--out", out],
    "figure of tune": lambda out, tmp: ["tune", "lr", "--out", tmp / "lr.yaml", "--figure", out],
    "quakeml": lambda out, tmp: ["locate", tmp / "obs.csv", "--out", tmp / "loc.csv", "--quakeml", out],
    "audit": lambda out, tmp: ["data", "audit", write_set(tmp / "small", 2).path, "--out", out],
    "atlas": lambda out, tmp: ["atlas", f"system.runs_dir={out}"],
    "wandb": lambda out, tmp: ["sweep", "wandb", "conf/sweep/seeds.yaml", "--out", out],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_say_so_before_they_work(name: str, blocked: Path, tmp_path: Path) -> None:
    done = seisvision(*COMMANDS[name](blocked / "new", tmp_path))
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 2 and len(errors) == 1, done.stderr
    assert errors[0].startswith("Error: ") and "cannot be written" in errors[0] and str(blocked.parent) in errors[0]


@pytest.mark.parametrize("key", ["system.runs_dir", "system.scratch"])
def test_a_training_says_so_before_it_works(key: str, blocked: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={tmp_path / 'data'}", f"system.runs_dir={tmp_path / 'runs'}", f"{key}={blocked}"]
    done = ready_python.run([sys.executable, ROOT / "train.py", *TINY, *folders], capture_output=True, text=True)
    assert done.returncode == 2 and f"Error: {key}={blocked} cannot be written to" in done.stderr
    assert not (tmp_path / "data").exists(), "work was done"


def test_what_is_only_kept_for_later_is_not_missed(
    blocked: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = write_set(tmp_path / "small", 2)
    small.metadata.drop(columns="trace_onset_s", inplace=True)
    detect_onsets(small, bands_hz=[[1, 5]], sta_s=0.5, threshold=4, cache_dir=blocked)
    assert "cannot be kept" in caplog.text


UNPRIVILEGED = """
import ctypes, runpy, sys
header, capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capget(header, capabilities) == 0
capabilities[:3] = [one & ~2 for one in capabilities[:3]]
assert ctypes.CDLL(None).capset(header, capabilities) == 0
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Run a script without CAP_DAC_OVERRIDE (1), so that rights count for a superuser as well."""


def _without_privileges() -> None:
    """The same for the next program, which a fresh interpreter is."""
    ctypes.CDLL(None).prctl(24, 1)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A data folder with a set in which nobody may write."""
    folder = tmp_path / "data"
    write_set(folder / "small", 24)
    everything = [folder / "small", folder]
    for path in everything:
        path.chmod(0o555)
    yield folder
    for path in everything:
        path.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="drops privileges as Linux does")
def test_a_set_that_may_only_be_read_is_trained_on(read_only: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    labels = "dataset.labels.source_type={quake: [quake], blast: [blast]}"
    cut = ["dataset=folder", "dataset.source.path=small", "dataset.samples.window.length_s=8", labels, "view=paper"]
    tiny = [word for word in TINY if not word.startswith("dataset.source")]
    words = [*cut, *tiny, "trainer.max_epochs=1", "dataset.baselines.bands_hz=[[0.5,2],[2,8]]"]
    words += ["evaluation.baselines=true", f"system.data_dir={read_only}"]
    environment = {**os.environ, "HOME": str(read_only), "TMPDIR": str(own)}
    train = [sys.executable, str(ROOT / "train.py"), *words]
    settings = {"capture_output": True, "text": True, "cwd": own, "env": environment}
    done = subprocess.run([*train, f"system.runs_dir={own / 'runs'}"], preexec_fn=_without_privileges, **settings)
    assert done.returncode == 0, done.stderr
    assert "cannot be kept (Permission denied)" in done.stderr
    # The fresh one found no folder of its home to write to; these need not import the libraries once more.
    unprivileged = [sys.executable, "-c", UNPRIVILEGED]
    refused = ready_python.run([*unprivileged, *train[1:], f"system.runs_dir={read_only / 'runs'}"], **settings)
    assert refused.returncode == 2 and "Error: system.runs_dir=" in refused.stderr
    audit = [*unprivileged, str(ROOT / "seisvision" / "cli.py"), "data", "audit", str(read_only / "small")]
    audited = ready_python.run(audit, **{**settings, "env": {**environment, "PYTHONPATH": str(ROOT)}})
    assert audited.returncode == 2 and "Error: --out=" in audited.stderr and "Permission denied" in audited.stderr
    assert len(WaveformSet(read_only / "small")) == 24
