"""Every benchmark runs: its options are read, and those of ``make bench`` do in a moment what takes them minutes."""

from __future__ import annotations

import json
import re
import runpy
import sys
from functools import partial
from typing import Any

import pytest
from opened_benchmarks import BENCHMARKS, benchmark, once, run

HELPERS = ("measuring", "verdict_draws")
NAMES = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in HELPERS)
__all__ = ["benchmark"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("benchmark")
def test_a_benchmark_says_what_it_is_for(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")
    assert ended.value.code == 0 and "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "words"), [("rendering", ["--batch", "2"]), ("trace_views", ["--batch", "2"])])
def test_pictures_are_compared_with_drawings_that_are_named(
    name: str, words: list[str], benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark(name)
    monkeypatch.setattr(module, "in_turns", once(benchmark("measuring")))
    run(module, [*words, "--json"], monkeypatch)
    said = json.loads(capsys.readouterr().out)
    assert {"processor", "threads", "busy"} <= said["machine"].keys()
    row = next(row for name, row in said["results"].items() if name.startswith("seisvision"))
    assert row["cpu_least_ms"] == 1.0 and row["cpu_ms"] == 2.0 and row["cpu_largest_ms"] == 3.0
    assert any(key.startswith("times faster than ObsPy") for key in row)


def test_files_are_read_and_imported(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--events", "2", "--samples", "3000", "--rounds", "1", "--largest", "0", "--all-cores-events", "3"]
    run(benchmark("reading"), words, monkeypatch)
    said = capsys.readouterr().out
    assert "threads" in said and re.search(r"obspy, resample, h5py .* ms a channel", said)
    assert re.search(r"3 and 2 events:\n.*\n.*\nthe import is [\d.]+ times as fast on the wall", said)


def test_a_fibre_is_located_beside_scipy_and_picked_beside_obspy(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("fibre")
    monkeypatch.setattr(module, "in_turns", once(benchmark("measuring")))
    monkeypatch.setattr(module, "PICKS", 30)
    monkeypatch.setattr(module, "crust", lambda: module.TravelTimes.constant(6.0, 3.46))
    monkeypatch.setattr(module, "FibreParameters", partial(module.FibreParameters, n_channels=60, length_s=12.0))
    run(module, ["--short"], monkeypatch)
    said = capsys.readouterr().out
    for name in ("seisvision, both sides", "scipy least_squares", "ObsPy, recursive", "plain HDF5, every eighth"):
        assert re.search(rf"{name}.* 2.00 ms", said)


def test_clusters_take_part_of_an_epoch(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("clustering")
    monkeypatch.setattr(module, "BATCH", 12)
    run(module, ["--events", "24", "--k", "2", "--pca-dim", "4", "--device", "cpu"], monkeypatch)
    assert "ms an event" in capsys.readouterr().out
