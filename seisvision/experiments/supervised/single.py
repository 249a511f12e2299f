"""From what single stations say to epicentres, depths and origin times: of every trace by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.data.samples.event_index import times_s
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples, build_trace_index, sample_targets
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError
from seisvision.evaluation.conformal import conformal_threshold
from seisvision.experiments.supervised.locating import PICKED_AT_ONCE, classical_predictions, training_curve
from seisvision.experiments.supervised.single_measures import error_measures, single_measures
from seisvision.location.catalogue import write_table
from seisvision.location.single import LEVELS, Calibrated, SingleLocations, StationView, locate_single
from seisvision.location.single_figures import single_map
from seisvision.location.single_quakeml import write_single_quakeml
from seisvision.outputs.angles.predictions import BACK_AZIMUTH_TARGET, AnglePredictions
from seisvision.outputs.predictions import Predictions
from seisvision.picking.polarisation import polarise

SINGLE = "single"
"""``location.mode`` of what is done here."""
POLARISATION = "polarisation"
"""``location.back_azimuth`` of directions from the polarisation of P, in place of those of the network."""
MAPS = {"best": 0.0, "median": 0.5, "worst": 0.9}
"""Traces that are drawn, by the rank of their error."""
Said = Mapping[str, Any]
"""Predictions by output: numbers and angles."""


@dataclass(frozen=True)
class Recorded:
    """Samples with three components: what rules pick on, and polarise."""

    said: EventSamples | TraceSamples
    """Those that are located."""
    calibration: EventSamples | TraceSamples | None
    """Those that size the regions."""
    training: EventSamples | TraceSamples
    """Those that tell the distance of S minus P."""


class SingleLocator:
    """Places events from the outputs of a network, with regions that other events have sized.

    Args:
        settings: the group ``location``.
        calibration: predictions by output of events that are not located.
        seed: of the draws.

    Raises:
        ConfigurationError: an output is missing, or of another kind.
    """

    def __init__(self, settings: Mapping[str, Any], calibration: Said, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.names = {use: settings[use] for use in ("output", "back_azimuth", "p_travel")}
        _check_outputs(self.names, calibration)
        distance, azimuth = calibration[self.names["output"]], calibration[self.names["back_azimuth"]]
        self.events = distance.source_ids
        self.unit_distance = conformal_threshold(distance.nonconformity(), self.events, LEVELS[0])
        self.unit_azimuth = conformal_threshold(azimuth.nonconformity(), self.events, LEVELS[0])
        if not math.isfinite(self.unit_distance + self.unit_azimuth):
            raise ConfigurationError(
                f"location=single sizes its regions on validation events, and {len(set(self.events))} with true "
                "distances and directions are too few. Use more data, or location=none."
            )
        self.calibrated = self._calibrated(calibration)
        self.unit_travel = math.inf
        if self.names["p_travel"]:
            travel = calibration[self.names["p_travel"]]
            self.unit_travel = conformal_threshold(travel.nonconformity(), self.events, LEVELS[0])

    def radius(self, said: Said) -> np.ndarray:
        """Joint errors (N,) of distance and direction in their units; NaN where a true value is not known."""
        distance, azimuth = said[self.names["output"]], said[self.names["back_azimuth"]]
        return np.hypot(distance.nonconformity() / self.unit_distance, azimuth.nonconformity() / self.unit_azimuth)

    def view(self, said: Said, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> StationView:
        """What the stations at these places (N,) say."""
        distance, azimuth = said[self.names["output"]], said[self.names["back_azimuth"]]
        centre, unit = distance.scale.forward(distance.value), distance.conformal_unit() * self.unit_distance
        travel, travel_unit = np.full((2, len(centre)), np.nan)
        if self.names["p_travel"] and math.isfinite(self.unit_travel):
            one = said[self.names["p_travel"]]
            travel, travel_unit = one.value, one.conformal(self.unit_travel).size
        return StationView(
            latitude_deg,
            longitude_deg,
            lambda steps: distance.scale.inverse(centre[:, None] + steps * unit[:, None]),
            azimuth.value,
            azimuth.conformal_unit() * self.unit_azimuth,
            travel,
            travel_unit,
        )

    def locate(self, view: StationView) -> SingleLocations:
        """Where the events are."""
        times = travel_times(self.settings)
        return locate_single(view, self.calibrated, times, float(self.settings["max_depth_km"]), self.seed)

    def _calibrated(self, calibration: Said) -> Calibrated:
        radii = self.radius(calibration)
        known = np.flatnonzero(np.isfinite(radii))
        event, count = np.unique(np.asarray(self.events)[known], return_inverse=True, return_counts=True)[1:]
        weights = 1 / count[event] / len(count)
        order = np.argsort(radii[known], kind="stable")
        ends = [conformal_threshold(radii, self.events, level) for level in LEVELS]
        return Calibrated(radii[known][order], weights[order], *ends)


def locate_from_single(
    folder: Path,
    settings: Mapping[str, Any],
    waveform_set: WaveformSet,
    said: Said,
    calibration: Said | None,
    part: str,
    level: float,
    seed: int,
    recorded: Recorded | None = None,
) -> dict[str, Any]:
    """Locate events from each of their stations; write ``single_locations.csv`` and ``.xml`` and maps.

    Args:
        folder: where to write.
        settings: the group ``location``.
        waveform_set: gives stations and, where it knows them, true places and times.
        said: predictions by output of single traces.
        calibration: of other events, with true values: they size the regions.
        part: what the samples are called.
        level: of the intervals of measures.
        seed: of the draws.
        recorded: the traces with three components, where rules are asked too; None: they are not.

    Raises:
        ConfigurationError: nothing sizes the regions, or an output is missing.
    """
    if calibration is None:
        raise ConfigurationError(
            "location=single sizes its regions on validation events of the network's own set, and there are none here. "
            "Ask about its test part, or, of another set, with an uncertainty method (uncertainty=mc_dropout)."
        )
    if settings["back_azimuth"] == POLARISATION and recorded is not None and recorded.calibration is not None:
        said = {**said, POLARISATION: _polarised(recorded.said, said[settings["output"]])}
        calibration = {**calibration, POLARISATION: _polarised(recorded.calibration, calibration[settings["output"]])}
    locator = SingleLocator(settings, calibration, seed)
    distance = said[locator.names["output"]]
    rows = distance.ids.table(waveform_set.table)
    places = [
        pd.to_numeric(rows[f"station_{name}_deg"], errors="coerce").to_numpy(float)
        for name in ("latitude", "longitude")
    ]
    view = locator.view(said, places[0], places[1])
    found = locator.locate(view)
    truth = _truth(waveform_set, distance)
    errors = _errors(found, truth)
    radius = locator.radius(said)
    p_s = _p_times(waveform_set, distance)
    table = _table(distance, rows, found, errors, p_s, view, radius, locator.calibrated)
    write_table(table, folder / "single_locations.csv")
    write_single_quakeml(folder / "single_locations.xml", table, found, float(settings["level"]))
    _draw(folder, view, found, locator.calibrated, errors["error_km"], truth)
    located: dict[str, Any] = {
        "part": part,
        "network": {"measures": single_measures(distance.source_ids, table, errors, radius, locator.calibrated, level)},
    }
    if recorded is not None and settings["classical"]:
        physics = _physics(recorded, said, locator, places, truth)
        located["physics"] = {"measures": error_measures(distance.source_ids, physics, level)}
        both = np.where(np.isfinite(physics), errors["error_km"], np.nan)
        located["network_where_physics_answers"] = {"measures": error_measures(distance.source_ids, both, level)}
    return located


def travel_times(settings: Mapping[str, Any]) -> TravelTimes:
    """The table of travel times that the group ``location`` names."""
    max_depth_km = float(settings["max_depth_km"]) + 1.0
    if settings["model"] != "layers":
        return TravelTimes.taup(settings["model"], max_depth_km=max_depth_km)
    vp = np.asarray(settings["vp_km_s"], float)
    vs = vp / float(settings["vp_vs"])
    return TravelTimes.layered(settings["layer_top_km"], vp.tolist(), vs.tolist(), max_depth_km=max_depth_km)


def _check_outputs(names: Mapping[str, str | None], said: Said) -> None:
    for use, name in names.items():
        if use == "p_travel" and name is None:
            continue
        unit = {"output": "km", "back_azimuth": "deg", "p_travel": "s"}[use]
        if name not in said or getattr(said[str(name)], "unit", None) != unit:
            raise ConfigurationError(
                f"location.{use}={name} must be an output in {unit} of single traces; there are "
                f"{', '.join(said)}. Choose task=single_station, or name the outputs."
            )


def _truth(waveform_set: WaveformSet, said: Predictions) -> dict[str, np.ndarray]:
    """Places, depths and origin times (N,) as the set knows them, NaN where it does not."""
    events = waveform_set.event_table().reindex(list(said.source_ids))
    names = {"latitude": "source_latitude_deg", "longitude": "source_longitude_deg", "depth": "source_depth_km"}
    truth = {
        name: pd.to_numeric(events[column], errors="coerce").to_numpy(float)
        if column in events
        else np.full(len(events), np.nan)
        for name, column in names.items()
    }
    return truth | {"origin_s": times_s(events, "source_origin_time")}


def _p_times(waveform_set: WaveformSet, said: Predictions) -> np.ndarray:
    """P (N,) in seconds since 1970: as it was picked, for a network does not place it."""
    index = build_trace_index(waveform_set, said.ids.ids)
    start_s = times_s(said.ids.table(waveform_set.table), "trace_start_time")
    return start_s + np.where(np.isfinite(index.arrivals_s[:, 0]), index.arrivals_s[:, 0], index.onset_s)


def _errors(found: SingleLocations, truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    known = np.isfinite(found.latitude_deg + truth["latitude"] + truth["longitude"])
    there = np.where(known, truth["latitude"], 0.0), np.where(known, truth["longitude"], 0.0)
    here = np.where(known, found.latitude_deg, 0.0), np.where(known, found.longitude_deg, 0.0)
    error_km = np.where(known, geodesic(*here, *there)[0], np.nan)
    return {"error_km": error_km, "depth_error_km": found.depth_km - truth["depth"], "true_depth_km": truth["depth"],
            "true_origin_s": truth["origin_s"]}  # fmt: skip


def _table(
    said: Predictions,
    rows: pd.DataFrame,
    found: SingleLocations,
    errors: Mapping[str, np.ndarray],
    p_s: np.ndarray,
    view: StationView,
    radius: np.ndarray,
    calibrated: Calibrated,
) -> pd.DataFrame:
    """One row a trace: place, depth, origin time with their intervals, and what is true."""
    codes = [rows[name].fillna("").astype(str) for name in ("station_network_code", "station_code") if name in rows]
    origin_s = p_s - view.p_travel_s
    (low, high) = found.depth_ends_km[:, LEVELS.index(0.95)].T
    return pd.DataFrame(
        {
            "event_id": said.source_ids,
            "trace": said.sample_ids,
            "station_id": [".".join(parts) for parts in zip(*codes, strict=True)] if codes else said.sample_ids,
            "latitude_deg": found.latitude_deg,
            "longitude_deg": found.longitude_deg,
            "area68_km2": found.area_km2[0.68],
            "area95_km2": found.area_km2[0.95],
            "inside68": np.where(np.isfinite(radius), radius <= calibrated.radius68, np.nan),
            "inside95": np.where(np.isfinite(radius), radius <= calibrated.radius95, np.nan),
            "depth_km": found.depth_km,
            "depth_low95_km": low,
            "depth_high95_km": high,
            "origin_time": [_time_text(one) for one in origin_s],
            "origin_sigma_s": view.p_travel_unit_s,
            "error_km": errors["error_km"],
            "depth_error_km": errors["depth_error_km"],
            "origin_error_s": origin_s - errors["true_origin_s"],
        }
    )


def _time_text(seconds: float) -> str:
    return "" if not math.isfinite(seconds) else str(np.datetime64(round(seconds * 1000), "ms")) + "Z"


def _physics(
    recorded: Recorded,
    said: Said,
    locator: SingleLocator,
    places: list[np.ndarray],
    truth: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Errors (N,) in km of epicentres from the polarisation of P and the distance of S minus P; NaN without both."""
    distance = said[locator.names["output"]]
    training = recorded.training
    curve = training_curve(training, np.asarray(training.targets[distance.about["target"]], float))
    offset_km = classical_predictions(recorded.said, distance, curve).decoded[:, 0]
    azimuth_deg = _polarised(recorded.said, distance).value
    latitude, longitude = destination(places[0], places[1], azimuth_deg, offset_km / KM_PER_DEG)
    known = np.isfinite(latitude + truth["latitude"] + truth["longitude"])
    ends = [np.where(known, values, 0.0) for values in (latitude, longitude, truth["latitude"], truth["longitude"])]
    return np.where(known, geodesic(*ends)[0], np.nan)


def _polarised(samples: EventSamples | TraceSamples, said: Predictions) -> AnglePredictions:
    """Back azimuths of the traces of ``said`` from the polarisation of P, with no sigma: nothing is learnt."""
    azimuths: dict[str, float] = {}
    for batch in DataLoader(samples, batch_size=PICKED_AT_ONCE, collate_fn=collate_events):
        azimuths |= dict(zip(batch[keys.TRACE_ID], polarise(batch).back_azimuth_deg, strict=True))
    value = np.array([azimuths[one] for one in said.sample_ids])
    about = {
        "name": POLARISATION,
        "kind": "angle",
        "period_deg": 360.0,
        "tolerance_deg": 15.0,
        "target": BACK_AZIMUTH_TARGET,
    }
    true = sample_targets(samples.waveform_set, said.ids, {BACK_AZIMUTH_TARGET: None})[BACK_AZIMUTH_TARGET]
    decoded = np.stack([value, np.full(len(value), np.nan)], axis=1)
    return AnglePredictions.from_decoded(about | {"tolerance_deg": 15.0}, said.ids, true, decoded)


def _draw(
    folder: Path,
    view: StationView,
    found: SingleLocations,
    calibrated: Calibrated,
    error_km: np.ndarray,
    truth: Mapping[str, np.ndarray],
) -> None:
    """Maps of a good, a middling and a bad one."""
    known = np.flatnonzero(np.isfinite(error_km))
    ranked = known[np.argsort(error_km[known], kind="stable")]
    for name, rank in MAPS.items():
        if len(ranked):
            row = int(ranked[round(rank * (len(ranked) - 1))])
            true = truth["latitude"][row], truth["longitude"][row]
            single_map(folder / "figures" / f"single_map_{name}.png", view, found, calibrated, row, true)


def locate_single_parts(
    folder: Path,
    settings: Mapping[str, Any],
    level: float,
    data: EventDataModule,
    predictions: Mapping[str, Said],
    seed: int,
) -> dict[str, Any]:
    """Locate the test events of a run from each of their stations, by network and by picks; plain values for JSON."""
    part = "test" if "test" in predictions else "val"
    calibration = predictions["val"] if part == "test" and "val" in predictions else None
    recorded = None
    if settings["classical"] or settings["back_azimuth"] == POLARISATION:
        cut = {
            name: data.variant([name], components=keys.COMPONENTS) for name in {part, "train", "val"} & set(data.parts)
        }
        recorded = Recorded(cut[part], cut.get("val"), cut["train"])
    return locate_from_single(
        folder, settings, data.waveform_set, predictions[part], calibration, part, level, seed, recorded
    )
