"""Every benchmark does in a moment, on next to nothing, what it does in minutes; all say on what machine."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from opened_benchmarks import BENCHMARKS, benchmark, run

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.evaluation.baselines import learnt_times
from seisvision.forecasting import kept
from seisvision.forecasting.synthetic import TRUE, etas_world

__all__ = ["benchmark"]
ELSEWHERE = {
    **dict.fromkeys(("rendering", "trace_views", "reading", "clustering"), "tests/test_benchmarks.py"),
    **dict.fromkeys(("epoch", "sweeps", "gpu", "launch", "after_training"), "tests/runs/test_benchmark_runs.py"),
    "catalogue_day": "tests/cataloguing/test_catalogue_run.py",
    "coverage": "tests/evaluation/test_coverage.py",
    "label_values": "tests/reviewing/test_value_scores.py",
    "network_locations": "tests/runs/test_network_experiments.py",
}
"""Where those run that need what other tests make, and those of ``make bench`` whose figures are looked at."""
HELPERS = ("measuring", "verdict_draws")


@dataclasses.dataclass(frozen=True)
class Short:
    """Words of a benchmark in its shortest form; ``{tmp}`` is an empty folder."""

    words: Sequence[str]
    says: str
    """What is printed, as a regular expression."""
    smaller: Callable[[Any], dict[str, Any]] = lambda module: {}
    """Names of the module and the smaller values that they have here."""
    prepare: Callable[[Path, pytest.MonkeyPatch], None] | None = None


def readings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases of six events at eight stations, by a speed of 6 and 3.5 km/s."""
    rows = []
    for event in range(6):
        for number in range(8):
            angle, km = 45.0 * number, 10.0 + 3 * number + event
            for phase, speed in (("P", 6.0), ("S", 3.5)):
                rows.append(
                    {"evid": event, "net": "XX", "sta": f"S{number}", "iphase": phase, "delta": km, "seaz": angle,
                     "lat": 48.8, "lon": -121.8, "depth": 5.0, "datetime": 100.0 * event,
                     "datetime.1": 100.0 * event + np.hypot(km, 5.0) / speed}
                )  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "readings.csv", index=False)


def swarm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Picks of six events at eight stations, by a speed of 5.5 km/s, one of them not made."""
    angle = np.radians(45.0 * np.arange(8))
    stations = pd.DataFrame(
        {"station": [f"S{k}" for k in range(8)], "latitude_deg": 64.7 + 0.1 * np.cos(angle),
         "longitude_deg": -17.5 + 0.2 * np.sin(angle), "elevation_m": 1000}
    )  # fmt: skip
    stations.to_csv(folder / "stations.csv", index=False)
    origins = pd.date_range("2014-08-20", periods=6, freq="h")
    events = pd.DataFrame(
        {"event_id": [f"e{k}" for k in range(6)], "source_origin_time": origins.strftime("%Y-%m-%dT%H:%M:%SZ"),
         "source_latitude_deg": 64.7, "source_longitude_deg": -17.5, "source_depth_km": 6.0}
    )  # fmt: skip
    events.to_csv(folder / "events.csv", index=False)
    (folder / "waveforms").mkdir()
    for name, origin in zip(events["event_id"], origins, strict=True):
        picked = [
            {"Station": f"S{k}", "Phase": phase, "PickError": 0.05,
             "PickTime": -1 if k == 7 else (origin + pd.Timedelta(seconds=12.6 / speed)).isoformat() + "Z"}
            for k in range(8) for phase, speed in (("P", 5.5), ("S", 3.1))
        ]  # fmt: skip
        pd.DataFrame(picked).to_csv(folder / "waveforms" / f"{name}_picks.csv", index=False)


def untrained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picking network that nothing has trained, which opens whatever file is named."""
    import false_picks
    import picking

    monkeypatch.setattr(false_picks, "open_picker", lambda path: picking.network())


def known_etas(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit of ETAS, which is seen elsewhere, is told what made the catalogue."""

    def fit(self: Any, task: Any) -> None:
        self._task = task
        self.result = SimpleNamespace(parameters=TRUE, background=etas_world(3, 10.0).background)

    monkeypatch.setattr(kept.Etas, "fit", fit)
    monkeypatch.setattr(kept, "described_etas", lambda result: {"parameters": {}})


def hasty(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Travel times are learnt in one stage and nothing is judged, as if accuracy did not matter."""
    for name, value in {"STAGES_S": (1.5,), "MOST_JUDGED": 2, "STEPS_KM": (8.0, 2.0)}.items():
        monkeypatch.setattr(learnt_times, name, value)


@functools.cache
def few_layers() -> TravelTimes:
    """Travel times of a crust that take no time to make."""
    top_km, vp_km_s, vs_km_s = [0.0, 15.0, 32.0], [6.0, 6.6, 8.0], [3.4, 3.8, 4.6]
    return TravelTimes.layered(top_km, vp_km_s, vs_km_s, max_distance_km=300, max_depth_km=60)


FORECAST = [
    "dataset.source.days=400", "dataset.fit=1970-02-01/1970-12-01", "dataset.test=1970-12-01/1971-02-01",
    "dataset.cell_deg=0.5", "dataset.samples.maps.n_steps=2", "dataset.references.block_days=10",
    "trainer.max_epochs=1",
]  # fmt: skip
SHORT = {
    "arrival_coverage": Short(["--events", "4"], r"sharp, 12 stations around .* \|\| ",
        lambda module: {
            "smooth": few_layers, "table": few_layers, "GEOMETRIES": dict(list(module.GEOMETRIES.items())[:1]),
        },
    ),
    "arrivals": Short(["--events", "4", "--reference-events", "1", "--repeats", "2"], r"scipy [\d.]+ ms.* times"),
    "associators": Short(
        ["--hours", "0.2"], r"vote +\d+ events .* F1 [01]\.\d", lambda module: {"SCENARIOS": module.SCENARIOS[:1]}
    ),
    "bardarbunga_picks": Short(["{tmp}"], r"5.5 km/s.* km", prepare=swarm),
    "growing": Short(["--traces", "40"], r"audit of 40 traces +[\d.]+ s of processor.* at most +\d+ MB"),
    "cluster_number": Short(
        ["--draws", "1", "--repeats", "1", "--groups", "2", "--sizes", "40"], r"groups, all: exact \d+%"
    ),
    "early_warning_coverage": Short(
        ["--events", "2"], r"triggers on P alone +16 +100",
        lambda module: {"crust": few_layers, "SECONDS": (16.0,), "NOISE": {"triggers on P alone": 0.0}},
    ),
    "ellipses": Short(["--short", "--events", "4", "--stations", "6"], r"\d+ of \d+ cells hold"),
    "etas": Short(["grids", "--events", "500", "--repeats", "1"], r"500 events to 3650 days x 100 cells"),
    "false_picks": Short(
        ["none={tmp}", "--hours", "0.02"], r"red noise: [\d.]+ false picks an hour", prepare=untrained
    ),
    "fibre": Short(
        ["--short"], r"scipy least_squares, both sides .* times as long",
        lambda module: {"crust": few_layers, "PICKS": 40},
    ),
    "fibre_coverage": Short(["--events", "2"], r"thinned.* +[\d.]+", lambda module: {"crust": few_layers}),
    "forecast_epoch": Short(
        ["--experiment", "forecast", "--epochs", "2", "--threads", "1", "--data-dir", "{tmp}", "--set", *FORECAST[:-1]],
        r"epoch processors .* ratio [\d.]+", prepare=known_etas,
    ),
    "forecast_worlds": Short(
        ["null", "--repeats", "1", "--networks", "forecast", "--place", "{tmp}", "--set", *FORECAST],
        r"forecast over the true ETAS: \d of \d won", prepare=known_etas,
    ),
    "label_errors": Short(
        ["--events", "30", "--epochs", "1", "--shares", "0.2", "--data-dir", "{tmp}"],
        r"untouched test .* % after review"
    ),
    "learnt_times_coverage": Short(
        ["--worlds", "63"], r"world of 63 events \| 6\d of 63 .*%\)(.|\n)*21 validation events say",
        lambda module: {"N_STATIONS": 5, "N_FIFTHS": 3}, prepare=hasty,
    ),
    "location": Short(["--events", "12", "--reference-events", "4", "--repeats", "2"], r"no grid +[\d.]+"),
    "matched_filter": Short(
        ["--rounds", "1"], r"ratio +[\d.]+",
        lambda module: {"N_CHANNELS": 2, "N_TEMPLATES": 2, "HOUR_S": 400, "RATE_HZ": 20},
    ),
    "mount_baker_picks": Short(["{tmp}/readings.csv"], r"with static corrections: 3 events", prepare=readings),
    "onsets": Short(["--records", "1"], r"10 +0.05-4 +2-4"),
    "picking": Short(
        ["--hours", "0.02", "--rounds", "1", "--days", "1"], r"5,000 gaps against none: [\d.]+x of processor",
        lambda module: {"memory": lambda *rest: None},
    ),
    "review_queue": Short(["--items", "12", "--stations", "2", "--decisions", "3"], r"decision to next label: median"),
    "single_station": Short(["--networks", "1"], r"all of these +300", lambda module: {"N_ASKED": 20}),
    "step": Short(
        ["--events", "24", "--epochs", "2", "--data-dir", "{tmp}"], r"difference +-?[\d.]+ \(.*\) a step, aim at most 1"
    ),
    "uncertainty": Short(
        ["speed"], r"gu_cnn +64", lambda module: {"N_PASSES": 2, "N_MEMBERS": 2, "N_TURNS": 1}
    ),
    "verdicts": Short(["--draws", "20", "--only", "power", "--sizes", "20"], r"s of processor time"),
    "waveforms": Short(
        ["--events", "12", "--epochs", "2", "--threads", "1", "--data-dir", "{tmp}"], r"inference processors .* ratio"
    ),
}  # fmt: skip


def test_every_benchmark_has_a_short_form() -> None:
    names = {path.stem for path in BENCHMARKS.glob("*.py")} - set(HELPERS)
    assert names == SHORT.keys() | ELSEWHERE.keys() and not SHORT.keys() & ELSEWHERE.keys()
    for place in set(ELSEWHERE.values()):
        text = (BENCHMARKS.parent / place).read_text()
        assert [name for name, at in ELSEWHERE.items() if at == place and f'"{name}"' not in text] == []


@pytest.mark.parametrize("name", sorted(SHORT))
def test_a_benchmark_does_its_work_in_short(
    name: str, benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short, module = SHORT[name], benchmark(name)
    for constant, value in short.smaller(module).items():
        monkeypatch.setattr(module, constant, value)
    if short.prepare:
        short.prepare(tmp_path, monkeypatch)
    run(module, [word.replace("{tmp}", str(tmp_path)) for word in short.words], monkeypatch)
    said = capsys.readouterr().out
    assert re.search(r"\d+ processors, \d+ threads, load [\d.]+ \((busy|idle)\)", said), said[:500]
    assert re.search(short.says, said), said[-2000:]
