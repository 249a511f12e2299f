"""Fibres: what triggers, where it is found, both sides, thinning, curvature, files and sets."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from seisvision.commands.fibre.recordings import event_names
from seisvision.data.fibre.files import read_fibre
from seisvision.data.fibre.record import Choice, Places
from seisvision.data.fibre.sets import COMPONENT, channel_rows, read_record
from seisvision.data.fibre.synthesis import FibreParameters, simulated_event
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.fibre import FibreSettings, located, summary, table_of
from seisvision.location.fibre.inversion import FibrePrior, both_sides
from seisvision.location.fibre.line import Line, curvature_s_m2, thinned
from seisvision.location.fibre.times import p_times_s
from seisvision.location.fibre.warning import FIRST_PICKS, STEP_PICKS, bounds, chosen, updates
from seisvision.picking.channel_onsets import RunningRatio, first_onsets_s, ratios

UNIFORM = TravelTimes.constant(6.0, 3.46)
LATITUDE_DEG = 32 + np.linspace(-0.54, 0.54, 600)
STRAIGHT = Line.of(LATITUDE_DEG, np.full(600, 130.7))


def arrivals_s(line: Line, place_km: tuple[float, float, float]) -> np.ndarray:
    away = line.channel_km - place_km[:2]
    return np.hypot(np.hypot(*away.T), place_km[2]) / 6.0


@pytest.mark.parametrize("north_km", [-30.0, 0.0, 25.0])
def test_a_source_that_moves_along_the_fibre_is_found_where_it_went(north_km: float) -> None:
    time_s = arrivals_s(STRAIGHT, (12.0, north_km, 10.0))
    picks = np.argsort(time_s)[:320]
    best, other = both_sides(STRAIGHT, picks, time_s[picks], 0.02, UNIFORM, FibrePrior())
    assert best.place_km[1] == pytest.approx(north_km, abs=0.5)
    assert abs(best.place_km[0]) == pytest.approx(12.0, abs=3.0)
    assert other.place_km[0] == pytest.approx(-best.place_km[0], abs=0.5)
    assert best.probability == pytest.approx(0.5, abs=0.05)
    held = [side.held(np.array([12.0, north_km]), 0.95) for side in (best, other)]
    assert sorted(held) == [False, True]


def test_a_bent_fibre_tells_its_sides_apart() -> None:
    along = np.linspace(0, 2 * np.pi, 600)
    bent = Line.of(LATITUDE_DEG, 130.7 + 0.15 * np.sin(along))
    time_s = arrivals_s(bent, (20.0, 10.0, 8.0))
    best = chosen(updates(bent, time_s, UNIFORM, sigma_s=0.02))
    assert best is not None and not best.ambiguous
    assert np.hypot(best.best.place_km[0] - 20, best.best.place_km[1] - 10) < 1.0


def test_locations_are_made_at_101_121_141_picks_within_two_seconds() -> None:
    found = updates(STRAIGHT, arrivals_s(STRAIGHT, (20.0, 0.0, 10.0)), UNIFORM)
    assert [one.n_picks for one in found] == [FIRST_PICKS + STEP_PICKS * n for n in range(len(found))]
    assert found and found[-1].since_s <= 2.0
    few = np.where(np.arange(600) % 10 == 0, arrivals_s(STRAIGHT, (20.0, 0.0, 10.0)), np.nan)
    assert updates(STRAIGHT, few, UNIFORM) == [] and chosen([]) is None


def test_thinned_channels_keep_their_distance_and_state_larger_errors() -> None:
    time_s = arrivals_s(STRAIGHT, (20.0, 0.0, 10.0))
    kept = thinned(STRAIGHT.along_km, time_s, 2.0)
    assert (np.diff(STRAIGHT.along_km[kept]) >= 2.0).all()
    raw, thin = (chosen(updates(STRAIGHT, time_s, UNIFORM, correlation_km=km)) for km in (None, 2.0))
    assert raw is not None and thin is not None
    assert thin.best.covariance_km2[1, 1] > 3 * raw.best.covariance_km2[1, 1]


def test_the_latest_location_counts_or_the_sharpest() -> None:
    found = updates(STRAIGHT, arrivals_s(STRAIGHT, (20.0, 0.0, 10.0)), UNIFORM, correlation_km=3.0)
    latest, sharpest = chosen(found), chosen(found, "least-error")
    assert latest is found[-1] and sharpest is not None
    assert sharpest.best.total_error_km == min(one.best.total_error_km for one in found)


def test_beyond_an_end_picks_bound_no_distance_and_no_ellipse_is_stated() -> None:
    beside, beyond = (
        chosen(updates(STRAIGHT, arrivals_s(STRAIGHT, place), UNIFORM, correlation_km=4.0, within_s=3.8))
        for place in ((20.0, 0.0, 10.0), (5.0, 75.0, 10.0))
    )
    assert beside is not None and bounds(beside)
    assert beyond is not None and not bounds(beyond)


def test_times_along_a_fibre_are_those_of_the_table() -> None:
    table = TravelTimes.layered([0, 5, 20], [5.0, 6.0, 7.0], [2.9, 3.5, 4.0], max_distance_km=100)
    depth, distance = np.array([0.3, 12.4, 80.0]), np.linspace(0, 120, 30)[None].repeat(3, 0)
    asked = [torch.from_numpy(value) for value in (depth[:, None].repeat(30, 1), distance, np.zeros((3, 30)))]
    expected = table.times_s(torch.zeros(3, 30, dtype=torch.long), *asked)
    for ours, value in zip(p_times_s(table, depth, distance), expected, strict=True):
        assert np.allclose(ours, value.reshape(3, 30).numpy(), atol=1e-10)


def test_curvature_is_large_beyond_an_end_and_falls_with_the_distance_from_the_middle() -> None:
    def of(place_km: tuple[float, float, float]) -> float:
        time_s = arrivals_s(STRAIGHT, place_km)
        soon = time_s < time_s.min() + 2
        return curvature_s_m2(STRAIGHT.along_km[soon], time_s[soon])

    assert of((0.0, 90.0, 10.0)) > 1e-8 > of((0.0, 0.0, 10.0)) > of((50.0, 0.0, 10.0)) > of((150.0, 0.0, 10.0)) > 0


def test_nothing_after_a_sample_has_a_say_in_its_ratio_and_dead_channels_stay_silent() -> None:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((3, 1000))
    samples[1] = 0
    samples[0, 800:] *= 20
    settings = RunningRatio(sta_s=0.2, lta_s=2.0, on=10.0)
    early, whole = (ratios(part, 100.0, settings) for part in (samples[:, :900], samples))
    assert np.array_equal(early, whole[:, :900])
    onset_s = first_onsets_s(samples, 100.0, settings)
    assert onset_s[0] == pytest.approx(8.0, abs=0.1) and np.isnan(onset_s[1:]).all()


def test_an_earthquake_beside_a_simulated_fibre_is_found_from_its_strain() -> None:
    parameters = FibreParameters(n_channels=500, length_km=60, magnitude=(4.5, 4.5), depth_km=(10, 10), delay_s=0.02)
    record, columns, arrival_s = simulated_event(parameters, UNIFORM, 0, (25.0, 12.0))
    place = columns["source_latitude_deg"], columns["source_longitude_deg"]
    event = located(record, "one", UNIFORM, FibreSettings(), place)
    picked = np.isfinite(event.onset_s)
    assert picked.mean() > 0.9 and np.median(np.abs(event.onset_s - arrival_s)[picked]) < 0.1
    table = table_of([event])
    assert (table["error_nearer_side_km"] < 12).all()
    raw, thinned_row = (table[table["channels"] == way].iloc[0] for way in ("raw", "thinned"))
    assert "no ellipse" in raw["reason"] and np.isnan(raw["ellipse95_major_km"])
    assert "no ellipse" not in thinned_row["reason"] and thinned_row["held95"]
    assert thinned_row["ellipse95_major_km"] > thinned_row["ellipse68_major_km"] > 0
    assert all("1 of 1 events located" in line for line in summary(table))


def test_plain_files_become_sets_of_one_station_a_channel_and_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    values = {"data": np.arange(50, dtype=np.float32).reshape(5, 10), "distance_m": 10.0 * np.arange(5)}
    values |= {"sampling_rate_hz": np.array(100.0)}
    np.savez(tmp_path / "plain.npz", start_time=np.array("2024-01-01T00:00:00"), **values)
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        for name, value in (values | {"start_time": "2024-01-01T00:00:00Z"}).items():
            file[name] = value
    places = pd.DataFrame({"distance_m": [10, 30], "latitude_deg": [1.0, 3.0], "longitude_deg": [179.99, -179.99]})
    places.to_csv(tmp_path / "channels.csv", index=False)
    places = Places.read(tmp_path / "channels.csv")
    kept, second = (
        next(iter(read_fibre(tmp_path / name, Choice(most=10, places=places)))) for name in ("plain.npz", "plain.h5")
    )
    assert np.array_equal(kept.samples, second.samples) and kept.start_ns == second.start_ns
    assert np.array_equal(kept.samples, values["data"][1:4]) and kept.n_recorded == 5
    assert kept.along_m.tolist() == [10, 20, 30] and kept.latitude_deg.tolist() == [1, 2, 3]
    assert abs(kept.longitude_deg[1]) == pytest.approx(180)
    assert len(next(iter(read_fibre(tmp_path / "plain.h5", Choice(20.0, 10, places)))).along_m) == 2
    with WaveformSetWriter(tmp_path / "set", card={}, component_order=COMPONENT) as writer:
        writer.add_event(channel_rows(kept, "one"), kept.samples[:, None])
    again = read_record(WaveformSet(tmp_path / "set"), "one")
    assert np.array_equal(again.samples, kept.samples) and again.start_ns == kept.start_ns


def test_files_of_no_kind_are_refused_with_what_to_do(tmp_path) -> None:  # type: ignore[no-untyped-def]
    np.savez(tmp_path / "other.npz", data=np.zeros((2, 2)))
    with pytest.raises(DataError, match="lacks distance_m"):
        next(iter(read_fibre(tmp_path / "other.npz")))
    with pytest.raises(DataError, match="there is no"):
        next(iter(read_fibre(tmp_path / "missing.h5")))


def test_recordings_of_strangers_are_read_only_where_their_files_hold_them(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.full((3, 8), 42.5, np.float32)
    for kind in ("link", "outside", "holes", "large"):
        with h5py.File(tmp_path / f"{kind}.h5", "w") as file:
            file["distance_m"], file["sampling_rate_hz"] = np.arange(3.0), 100.0
            file["start_time"] = "2024-01-01T00:00:00"
            if kind == "link":
                file["data"] = h5py.ExternalLink(str(secret), "data")
            elif kind == "outside":
                file.create_dataset("data", (3, 8), "f4", external=[(str(secret), 0, 96)])
            elif kind == "holes":
                file.create_dataset("data", (3, 8), "f4", chunks=(1, 8))[0] = 1.0
            else:
                file.create_dataset("data", (3, 10**10), "f4", chunks=(1, 10**6))
        with pytest.raises(DataError, match=f"{kind}.h5 cannot be read as a recording of a fibre"):
            next(iter(read_fibre(tmp_path / f"{kind}.h5")))
    (tmp_path / "bad.npz").write_bytes(b"PK" + bytes(50))
    with pytest.raises(DataError, match=r"bad.npz cannot be read"):
        next(iter(read_fibre(tmp_path / "bad.npz")))


def test_recordings_of_one_name_are_told_apart_by_their_folders() -> None:
    assert event_names([Path("a/x.npz"), Path("b/y.npz")]) == ["x", "y"]
    assert event_names([Path("a/x.npz"), Path("b/x.npz")]) == ["a/x", "b/x"]
    with pytest.raises(ConfigurationError, match="named twice"):
        event_names([Path("a/x.npz"), Path("a/x.npz")])
