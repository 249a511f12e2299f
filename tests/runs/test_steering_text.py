"""Names out of data reach the terminal and log files as text: nothing in them clears, retitles or overwrites."""

from __future__ import annotations

import csv
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from fake_runs import CLASS, fake_run
from obspy import Trace, UTCDateTime

from seisvision.cli import main
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import DataError
from seisvision.plain_text import STEERING, visible
from seisvision.runs.terminal import copied_to, set_up_logging, show, tell_error

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\u202ex"


@pytest.fixture
def hostile_set(tmp_path: Path) -> Path:
    """Two hostile classes at hostile stations, with a fault to be named."""
    with WaveformSetWriter(tmp_path / "set", card={"name": HOSTILE, "licence": HOSTILE}) as writer:
        for event in range(30):
            row = {
                "source_id": f"{HOSTILE}[red]{event}",
                "source_type": f"{HOSTILE}{event % 2}",
                "source_magnitude": 99.0 if event == 3 else 1.0,
                "station_network_code": "XX",
                "station_code": HOSTILE,
                f"trace_[red]{HOSTILE}": "a" if event % 2 else "b",
                "trace_sampling_rate_hz": 20.0,
            }
            writer.add_event([row], np.random.default_rng(event).normal(size=(1, 3, 100)).astype(np.float32))
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers write to the stream that was there when they were made, and each test has one of its own."""
    monkeypatch.setattr(logging.getLogger("seisvision"), "handlers", [])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)


def is_text(said: str) -> bool:
    return not STEERING.search(said) and "owned" in said


def test_only_what_steers_is_written_otherwise() -> None:
    assert visible("Bárðarbunga 東京\tkm²\n") == "Bárðarbunga 東京\tkm²\n"
    assert visible(HOSTILE) == r"\x1b]0;owned\x07\x1b[2J\r\u202ex" and visible("\x9b\x00\ud800") == r"\x9b\x00\ud800"


@pytest.mark.parametrize("command", ["audit", "card"])
def test_sets(hostile_set: Path, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["data", command, str(hostile_set)]) == 0
    said = capfd.readouterr()
    assert is_text(said.out) and not STEERING.search(said.err)
    if command == "audit":
        assert "[red]" in said.out


def test_imports(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = (100 * np.random.default_rng(0).normal(size=3000)).astype(np.int32)
    start = UTCDateTime("2020-01-01")
    header = {"network": "XX", "station": "AAA", "channel": "HHZ", "sampling_rate": 50.0, "starttime": start}
    (tmp_path / "waveforms").mkdir()
    Trace(samples, header).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    with (tmp_path / "events.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        hostile = HOSTILE.replace("\r", "")
        writer.writerow(["event_id", "source_type", "source_origin_time", f"a{hostile}"])
        writer.writerow(["ev0", hostile, str(start + 5), "1"])
    (tmp_path / "stations.csv").write_text("network,station,latitude_deg,longitude_deg\nXX,AAA,46.0,-122.0\n")
    words = [word for name in ("waveforms", "events", "stations") for word in (f"--{name}", str(_of(tmp_path, name)))]
    assert main(["data", "import", *words, "--workers", "1", "--dry-run"]) == 0
    said = capfd.readouterr()
    assert is_text(said.out) and not STEERING.search(said.err)


def _of(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}*"))


def test_comparisons(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    about = CLASS | {"class_names": [HOSTILE, "b"]}
    for lr in (0.1, 0.2):
        fake_run(tmp_path / f"r{lr}", {"optimizer.lr": lr, "view.style": HOSTILE + str(lr)}, about=about, skill=lr)
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 0
    said = capfd.readouterr()
    assert is_text(said.out + said.err)


def test_messages_results_errors_warnings_and_log_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    with copied_to(tmp_path / "train.log"):
        show(HOSTILE)
        tell_error(DataError(f"event '{HOSTILE}' is damaged"))
        tell_error(RuntimeError(HOSTILE))
    assert is_text(warnings.formatwarning(HOSTILE, UserWarning, "x.py", 1))
    said = capfd.readouterr()
    assert is_text(said.out) and not STEERING.search(said.err)
    assert is_text((tmp_path / "train.log").read_text())


def test_the_parser_of_commands(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["data", "audit", "set", f"--{HOSTILE}"])
    assert is_text(capfd.readouterr().err)
