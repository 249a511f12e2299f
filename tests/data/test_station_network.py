"""Stations of a network: slots that stay, masks of those that are absent, local coordinates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seisvision import keys
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.network import StationNetwork
from seisvision.data.samples.usability import unusable_samples
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.memory import SamplesInMemory
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.synthesise import synthesise_local
from seisvision.earth.geodesics import geodesic
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.waveforms.data_checks import fits_in_memory
from seisvision.experiments.waveforms.derive import check_slots_elsewhere, network_settings
from seisvision.views.waveforms.station_matrix import StationMatrix
from seisvision.views.waveforms.station_triggers import StationTriggers

WINDOW = Window(length_s=20.0)


@pytest.fixture(scope="module")
def network_set(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    parameters = LocalSynthesisParameters(
        n_events=8,
        sampling_rate_hz=10.0,
        length_s=20.0,
        lead_s=(3.0, 5.0),
        n_stations=(4, 7),
        network_km=20.0,
        noise_share=0.3,
        repeat=0.0,
    )
    return WaveformSet(synthesise_local(parameters, tmp_path_factory.mktemp("network") / "set"))


def _network(waveform_set: WaveformSet, **settings: object) -> StationNetwork:
    return StationNetwork.of(waveform_set, waveform_set.source_ids, settings)


def test_every_station_keeps_its_slot_and_absent_ones_are_masked(network_set: WaveformSet) -> None:
    network = _network(network_set)
    assert network.names == tuple(f"SL.N{number:03d}" for number in range(7))
    samples = EventSamples(network_set, network_set.source_ids, window=WINDOW, components="ZNE", network=network)
    plain = EventSamples(network_set, network_set.source_ids, window=WINDOW, components="ZNE")
    for number, source_id in enumerate(network_set.source_ids):
        table = network_set.metadata.iloc[network_set.rows(source_id)]
        there = np.isin(network.names, "SL." + table["station_code"])
        sample, other = samples[number], plain[number]
        assert sample[keys.WAVEFORM].shape == (7, 3, 200)
        assert sample[keys.STATION_MASK].tolist() == there.tolist()
        assert not sample[keys.WAVEFORM][~there].any()
        assert sample[keys.ONSET_S][~there].isnan().all() and sample[keys.ARRIVALS_S][~there].isnan().all()
        for row, code in enumerate(table["station_code"]):
            slot = network.names.index(f"SL.{code}")
            assert (sample[keys.WAVEFORM][slot] == other[keys.WAVEFORM][row]).all()
    kept = collate_events([SamplesInMemory(samples)[number] for number in range(3)])
    direct = collate_events([samples[number] for number in range(3)])
    assert all((kept[key] == direct[key]).all() for key in (keys.WAVEFORM, keys.STATION_MASK, keys.STATION_KM))


def test_local_coordinates_are_kilometres_from_the_middle(network_set: WaveformSet) -> None:
    network = _network(network_set)
    latitude, longitude = network.origin_deg
    distance_km, azimuth_deg, _ = geodesic(latitude, longitude, network.latitude_deg, network.longitude_deg)
    east_km, north_km, up_km = network.place_km.T
    assert np.hypot(east_km, north_km) == pytest.approx(distance_km, rel=0.006, abs=0.01)
    assert np.degrees(np.arctan2(east_km, north_km)) % 360 == pytest.approx(azimuth_deg, abs=0.4)
    assert not up_km.any() and abs(east_km.mean()) < 0.1


def test_a_list_names_the_order_and_stations_beside_it_are_left_out(network_set: WaveformSet) -> None:
    network = _network(network_set, stations=["SL.N005", "SL.N001"])
    samples = EventSamples(network_set, network_set.source_ids, window=WINDOW, network=network)
    whole = EventSamples(network_set, network_set.source_ids, window=WINDOW, network=_network(network_set))
    assert (samples[0][keys.WAVEFORM] == whole[0][keys.WAVEFORM][[5, 1]]).all()
    reasons = unusable_samples(network_set, samples={"window": WINDOW, "network": network}, min_stations=2)
    few = {
        name for number, name in enumerate(network_set.source_ids) if int(samples[number][keys.STATION_MASK].sum()) < 2
    }
    assert set(reasons) == few and set(reasons.values()) <= {"fewer than 2 stations of the network"}


def test_stations_without_slots_keep_their_places(network_set: WaveformSet) -> None:
    network = _network(network_set, fixed=False)
    sample = EventSamples(network_set, network_set.source_ids, window=WINDOW, network=network)[0]
    codes = "SL." + network_set.metadata.iloc[network_set.rows(network_set.source_ids[0])]["station_code"]
    wanted = network.place_km[[network.names.index(code) for code in codes]]
    assert np.allclose(sample[keys.STATION_KM], wanted, atol=1e-4)


def test_noise_has_no_place_and_a_made_up_onset(network_set: WaveformSet) -> None:
    table = network_set.metadata
    noise = table[table["source_type"] == "noise"]
    assert 0 < noise["source_id"].nunique() < 8
    assert noise[["source_latitude_deg", "source_magnitude", "trace_p_arrival_sample"]].isna().all(axis=None)
    assert noise["trace_onset_s"].notna().all() and noise["source_origin_time"].notna().all()
    peak = {
        kind: np.median([np.abs(network_set.read_rows(np.array([row]), "Z")[0][0]).max() for row in rows.index])
        for kind, rows in table.reset_index(drop=True).groupby("source_type")
    }
    assert peak["earthquake"] > 3 * peak["noise"]


def test_what_a_checkpoint_says_is_checked(network_set: WaveformSet) -> None:
    network = _network(network_set)
    assert StationNetwork.from_plain(network.plain()) == network
    for damage in ({"names": ["a", "a"]}, {"latitude_deg": [100.0] * 7}, {"fixed": "yes"}, {"names": ["a"]}):
        with pytest.raises((ValueError, TypeError)):
            StationNetwork.from_plain(network.plain() | damage)


def test_what_is_not_there_is_refused(network_set: WaveformSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no station 'SL\.N999'"):
        _network(network_set, stations=["SL.N999"])
    with pytest.raises(ConfigurationError, match="each once"):
        _network(network_set, stations=["SL.N001", "SL.N001"])
    with pytest.raises(ConfigurationError, match="is not allowed"):
        _network(network_set, stations="all")
    with pytest.raises(ConfigurationError, match="leaves stations out"):
        EventSamples(network_set, network_set.source_ids, window=WINDOW, network=_network(network_set), max_stations=3)


@pytest.mark.parametrize(
    ("model", "view", "settings", "allowed"),
    [
        ("FCNLocator", StationMatrix(256, 7), None, False),
        ("EarlyWarningFCN", StationMatrix(256, 7), {"fixed": False}, False),
        ("StationTransformer", StationMatrix(256, 7, flat=True), None, False),
        ("PreSEIS", StationTriggers(7), {"stations": "training", "fixed": False}, False),
        ("StationTransformer", StationMatrix(256, 7, coordinates=True), {"fixed": False}, True),
        ("FCNLocator", StationMatrix(256, 7), {"fixed": True}, True),
        ("FCNLocator", StationMatrix(256, 9), {"fixed": True}, False),
    ],
    ids=list("abcdefg"),
)
def test_networks_that_learn_which_station_is_which_need_slots(
    network_set: WaveformSet, model: str, view: Any, settings: Any, allowed: bool
) -> None:
    dataset = SimpleNamespace(section=lambda _: {"network": settings})
    config: Any = SimpleNamespace(
        dataset=dataset, split=SimpleNamespace(refit=False),
        view={"_target_": f"seisvision.views.{type(view).__name__}"},
        model={"_target_": f"seisvision.models.{model}"},
    )  # fmt: skip
    split = Split({"train": tuple(network_set.source_ids)}, "event")
    if allowed:
        assert len(network_settings(config, view, network_set, split, None)["network"]) == 7
    else:
        with pytest.raises(ConfigurationError, match="stations"):
            network_settings(config, view, network_set, split, None)


@pytest.mark.parametrize(
    ("model", "view", "fixed", "allowed"),
    [
        ("FCNLocator", StationMatrix(256, 7), None, False),
        ("FCNLocator", StationMatrix(256, 7), False, False),
        ("FCNLocator", StationMatrix(256, 7), True, True),
        ("Kriegerowski", StationMatrix(256, 7, flat=True), None, False),
        ("StationTransformer", StationMatrix(256, 7, coordinates=True), None, True),
    ],
    ids=list("abcde"),
)
def test_trained_networks_without_slots_are_not_asked_about_another_set(
    network_set: WaveformSet, model: str, view: Any, fixed: bool | None, allowed: bool
) -> None:
    content = {} if fixed is None else {"network": _network(network_set, fixed=fixed).plain()}
    trained: Any = SimpleNamespace(path="runs/old/best.ckpt", content=content, task=SimpleNamespace(view=view))
    config: Any = SimpleNamespace(
        view={"_target_": "seisvision.views.StationMatrix"}, model={"_target_": f"seisvision.models.{model}"}
    )
    if allowed:
        check_slots_elsewhere(config, trained)
    else:
        with pytest.raises(ConfigurationError, match=r"runs/old/best\.ckpt .* nobody knows which row.*stations"):
            check_slots_elsewhere(config, trained)


def test_slots_are_counted_in_memory_and_stations_once(network_set: WaveformSet) -> None:
    network = _network(network_set)
    n_events, n_traces = len(network_set.source_ids), len(network_set.metadata)
    settings: dict[str, Any] = {"samples": {"sampling_rate_hz": 10.0, "components": "ZNE", "window": WINDOW}}
    bytes_of = 4 * 3 * 200
    system: Any = SimpleNamespace(memory_gb=bytes_of * (n_traces + n_events * 7) / 2 / 1e9)
    assert n_traces < n_events * 7 and fits_in_memory(system, network_set, settings)
    settings["samples"]["network"] = network
    assert not fits_in_memory(system, network_set, settings)

    name = network_set.source_ids[0]
    codes = network_set.metadata["station_code"].to_numpy(dtype=object, copy=True)
    codes[network_set.rows(name)] = "N000"
    doubled = network_set.with_columns({"station_code": codes})
    reasons = unusable_samples(doubled, [name], samples={"window": WINDOW, "network": network}, min_stations=2)
    assert reasons == {name: "fewer than 2 stations of the network"}


@pytest.fixture(scope="module")
def without_places(network_set: WaveformSet) -> WaveformSet:
    """The same set, of which no station has coordinates, and no distances follow from them."""
    nowhere = np.full(len(network_set.metadata), np.nan)
    lost = ("station_latitude_deg", "station_longitude_deg", "station_elevation_m", "path_ep_distance_km")
    return network_set.with_columns(dict.fromkeys((*lost, "path_azimuth_deg", "path_back_azimuth_deg"), nowhere))


def test_a_network_without_places_counts_from_the_training_events(
    network_set: WaveformSet, without_places: WaveformSet, caplog: pytest.LogCaptureFixture
) -> None:
    training = network_set.source_ids[:6]
    network = StationNetwork.of(without_places, training, {})
    assert "none of 7 stations" in caplog.text and "middle of the training events" in caplog.text
    known = network_set.event_table().loc[training].dropna(subset=["source_latitude_deg"])
    assert 0 < len(known) < 6
    assert network.origin_deg == pytest.approx(
        (known["source_latitude_deg"].mean(), known["source_longitude_deg"].mean()), abs=1e-3
    )
    assert not network.has_places and np.isnan(network.latitude_deg).all() and not any(network.elevation_m)
    assert network.names == StationNetwork.of(network_set, training, {}).names
    samples, whole = (
        EventSamples(one, training, window=WINDOW, components="ZNE", network=_network(one))
        for one in (without_places, network_set)
    )
    assert (samples[0][keys.WAVEFORM] == whole[0][keys.WAVEFORM]).all()
    assert keys.STATION_KM not in samples[0] and keys.STATION_KM not in collate_events([samples[0], samples[1]])


def test_a_checkpoint_without_places_is_read_strictly(network_set: WaveformSet, without_places: WaveformSet) -> None:
    network, placed = _network(without_places), _network(network_set)
    assert "middle_deg" not in placed.plain()
    again = StationNetwork.from_plain(network.plain())
    assert again.origin_deg == network.origin_deg and again.names == network.names and not again.has_places
    for damage in (
        {"middle_deg": [91.0, 0.0]}, {"middle_deg": [np.nan, 0.0]}, {"middle_deg": [1.0]}, {"middle_deg": None},
        {"middle_deg": ["1", "2"]}, {"fixed": False}, {"latitude_deg": [1.0] * 7}, {"elevation_m": [1.0] * 7},
        {"more": 1},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"its middle|beside places|other entries"):
            StationNetwork.from_plain(network.plain() | damage)
    with pytest.raises(ValueError, match="not on Earth"):
        StationNetwork.from_plain({key: one for key, one in network.plain().items() if key != "middle_deg"})
    with pytest.raises(ValueError, match="beside places"):
        StationNetwork.from_plain(placed.plain() | {"middle_deg": [1.0, 2.0]})


def test_places_that_are_needed_are_refused(network_set: WaveformSet, without_places: WaveformSet) -> None:
    with pytest.raises(DataError, match=r"have no coordinates.*--stations.*fcn_locator"):
        _network(without_places, fixed=False)
    with pytest.raises(DataError, match=r"6 others.*have no coordinates.*fixed=false"):
        EventSamples(
            without_places, without_places.source_ids, window=WINDOW, network=_network(network_set, fixed=False)
        )
    nowhere = np.full(len(network_set.metadata), np.nan)
    with pytest.raises(DataError, match="no training event either"):
        _network(without_places.with_columns({"source_latitude_deg": nowhere}))


def test_stations_without_a_place_are_left_out_and_told(
    network_set: WaveformSet, caplog: pytest.LogCaptureFixture
) -> None:
    table = network_set.metadata
    latitude = table["station_latitude_deg"].to_numpy(float, copy=True)
    latitude[table["station_code"] == "N003"] = np.nan
    first = table["source_id"].iloc[0]
    latitude[table["source_id"] == first] = np.nan
    half = network_set.with_columns({"station_latitude_deg": latitude})
    for fixed in (True, False):
        caplog.clear()
        network = _network(half, fixed=fixed)
        assert len(network) == len(_network(network_set)) - 1 and "SL.N003" not in network.names
        assert "1 of 7 stations" in caplog.text and "SL.N003" in caplog.text
    with pytest.raises(DataError, match=r"'SL\.N003' and 0 others.*No station at all"):
        _network(half, stations=["SL.N001", "SL.N003"])
    caplog.clear()
    reasons = unusable_samples(half, samples={"window": WINDOW, "network": network}, min_stations=2)
    assert reasons == {first: "fewer than 2 stations with coordinates"}
    kept = [name for name in half.source_ids if name != first]
    samples = EventSamples(half, kept, window=WINDOW, network=network, max_stations=3)
    assert "traces are left out" in caplog.text and "N003" in caplog.text
    for number in range(len(samples)):
        assert np.isfinite(samples[number][keys.STATION_KM].numpy()).all()
        assert "N003" not in set(half.metadata["station_code"].iloc[samples.rows(number)])


@pytest.mark.parametrize(
    ("model", "view", "allowed"),
    [
        ("FCNLocator", StationMatrix(256, 7), True),
        ("Kriegerowski", StationMatrix(256, 7, flat=True), True),
        ("PreSEIS", StationTriggers(7), True),
        ("EarlyWarningFCN", StationMatrix(256, 7, tells_scale=True), True),
        ("FCNLocator", StationMatrix(256, 7, coordinates=True), False),
        ("StationTransformer", StationMatrix(256, 7, coordinates=True), False),
    ],
    ids=list("abcdef"),
)
def test_views_of_places_are_refused_where_there_are_none(
    without_places: WaveformSet, model: str, view: Any, allowed: bool
) -> None:
    dataset = SimpleNamespace(section=lambda _: {"network": {"fixed": True}})
    config: Any = SimpleNamespace(
        dataset=dataset, split=SimpleNamespace(refit=False),
        view={"_target_": f"seisvision.views.{type(view).__name__}"},
        model={"_target_": f"seisvision.models.{model}"},
    )  # fmt: skip
    split = Split({"train": tuple(without_places.source_ids)}, "event")
    if allowed:
        assert not network_settings(config, view, without_places, split, None)["network"].has_places
    else:
        wanted = r"where stations stand.*view\.coordinates=false.*fcn_locator, kriegerowski.*--traces"
        with pytest.raises(ConfigurationError, match=wanted):
            network_settings(config, view, without_places, split, None)
