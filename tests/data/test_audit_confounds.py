"""What tells the class without the waveform is found, with honest numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audited_sets import write_sound_set
from sklearn.metrics import roc_auc_score

from seisvision.data.audit.audit import check_set
from seisvision.data.audit.confounds import Confound, _auc, class_confounds
from seisvision.data.audit.table import AuditTable
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import load_recipe
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter


def confounds(waveform_set: WaveformSet) -> dict[str, Confound]:
    return {item.attribute: item for item in class_confounds(AuditTable(waveform_set))}


def test_nothing_tells_the_class_of_a_balanced_set(tmp_path: Path) -> None:
    waveform_set = write_sound_set(tmp_path / "set", 80)
    found = confounds(waveform_set)
    assert {"station", "hour of day", "depth"} & found.keys()
    assert not [item.sentence() for item in found.values() if item.kind == "recording" and item.notable]
    assert abs(found["station"].auc - 0.5) < 0.15


def test_a_station_that_tells_the_class(tmp_path: Path) -> None:
    """Blasts (even events) at stations A to E, quakes at F to J, but one time in five the other way round."""

    def code(event: int, station: int) -> str:
        other = event // 2 % 5 == 0
        return "ABCDEFGHIJ"[station + 5 * ((event % 2 == 1) != other)]

    waveform_set = write_sound_set(tmp_path / "set", 100, station_code=code)
    station = confounds(waveform_set)["station"]
    assert station.accuracy == pytest.approx(0.8) and station.balanced_accuracy == pytest.approx(0.8)
    assert station.majority == 0.5 and station.low95 < 0.8 < station.high95 and station.notable
    finding = next(item for item in check_set(waveform_set) if item.code == "confound_station")
    assert finding.severity == "warning" and "0.800" in finding.title


def test_each_event_is_judged_by_others_only(tmp_path: Path) -> None:
    """With stations of its own every event would be known by heart; then it must be as good as guessing."""
    waveform_set = write_sound_set(tmp_path / "set", 60, station_code=lambda event, station: f"E{event}S{station}")
    station = confounds(waveform_set)["station"]
    assert station.balanced_accuracy == pytest.approx(0.5) and station.auc == pytest.approx(0.5)


def test_the_hour_of_day_counts_events(tmp_path: Path) -> None:
    def origin(event: int, station: int) -> str:
        return f"2020-03-{1 + event % 28:02d}T{(9 + event % 8) if event % 2 == 0 else (event % 24):02d}:30:00Z"

    waveform_set = write_sound_set(tmp_path / "set", 120, source_origin_time=origin)
    hour = confounds(waveform_set)["hour of day"]
    assert hour.unit == "events" and hour.n == 120 and hour.notable


@pytest.mark.parametrize("more", [0, 4])
def test_the_number_of_traces_is_a_warning_that_says_how_to_hide_it(tmp_path: Path, more: int) -> None:
    """Quakes at 5 to 9 stations; blasts at as many, or at up to four fewer."""
    rng = np.random.default_rng(8)
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        for event in range(160):
            n = int(rng.integers(5, 10)) - (more if event % 2 else 0)
            rows = [
                {
                    "source_id": f"ev{event}",
                    "source_type": "blast" if event % 2 else "quake",
                    "station_network_code": "XX",
                    "station_code": f"S{station}",
                    "trace_start_time": "2020-01-01T00:00:00Z",
                    "trace_sampling_rate_hz": 20.0,
                }
                for station in rng.permutation(20)[:n]
            ]
            writer.add_event(rows, rng.normal(size=(n, 3, 40)).astype(np.float32))
    found = [item for item in check_set(WaveformSet(tmp_path / "set")) if item.code == "confound_number_of_traces"]
    assert len(found) == (1 if more else 0)
    if more:
        assert found[0].severity == "warning" and "station_choice=random" in str(found[0].remedy)


def test_the_style_of_windows_tells_the_collection(tmp_path: Path) -> None:
    """Trap of sets thrown together: one collection has its onset early in the window."""
    columns = {
        "source_set": lambda event, station: "alpha" if event % 3 else "beta",
        "trace_onset_s": lambda event, station: (2.0 if event % 3 else 9.0) + 0.1 * (event % 7),
    }
    waveform_set = write_sound_set(tmp_path / "set", 60, **columns)
    finding = next(item for item in check_set(waveform_set) if item.code == "window_style")
    assert finding.severity == "warning" and "onset in window" in finding.title


def test_area_under_the_curve_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(500) < 0.3
    score = np.round(positive * 0.4 + rng.random(500), 1)
    assert _auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


def test_checks_before_training_read_no_waveform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waveform_set = write_sound_set(tmp_path / "set", 20)

    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError("samples were read")

    monkeypatch.setattr(WaveformSet, "read_rows", refuse)
    assert {finding.severity for finding in check_set(waveform_set)} <= {"note"}


def test_mount_baker(shared_data: Path, tmp_path: Path) -> None:
    """The station is right for 83 % of the traces there, which is what always saying earthquake gives."""
    root = Path(__file__).resolve().parents[2]
    recipe = load_recipe(root / "conf" / "import" / "mt_baker.yaml", str(shared_data))
    run_import(recipe, tmp_path / "set")
    waveform_set = WaveformSet(tmp_path / "set")
    station = confounds(waveform_set)["station"]
    assert 0.80 < station.accuracy < 0.87 and 0.80 < station.majority < 0.87
    assert station.notable and station.balanced_accuracy < 0.7
    # Of the two large classes alone, as a task names them.
    labels = {"earthquake": ["earthquake"], "low frequency": ["low_frequency"]}
    two = {item.attribute: item for item in class_confounds(AuditTable(waveform_set, labels=labels))}
    assert two["station"].chance == 0.5 and two["azimuth"].balanced_accuracy > 0.75 > two["station"].balanced_accuracy
    codes = {finding.code: finding.severity for finding in check_set(waveform_set)}
    assert codes["confound_station"] == "warning" and codes["class_small"] == "warning"
    assert "fatal" not in codes.values()
