"""Trained networks, and triggers with a locator, asked about the same recordings while these come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from seisvision import keys
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.network import WHERE_PLACES_COME_FROM
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.earth.constants import TRAVEL_TIME_MODELS
from seisvision.earth.projection import Projection
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.warning.censored import CensoredLocator, triggers_s
from seisvision.evaluation.warning.said import Estimator, NoiseAlone, Said, Truth
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.derive import stored_network
from seisvision.experiments.waveforms.noise_hours import noise_batches
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.outputs.places.output import PlaceBase
from seisvision.records.checkpoint import find_checkpoint
from seisvision.views.waveforms.station_matrix import first_arrival_s

ALERT = 0.5
"""Probability of an earthquake from which on a network that detects gives an alert."""
NOISE = ("noise", "other")
"""Classes of a detection that are no earthquake."""
CLASS_COLUMN = "source_type"
PLACE_COLUMNS = ("source_latitude_deg", "source_longitude_deg")
SAME_START_S = 0.001
VERTICAL = "Z"


@dataclass(frozen=True)
class NetworkEstimator:
    """A trained network that is shown what has come in."""

    name: str
    task: Any
    batches: Callable[[], Iterable[dict[str, Any]]]
    """Gives the recordings, the same in the same order each time."""

    @torch.no_grad()
    def said(self, seen_s: np.ndarray) -> Said:
        """Places, magnitudes and alerts of all recordings; nothing of those that have not begun."""
        self.task.eval()
        outputs = {one.name: one for one in self.task.outputs}
        place = next(one for one in self.task.outputs if isinstance(one, PlaceBase))
        decoded: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
        begin = 0
        for batch in self.batches():
            n = len(batch[keys.SOURCE_ID])
            batch = dict(batch)
            batch[keys.SEEN_S] = torch.as_tensor(seen_s[begin : begin + n], dtype=torch.float32)
            begin += n
            batch = self.task.transfer_batch_to_device(batch, next(self.task.parameters()).device, 0)
            for name, raw in self.task(batch).items():
                decoded[name].append(outputs[name].decode(raw).double().cpu().numpy())
        said = self._of(place, {name: np.concatenate(values) for name, values in decoded.items()})
        for values in vars(said).values():
            values[seen_s <= 0] = np.nan
        return said

    def _of(self, place: PlaceBase, decoded: dict[str, np.ndarray]) -> Said:
        east, north, depth, sigma_east, sigma_north, _, correlation = decoded[place.name][:, :7].T
        latitude, longitude = Projection(*place.describe()["origin_deg"]).to_degrees(east, north)
        across = correlation * sigma_east * sigma_north
        covariance = np.stack([np.stack([sigma_east**2, across], 1), np.stack([across, sigma_north**2], 1)], 1)
        unknown = np.full(len(latitude), np.nan)
        magnitude, sigma = unknown, unknown.copy()
        if "magnitude" in decoded:
            magnitude, sigma = decoded["magnitude"][:, 0].copy(), decoded["magnitude"][:, 1].copy()
        alert = unknown.copy()
        if "detection" in decoded:
            names = next(one for one in self.task.outputs if one.name == "detection").describe()["class_names"]
            quake = [number for number, name in enumerate(names) if name not in NOISE]
            alert = (decoded["detection"][:, quake].sum(1) >= ALERT).astype(float)
        return Said(latitude, longitude, depth.copy(), covariance, magnitude, sigma, alert)


@dataclass(frozen=True)
class Recordings:
    """What is asked about, who is asked, and what was true."""

    estimators: list[Estimator]
    truth: Truth
    start_ns: np.ndarray
    """(N,) of the first sample, since 1970 (UTC)."""
    noise: NoiseAlone | None = None


def recordings(
    runs: Sequence[Path],
    part: str,
    velocity: str | None = None,
    data_dir: Path | None = None,
    noise_hours: float | None = None,
) -> Recordings:
    """The networks of runs, and triggers with a locator, about the recordings of a part of the same events.

    Where some runs left records of noise out, all are asked about those of the run that kept them. With ``noise_hours``
    so much noise is simulated beside.

    Raises:
        ConfigurationError: a run does not locate or draws what comes later, runs were dealt other events, stations
            or windows, or velocities or columns of the set are missing.
    """
    opened = [TrainedNetwork.open(find_checkpoint(run), _with_data_dir(data_dir)) for run in runs]
    for run, trained in zip(runs, opened, strict=True):
        check_asked_early(run, trained)
    served = [build_data(one.config, one.task.view, one) for one in opened]
    widest = max(range(len(runs)), key=lambda number: len(served[number].parts[part].source_ids))
    data = served[widest]
    estimators: list[Estimator] = []
    for run, trained, own in zip(runs, opened, served, strict=True):
        _check_same_recordings(own, data, part, (run, runs[widest]))
        ids = list(data.parts[part].source_ids)
        asked = own
        if list(own.parts[part].source_ids) != ids:
            # The recordings of the widest, in the components that this one sees.
            asked = build_data(opened[widest].config, trained.task.view, trained)
            _check_same_cut(trained, opened[widest], (run, runs[widest]))
        if list(asked.parts[part].source_ids) != ids:
            raise ConfigurationError(
                f"{run} cannot be asked about all {part} events of {runs[widest]}, of which its view draws some only; "
                "ask about them in commands of their own."
            )
        estimators.append(NetworkEstimator(name_of(run, runs), trained.task, partial(asked.loader, part)))
    labels: Mapping[str, Any] | None = opened[widest].config.dataset.labels.get(CLASS_COLUMN)
    truth, locator, start_ns = _asked_about(data, part, velocity, labels)
    noise = None
    if noise_hours is not None:
        names = [name_of(run, runs) for run in runs]
        noise = _noise_alone(names, opened, data, truth.length_s, noise_hours, locator)
    return Recordings([*estimators, locator], truth, start_ns, noise)


def _noise_alone(
    names: Sequence[str],
    opened: Sequence[TrainedNetwork],
    data: EventDataModule,
    length_s: float,
    hours: float,
    locator: CensoredLocator,
) -> NoiseAlone:
    """The same networks and the locator about hours of simulated noise."""
    network, rate_hz, card = data.network, float(data.parts["train"].sampling_rate_hz), data.waveform_set.card
    assert network is not None

    @cache
    def batches(components: str) -> list[dict[str, Any]]:
        return noise_batches(card, network, rate_hz, length_s, hours, components)

    estimators: list[Estimator] = [
        NetworkEstimator(name, one.task, partial(batches, one.task.view.components))
        for name, one in zip(names, opened, strict=True)
    ]
    recorded = batches(keys.COMPONENTS)
    there = np.concatenate([batch[keys.STATION_MASK].numpy() for batch in recorded])
    vertical = np.concatenate([batch[keys.WAVEFORM][:, :, 0].numpy() for batch in recorded]).astype(float)
    latitude_deg, longitude_deg = (
        np.where(there, np.array(one), np.nan) for one in (network.latitude_deg, network.longitude_deg)
    )
    onset_s = triggers_s(list(vertical), rate_hz)
    estimators.append(replace(locator, latitude_deg=latitude_deg, longitude_deg=longitude_deg, onset_s=onset_s))
    return NoiseAlone(estimators, len(there), length_s)


def _check_same_cut(own: TrainedNetwork, widest: TrainedNetwork, runs: tuple[Path, Path]) -> None:
    """Refuse to show a network recordings that were prepared otherwise than those it has learnt from."""
    for name in ("source", "samples", "corrections", "derive"):
        said = [getattr(one.config.dataset, name) for one in (own, widest)]
        if said[0] != said[1]:
            raise ConfigurationError(
                f"{runs[0]} and {runs[1]} keep other recordings, and dataset.{name} of both differs, so that one "
                "cannot be asked about those of the other; give runs of one preparation, or ask apart."
            )


def _check_same_recordings(own: EventDataModule, widest: EventDataModule, part: str, runs: tuple[Path, Path]) -> None:
    """Refuse to ask a run about recordings that are none of its own, or that it has learnt from."""
    ids, all_ids = (list(one.parts[part].source_ids) for one in (own, widest))
    if foreign := sorted(set(ids) - set(all_ids)):
        raise ConfigurationError(
            f"{runs[0]} was dealt other {part} events than {runs[1]}, such as '{foreign[0]}'; they cannot be compared."
        )
    learnt = {str(one) for other in set(own.parts) - {part} for one in own.parts[other].source_ids}
    if known := sorted(set(all_ids) & learnt):
        raise ConfigurationError(
            f"{runs[0]} has learnt from {len(known)} {part} events of {runs[1]}, such as '{known[0]}'; give runs "
            "of one split."
        )
    names = [one.network.names if one.network is not None else () for one in (own, widest)]
    if names[0] != names[1]:
        raise ConfigurationError(
            f"{runs[0]} knows {len(names[0])} stations, {runs[1]} {len(names[1])}, or others; ask about them in "
            "commands of their own."
        )
    row = {name: number for number, name in enumerate(all_ids)}
    begin_ns, length_s = windows_of(widest, part)
    check_same_windows((begin_ns[[row[name] for name in ids]], length_s), windows_of(own, part), (runs[1], runs[0]))


def check_asked_early(run: Path, trained: TrainedNetwork) -> None:
    """Refuse networks that do not locate, draw what comes later, or do not know where their stations stand.

    Raises:
        ConfigurationError: names the run and what is needed.
    """
    if not any(isinstance(one, PlaceBase) for one in trained.task.outputs):
        raise ConfigurationError(f"{run} does not locate events; give runs of task=place, place_volume or the like.")
    if not trained.task.view.sees_truncation:
        raise ConfigurationError(
            f"{run} draws by {type(trained.task.view).__name__}, which shows what comes later, too, so that early "
            "answers would know the end; give runs of view=station_matrix or view=station_triggers."
        )
    network = stored_network(trained).get("network")
    if network is not None and not network.has_places:
        raise ConfigurationError(
            f"{run} was trained on stations without coordinates, which the locator beside it has to know. "
            f"{WHERE_PLACES_COME_FROM} Then train again. Without places such a run is asked about whole recordings by "
            "evaluate.py."
        )


def windows_of(data: EventDataModule, part: str) -> tuple[np.ndarray, float]:
    """First samples (N,) of the windows of a part in ns since 1970 (UTC), and their length in seconds.

    They begin where the samples were cut, which is not where the recordings begin.

    Raises:
        DataError: the set does not tell when recordings begin.
    """
    samples = data.parts[part]
    assert isinstance(samples, EventSamples)
    _check_columns(data.waveform_set.path, data.waveform_set.table, ["trace_start_time"])
    table = data.waveform_set.table
    times = pd.to_datetime(table["trace_start_time"], utc=True, format="ISO8601").dt.as_unit("ns")
    earliest = times.groupby(table["source_id"].astype(str)).min().reindex(list(samples.source_ids))
    if earliest.isna().any():
        raise DataError(
            f"{data.waveform_set.path} has no trace_start_time of {int(earliest.isna().sum())} {part} events, such as "
            f"'{earliest.index[int(earliest.isna().argmax())]}': nobody can say when they came in. Give their times."
        )
    begin_ns = earliest.to_numpy("datetime64[ns]").astype(np.int64)
    return begin_ns + np.round(samples.start_after_first_trace_s * 1e9).astype(np.int64), samples.window.length_s


def check_same_windows(one: tuple[np.ndarray, float], other: tuple[np.ndarray, float], runs: tuple[Path, Path]) -> None:
    """Refuse runs whose windows of the same events are not the same: seconds would mean other times.

    Raises:
        ConfigurationError: they begin more than a millisecond apart, or differ in length.
    """
    apart_s = float(np.abs(one[0] - other[0]).max(initial=0)) / 1e9
    if apart_s > SAME_START_S or one[1] != other[1]:
        raise ConfigurationError(
            f"{runs[1]} was trained on other windows than {runs[0]}: {other[1]:g} s, not {one[1]:g} s, begun up to "
            f"{apart_s:.3f} s apart; they cannot be compared. Ask about them in commands of their own."
        )


def _check_columns(path: Path, table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}, without which nobody can say how right an early answer was. "
            "Import it with a table of events, and recordings with their times."
        )


def _with_data_dir(data_dir: Path | None) -> Any:
    if data_dir is None:
        return None
    return lambda stored: stored | {"system": stored["system"] | {"data_dir": str(data_dir)}}


def name_of(run: Path, runs: Sequence[Path]) -> str:
    """The name of an experiment, and its run where several share it."""
    alike = [other for other in runs if other.resolve().parent.name == run.resolve().parent.name]
    return run.resolve().parent.name if len(alike) == 1 else f"{run.resolve().parent.name}/{run.resolve().name}"


def _asked_about(
    data: EventDataModule, part: str, velocity: str | None, labels: Mapping[str, Any] | None
) -> tuple[Truth, CensoredLocator, np.ndarray]:
    latitude, longitude, samples, first_p, ids = [], [], [], [], []
    rate_hz = length_s = 0.0
    if data.network is None:
        raise ConfigurationError(
            "the samples do not tell where stations stand, which the locator has to know; give runs that were trained "
            "with dataset.samples.network={stations: training}."
        )
    components = data.parts[part].components
    if VERTICAL not in components:
        raise ConfigurationError(
            f"the samples have components {components}, but triggers are of the vertical one; give runs of a view "
            "whose components include Z."
        )
    _check_columns(data.waveform_set.path, data.waveform_set.event_table(), PLACE_COLUMNS)
    plane = Projection(*data.network.origin_deg)
    for batch in data.loader(part):
        rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
        length_s = batch[keys.WAVEFORM].shape[3] / rate_hz
        ids += [str(one) for one in batch[keys.SOURCE_ID]]
        for number in range(len(batch[keys.SOURCE_ID])):
            there = batch[keys.STATION_MASK][number].numpy()
            samples.append(batch[keys.WAVEFORM][number, :, components.index(VERTICAL)].numpy()[there].astype(float))
            place = batch[keys.STATION_KM][number].numpy()[there]
            degrees = plane.to_degrees(place[:, 0], place[:, 1])
            latitude.append(degrees[0])
            longitude.append(degrees[1])
        first_s = first_arrival_s(batch)
        first_p += torch.where(first_s.isfinite(), first_s, torch.nan).double().tolist()
    events = data.waveform_set.event_table().loc[ids]
    columns = [events[name].to_numpy(float) for name in PLACE_COLUMNS]
    unknown = np.full(len(ids), np.nan)
    magnitude = events["source_magnitude"].to_numpy(float) if "source_magnitude" in events else unknown
    truth = Truth(ids, columns[0], columns[1], magnitude, np.array(first_p), length_s, is_noise(events, labels))
    start_ns = dict(zip(data.parts[part].source_ids, windows_of(data, part)[0].tolist(), strict=True))
    starts = np.array([start_ns[name] for name in ids], dtype=np.int64)
    onset_s = triggers_s(samples, rate_hz)
    table, limits_km = travel_times(data.waveform_set.card, velocity)
    return (
        truth,
        CensoredLocator(_padded(latitude), _padded(longitude), onset_s, table, depth_limits_km=limits_km),
        starts,
    )


def is_noise(events: pd.DataFrame, labels: Mapping[str, Any] | None) -> np.ndarray:
    """Bool (N,): events whose ``source_type``, or its class by ``dataset.labels.source_type``, is no earthquake."""
    if CLASS_COLUMN not in events:
        return np.zeros(len(events), bool)
    values = {str(value) for name in NOISE for value in (labels or {}).get(name) or ()}
    return events[CLASS_COLUMN].astype(str).isin({*NOISE, *values}).to_numpy()


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    whole = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for number, row in enumerate(rows):
        whole[number, : len(row)] = row
    return whole


def travel_times(card: dict[str, Any], velocity: str | None) -> tuple[TravelTimes, tuple[float, float]]:
    """Travel times and limits of the depth: those of a simulation from the card of its set, else what is given.

    Raises:
        ConfigurationError: neither is there, or the words are no velocities.
    """
    parameters = card.get("parameters") or {}
    if velocity is None:
        if not {"layer_top_km", "vp_km_s", "vp_vs"} <= set(parameters):
            raise ConfigurationError(
                "the set does not tell the velocities of its crust; give --velocity 6.0,3.5 or a model such as ak135."
            )
        vp = np.asarray(parameters["vp_km_s"], float)
        vs = vp / float(np.mean(parameters["vp_vs"]))
        deepest = 2.0 * float(parameters["depth_km"][1])
        table = TravelTimes.layered(
            parameters["layer_top_km"], vp.tolist(), vs.tolist(), max_depth_km=max(40.0, deepest), max_distance_km=400.0
        )
        return table, (0.0, deepest)
    if velocity in TRAVEL_TIME_MODELS:
        return TravelTimes.taup(velocity), (0.0, 50.0)
    try:
        vp_km_s, vs_km_s = (float(text) for text in velocity.split(","))
    except ValueError as error:
        raise ConfigurationError(
            f"--velocity {velocity}: give two numbers such as 6.0,3.5, or one of {', '.join(TRAVEL_TIME_MODELS)}."
        ) from error
    return TravelTimes.constant(vp_km_s, vs_km_s), (0.0, 50.0)
