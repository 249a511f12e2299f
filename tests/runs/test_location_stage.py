"""Sigmas that locate: sized on validation events, so that ellipses hold what they say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seisvision.base.sample_ids import SampleIds
from seisvision.earth.geodesics import geodesic
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.location import summarise_locations
from seisvision.experiments.supervised import locating as stage
from seisvision.experiments.supervised.locating import common_share, observation_frame, sigma_factor
from seisvision.location.catalogue import locate_table, observation_table
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions

N_EVENTS, N_STATIONS = 200, 10
ABOUT = {
    "kind": "scalar",
    "name": "offset",
    "target": "path_ep_distance_km",
    "unit": "km",
    "transform": "log1p",
    "tolerance_relative": 0.1,
    "tolerance_absolute": 10.0,
}


def _waveform_set(seed: int) -> SimpleNamespace:
    """Stations around events at 65 degrees north: only the tables that location reads."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 65 + rng.uniform(-2, 2, N_EVENTS), -30 + rng.uniform(-5, 5, N_EVENTS)
    shape = (N_EVENTS, N_STATIONS)
    station_latitude = latitude[:, None] + rng.uniform(-5, 5, shape)
    station_longitude = longitude[:, None] + rng.uniform(-12, 12, shape)
    table = pd.DataFrame(
        {
            "source_id": np.repeat([f"event-{i}" for i in range(N_EVENTS)], N_STATIONS),
            "source_latitude_deg": np.repeat(latitude, N_STATIONS),
            "source_longitude_deg": np.repeat(longitude, N_STATIONS),
            "station_code": [f"S{i}" for i in range(N_EVENTS * N_STATIONS)],
            "station_latitude_deg": station_latitude.ravel(),
            "station_longitude_deg": station_longitude.ravel(),
        }
    )
    events = table.groupby("source_id", sort=False).first()
    return SimpleNamespace(table=table, event_table=lambda: events)


def _said(waveform_set: SimpleNamespace, seed: int, common: float, whole: float = 0.0) -> ScalarPredictions:
    """Distances with independent errors of 4 %, and others common to each quarter of an event or to the whole."""
    rng = np.random.default_rng(seed)
    table = waveform_set.table
    names = [f"{kind}_{axis}_deg" for kind in ("source", "station") for axis in ("latitude", "longitude")]
    offset_km, azimuth_deg, _ = geodesic(*(table[name].to_numpy() for name in names))
    shared = rng.normal(0, common, (N_EVENTS, 4))
    group = np.repeat(np.arange(N_EVENTS), N_STATIONS), (azimuth_deg // 90).astype(int)
    everywhere = np.repeat(rng.normal(0, whole, N_EVENTS), N_STATIONS) if whole else 0.0
    value = offset_km * np.exp(rng.normal(0, 0.04, len(table)) + shared[group] + everywhere)
    sigma = 0.04 * value
    decoded = np.stack([value, sigma, *[np.full(len(table), np.nan)] * 4], axis=1)
    ids = [str(row) for row in range(len(table))]
    return ScalarPredictions.from_decoded(
        ABOUT, SampleIds("trace", ids, table["source_id"].tolist()), offset_km, decoded
    )


def _coverage(waveform_set: SimpleNamespace, said: ScalarPredictions, factor: float) -> float:
    observations = observation_table(observation_frame(waveform_set, said, factor))
    true = waveform_set.event_table().loc[observations.event_id]
    places = true["source_latitude_deg"].to_numpy(), true["source_longitude_deg"].to_numpy()
    return summarise_locations(locate_table(observations), *places).measures["coverage_95"].value


def test_independent_errors_of_the_stated_size_need_no_factor() -> None:
    calibration = _waveform_set(0)
    assert sigma_factor(calibration, _said(calibration, 10, common=0.0)) == pytest.approx(1.0, abs=0.12)


def test_ellipses_of_other_events_hold_what_they_say_though_errors_go_together() -> None:
    calibration, judged = _waveform_set(1), _waveform_set(2)
    said = _said(judged, 12, common=0.08)
    known = _said(calibration, 11, common=0.08)
    single = float(np.quantile(np.abs(known.value - known.target) / known.decoded[:, 1], 0.68))
    assert _coverage(judged, said, single) < 0.9
    assert _coverage(judged, said, sigma_factor(calibration, known)) == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize(("whole", "share"), [(0.0, 0.0), (0.04, 0.5), (0.06, 0.69)])
def test_what_an_event_has_in_common_is_seen_and_ellipses_hold(whole: float, share: float) -> None:
    calibration, judged = _waveform_set(4), _waveform_set(5)
    known = _said(calibration, 13, common=0.0, whole=whole)
    found = common_share(known)
    assert found == pytest.approx(share, abs=0.1)
    said = _said(judged, 14, common=0.0, whole=whole)
    factor = float(np.quantile(np.abs(known.value - known.target) / known.decoded[:, 1], 0.68))
    frame = observation_frame(judged, said, factor, found)
    assert ("common_share" in frame) == (found > 0)
    observations = observation_table(frame)
    true = judged.event_table().loc[observations.event_id]
    places = true["source_latitude_deg"].to_numpy(), true["source_longitude_deg"].to_numpy()
    measures = summarise_locations(locate_table(observations), *places).measures
    assert measures["coverage_95"].value == pytest.approx(0.95, abs=0.04)
    assert measures["coverage_68"].value == pytest.approx(0.68, abs=0.08)


def test_the_curve_of_s_minus_p_is_fitted_on_training_traces_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    curves: list[Any] = []
    picks = {"train": np.linspace(20, 120, 60), "val": np.linspace(5, 9, 10), "test": np.linspace(5, 9, 10)}

    def variant(parts: list[str], components: str) -> SimpleNamespace:
        asked.append(parts)
        n = len(picks[parts[0]])
        ids = [f"{parts[0]}{i}" for i in range(n)]
        return SimpleNamespace(
            part=parts[0], sample_ids=ids, source_ids=ids, targets={ABOUT["target"]: 0.5 * picks[parts[0]]}
        )

    def located(folder: Path, settings: Any, waveform_set: Any, said: Any, *rest: Any) -> tuple[Any, None]:
        curves.append(said.value)
        return SimpleNamespace(to_dict=dict), None

    monkeypatch.setattr(stage, "_picked_km", lambda samples: picks[samples.part])
    monkeypatch.setattr(stage, "locate_events", located)
    said = {
        part: ScalarPredictions.from_decoded(
            ABOUT,
            SampleIds("trace", [f"{part}{i}" for i in range(10)], [f"e{i}" for i in range(10)]),
            np.ones(10),
            np.ones((10, 6)),
        )
        for part in ("val", "test")
    }
    settings = {"output": "offset", "classical": True, "mode": "robust"}
    data = SimpleNamespace(variant=variant, waveform_set=None)
    found = stage.locate_parts(Path(), settings, 0.95, data, {part: {"offset": one} for part, one in said.items()})  # type: ignore
    assert asked[0] == ["train"] and sorted(asked[1:]) == [["test"], ["val"]]
    assert "fitted on 60 training traces" in found["s_minus_p_curve"]
    # Test picks lie below all training picks: they get the least training distance, not one of their own.
    assert curves[1] == pytest.approx(np.full(10, 10.0))


def test_only_distances_of_single_traces_locate() -> None:
    waveform_set = _waveform_set(3)
    classes = ClassPredictions.from_decoded(
        {"name": "cause", "class_names": ["a", "b"]},
        SampleIds("trace", ["0", "1"], ["event-0", "event-0"]),
        np.zeros(2, int),
        np.eye(2),
    )
    with pytest.raises(ConfigurationError, match="task=offset"):
        observation_frame(waveform_set, classes)  # type: ignore[arg-type]


def test_events_that_are_called_like_rows_do_not_locate() -> None:
    waveform_set = _waveform_set(3)
    table = waveform_set.table.iloc[::N_STATIONS].reset_index(drop=True)
    table["source_id"] = table.index.astype(str)
    single = SimpleNamespace(table=table, event_table=lambda: table.set_index("source_id"))
    ids = SampleIds.of_events(table["source_id"].tolist())
    decoded = np.ones((N_EVENTS, 6))
    events = ScalarPredictions.from_decoded(ABOUT, ids, np.ones(N_EVENTS), decoded)
    with pytest.raises(ConfigurationError, match="must hold distances of single traces"):
        observation_frame(single, events)
    # The same ids, said to be of traces, are.
    traces = SampleIds("trace", ids.ids, ids.source_ids)
    said = ScalarPredictions.from_decoded(ABOUT, traces, np.ones(N_EVENTS), decoded)
    assert observation_frame(single, said)["station_id"].tolist() == table["station_code"].tolist()


def test_traces_of_another_set_do_not_locate() -> None:
    waveform_set = _waveform_set(3)
    ids = SampleIds("trace", ["0", "1"], ["event-0", "event-7"])
    said = ScalarPredictions.from_decoded(ABOUT, ids, np.ones(2), np.ones((2, 6)))
    with pytest.raises(DataError, match="Row 1 of the metadata table is of event 'event-0', not of 'event-7'"):
        observation_frame(waveform_set, said)
