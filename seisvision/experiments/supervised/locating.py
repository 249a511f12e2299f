"""From predicted distances to epicentres: of every event, beside what picks of P and S give."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.units import TRACE
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.evaluation.location import LocationSummary, ellipse_radius, summarise_locations
from seisvision.location import catalogue
from seisvision.location.checks import LARGEST_SHARE
from seisvision.location.figures import error_figure, location_map
from seisvision.location.locate import Locations
from seisvision.location.quakeml import write_quakeml
from seisvision.outputs.predictions import Predictions
from seisvision.picking.s_minus_p import DistanceCurve, fit_distance_curve, pick_distances

log = logging.getLogger(__name__)

SIGMA_LEVEL = 0.68
ELLIPSE_LEVEL = 0.95
FEWEST_EVENTS = 40
"""With fewer events to calibrate on, the tail of the ellipses cannot be seen."""
PICKED_AT_ONCE = 256
WILD = 4.0
MAPS = {"best": 0.0, "median": 0.5, "worst": 1.0}
"""Events that are drawn, by the rank of their error."""


def locate_events(
    folder: Path,
    settings: Mapping[str, Any],
    waveform_set: WaveformSet,
    said: Predictions,
    calibration: Predictions | None,
    level: float = 0.95,
) -> tuple[LocationSummary, Locations]:
    """Locate the events of ``said`` and write ``observations.csv``, ``locations.csv``, ``locations.xml`` and figures.

    Args:
        folder: where to write; the observations can be located again with ``seisvision locate``.
        settings: ``mode`` and ``level`` of the configuration group ``location``.
        waveform_set: gives stations and, where it knows them, true epicentres.
        said: distances of single traces, in km.
        calibration: predictions with true values of other events, from which the sigmas take their size, see
            :func:`sigma_factor`; ``None`` leaves the scale to each event's residuals.
        level: confidence level of the intervals of the summary.
    """
    factor = None if calibration is None else sigma_factor(waveform_set, calibration, settings["mode"])
    share = 0.0 if calibration is None else common_share(calibration)
    frame = observation_frame(waveform_set, said, factor, share)
    catalogue.write_table(frame, folder / "observations.csv")
    observations = catalogue.observation_table(frame)
    locations = catalogue.locate_table(observations, settings["mode"])
    catalogue.write_table(catalogue.locations_table(observations, locations), folder / "locations.csv")
    write_quakeml(folder / "locations.xml", observations, locations, settings["mode"], settings["level"])
    places = _true_places(waveform_set, observations)
    summary = summarise_locations(locations, *places, level=level)
    _draw(folder, observations, locations, summary, places)
    return summary, locations


def sigma_factor(waveform_set: WaveformSet, calibration: Predictions, mode: catalogue.Mode = "robust") -> float:
    """What to multiply stated sigmas with, so that intervals and ellipses hold what they say.

    First the factor that makes 68 % of the errors of single distances smaller than sigma. Errors of one event's
    distances are not independent; what all have in common is told by :func:`common_share`, but neighbours may share
    more. Where true epicentres are known, the events are located, and the factor grows once by the radius, in 95 %
    ellipses, that holds 95 % of them. It never shrinks. The sigmas written are then those that locate, wider than
    single distances may need. ``paper`` uses no sigmas.

    Args:
        waveform_set: gives stations and true epicentres.
        calibration: distances of single traces with true values, of events that are not judged afterwards.
        mode: how events are located.
    """
    value, spread = _value_and_spread(calibration)
    factor = float(np.nanquantile(np.abs(value - calibration.target) / spread, SIGMA_LEVEL))
    observations = catalogue.observation_table(
        observation_frame(waveform_set, calibration, factor, common_share(calibration))
    )
    locations = catalogue.locate_table(observations, mode)
    radius = ellipse_radius(locations, *_true_places(waveform_set, observations))
    known = np.sort(radius[np.isfinite(radius)])
    if mode == "paper" or len(known) < FEWEST_EVENTS:
        return factor
    # The order statistic that holds the level for a new event, whatever the distribution of radii.
    rank = min(math.ceil(ELLIPSE_LEVEL * (len(known) + 1)), len(known))
    return factor * max(1.0, float(known[rank - 1]))


def common_share(calibration: Predictions) -> float:
    """Share of the error variance that all distances of an event have in common, from 0 to `LARGEST_SHARE`.

    The intraclass correlation of the standardised errors, by analysis of variance (Fisher 1925, Statistical Methods for
    Research Workers, chapter 7). Errors are cut at four times their 68 % quantile, so that a few wild ones do not hide
    it. With fewer than `FEWEST_EVENTS` events it is 0.

    Args:
        calibration: distances of single traces with true values.
    """
    value, spread = _value_and_spread(calibration)
    error = (value - calibration.target) / spread
    known = np.isfinite(error)
    error, event = error[known], np.unique(np.asarray(calibration.source_ids)[known], return_inverse=True)[1]
    count = np.bincount(event)
    if len(count) < FEWEST_EVENTS or len(error) <= len(count):
        return 0.0
    limit = WILD * np.quantile(np.abs(error), SIGMA_LEVEL)
    error = np.clip(error, -limit, limit)
    mean = np.bincount(event, error) / count
    within = np.square(error - mean[event]).sum() / (len(error) - len(count))
    between = (count * np.square(mean - error.mean())).sum() / (len(count) - 1)
    size = (len(error) - np.square(count).sum() / len(error)) / (len(count) - 1)
    common = max(0.0, (between - within) / size)
    return float(min(common / max(common + within, 1e-12), LARGEST_SHARE))


def observation_frame(
    waveform_set: WaveformSet, said: Predictions, factor: float | None = None, share: float = 0.0
) -> pd.DataFrame:
    """Columns of ``observations.csv``, one row a trace.

    Args:
        waveform_set: gives the stations.
        said: distances of single traces.
        factor: sigma is what was stated of each distance, else the distance itself, times this; ``None``: no sigmas.
        share: of the error variance, which the distances of an event have in common.

    Raises:
        ConfigurationError: the predictions are not of single traces, or not in km.
        DataError: the traces are of another set.
    """
    if said.ids.kind is not TRACE or said.about.get("unit") != "km":
        raise ConfigurationError(
            f"location.output='{said.about['name']}' must hold distances of single traces in km; choose task=offset."
        )
    rows = said.ids.table(waveform_set.table)
    codes = [rows[name].fillna("").astype(str) for name in ("station_network_code", "station_code") if name in rows]
    value, spread = _value_and_spread(said)
    frame = pd.DataFrame(
        {
            "event_id": said.source_ids,
            "station_id": [".".join(parts) for parts in zip(*codes, strict=True)] if codes else said.sample_ids,
            "station_latitude_deg": _numbers(rows, "station_latitude_deg"),
            "station_longitude_deg": _numbers(rows, "station_longitude_deg"),
            "offset_km": value,
        }
    )
    if factor is not None:
        frame["offset_sigma_km"] = factor * spread
    if share > 0:
        frame["common_share"] = share
    if "source_origin_time" in rows:
        frame["source_origin_time"] = rows["source_origin_time"].to_numpy()
    return frame


def classical_predictions(samples: EventSamples | TraceSamples, said: Predictions, curve: DistanceCurve) -> Predictions:
    """Distances from automatic picks of P and S on the traces of ``said``; NaN where no S is found.

    Args:
        samples: the traces, with three components.
        said: predictions whose targets and description are taken over.
        curve: which distance belongs to S minus P, see :func:`training_curve`.
    """
    found = dict(zip(samples.sample_ids, curve(_picked_km(samples)), strict=True))
    decoded = np.full(said.decoded.shape, np.nan)
    decoded[:, 0] = [found[sample_id] for sample_id in said.sample_ids]
    return type(said).from_decoded(said.about, said.ids, said.target, decoded)


def training_curve(samples: EventSamples | TraceSamples, offset_km: np.ndarray) -> DistanceCurve:
    """The distance that belongs to S minus P, as training traces tell.

    Args:
        samples: training traces, with three components.
        offset_km: (N,) their true distances; NaN where not known.
    """
    return fit_distance_curve(_picked_km(samples), offset_km, samples.source_ids)


def _picked_km(samples: EventSamples | TraceSamples) -> np.ndarray:
    """Distances (N,) of the travel time table from automatic picks."""
    found: dict[str, float] = {}
    for batch in DataLoader(samples, batch_size=PICKED_AT_ONCE, collate_fn=collate_events):
        found |= dict(zip(batch[keys.TRACE_ID], pick_distances(batch).distance_km, strict=True))
    return np.array([found[sample_id] for sample_id in samples.sample_ids])


def locate_parts(
    folder: Path,
    settings: Mapping[str, Any],
    level: float,
    data: EventDataModule,
    predictions: Mapping[str, Mapping[str, Predictions]],
) -> dict[str, Any]:
    """Locate the test events (else the validation events) of a run, by network and by picks; plain values for JSON.

    Sigmas are calibrated on the validation events.

    Args:
        folder: of the run.
        settings: the group ``location``.
        level: confidence level of intervals.
        data: the parts.
        predictions: by part and output.
    """
    part = "test" if "test" in predictions else "val"
    output = settings["output"]
    if output not in predictions[part]:
        raise ConfigurationError(f"location.output='{output}' is none of the outputs: {', '.join(predictions[part])}")
    calibration = predictions["val"][output] if "val" in predictions and part != "val" else None
    said = predictions[part][output]
    log.info("locating %d events from %d predicted distances", len(set(said.source_ids)), len(said.sample_ids))
    summary, _ = locate_events(folder, settings, data.waveform_set, said, calibration, level)
    measured = {"part": part, "network": summary.to_dict()}
    if settings["classical"]:
        training = data.variant(["train"], components=keys.COMPONENTS)
        curve = training_curve(training, np.asarray(training.targets[said.about["target"]], float))
        picked = {
            name: classical_predictions(
                data.variant([name], components=keys.COMPONENTS), predictions[name][output], curve
            )
            for name in (part, "val")
            if name in predictions
        }
        classical = folder / "classical"
        calibration = picked["val"] if calibration is not None else None
        summary, _ = locate_events(classical, settings, data.waveform_set, picked[part], calibration, level)
        measures = {name: measure.to_dict() for name, measure in picked[part].measures(level).items()}
        measured |= {"s_minus_p": summary.to_dict(), "s_minus_p_offsets": measures, "s_minus_p_curve": curve.used}
    return measured


def _true_places(waveform_set: WaveformSet, observations: catalogue.ObservationTable) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes (B,) of the events as the set knows them, NaN where it does not."""
    true = waveform_set.event_table().reindex(observations.event_id)
    return _numbers(true, "source_latitude_deg"), _numbers(true, "source_longitude_deg")


def _draw(
    folder: Path,
    observations: catalogue.ObservationTable,
    locations: Locations,
    summary: LocationSummary,
    places: tuple[np.ndarray, np.ndarray],
) -> None:
    """Error against stations and gap, and maps of the best, the median and the worst event."""
    known = np.flatnonzero(np.isfinite(summary.error_km))
    if not len(known):
        return
    figures = folder / "figures"
    n_stations, gap_deg = locations.n_stations.numpy(), locations.gap_deg.numpy()
    error_figure(figures / "location_error.png", summary.error_km, n_stations, gap_deg)
    latitude, longitude, offset_km = (
        observations.array(name) for name in ("station_latitude_deg", "station_longitude_deg", "offset_km")
    )
    assert latitude is not None and longitude is not None and offset_km is not None
    ranked = known[np.argsort(summary.error_km[known])]
    for name, rank in MAPS.items():
        event = int(ranked[round(rank * (len(ranked) - 1))])
        one = slice(event, event + 1)
        location_map(
            figures / f"location_map_{name}.png",
            latitude[one],
            longitude[one],
            locations.take(event),
            true_latitude_deg=places[0][one],
            true_longitude_deg=places[1][one],
            offset_km=offset_km[one],
            event=0,
        )


def _value_and_spread(said: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Predicted distances (N,) and what their sigmas are proportional to (N,)."""
    value, sigma = said.decoded[:, 0], said.decoded[:, 1]
    return value, np.where(np.isnan(sigma), np.maximum(value, 1e-3), sigma)


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    if column not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
