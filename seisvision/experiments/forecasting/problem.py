"""From settings to what is to be forecast: catalogue, cells, windows of each part, and what is seen of them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness, estimate
from seisvision.catalogues.counting import Windows
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.region import Region
from seisvision.catalogues.times import span_of
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.experiments.forecasting.settings import EPOCH_LEAK, MAP_LEAK, DatasetSettings, ForecastSettings
from seisvision.forecasting.kept import Said, say
from seisvision.forecasting.samples.histories import Histories
from seisvision.forecasting.samples.indicators import EightIndicators, Indicators, SpanIndicators
from seisvision.forecasting.samples.maps import CountMaps
from seisvision.forecasting.samples.parts import Horizon, time_parts, usable
from seisvision.forecasting.samples.samples import Inputs, Samples, Scales
from seisvision.forecasting.task import ForecastTask
from seisvision.public import SOURCE
from seisvision.records.configuration import instantiate, model_takes

log = logging.getLogger(__name__)

INDICATORS = ("eight", "spans")
REFERENCES = ("poisson", "last_year", "smoothed", "omori_smoothed", "etas")


@dataclass(frozen=True)
class Problem:
    """Everything of a run but its network.

    Args:
        catalogue: as it was read.
        task: what is judged; its test windows are those of the test.
        parts: windows by part.
        inputs: what is seen.
        horizon: of a sample.
        said: rates of the references.
        samples: by part.
        scales: of the training.
        fingerprint: of the source.
    """

    catalogue: EventCatalogue
    task: ForecastTask
    parts: dict[str, Windows]
    inputs: Inputs
    horizon: Horizon
    said: Said
    samples: dict[str, Samples]
    scales: Scales
    fingerprint: str

    @property
    def split_hash(self) -> str:
        """Of the windows of all parts."""
        digest = hashlib.sha256()
        for part, windows in self.parts.items():
            digest.update(part.encode())
            digest.update(np.ascontiguousarray(windows.issue_days, "<f8").tobytes())
        return digest.hexdigest()[:10]


def build_problem(settings: ForecastSettings) -> Problem:
    """Read, split and describe the catalogue, and let the references speak.

    Raises:
        ConfigurationError, DataError: settings or the catalogue do not allow it; the message says what to change.
    """
    data, data_dir = settings.dataset, Path(settings.system.data_dir)
    source = instantiate(data.source, SOURCE)
    fingerprint = source.fingerprint(data_dir)
    catalogue, region = source.read(data_dir)
    task = _task(data, catalogue, region)
    histories = Histories(task.complete, task.grid)
    inputs = _inputs(settings, task, histories)
    step = data.samples.step_days or data.window_days
    horizon = Horizon(inputs.seen_days, data.lead_days, data.window_days, step, settings.split.gap_days)
    split = settings.split
    parts = time_parts(catalogue, task.fit, horizon, split.val_fraction, split.fold, split.n_folds)
    last = max(float(windows.issue_days[-1]) for windows in parts.values())
    apart = task.test_windows.issue_days >= last + horizon.apart_days - 1e-9
    task = task.judged_on(apart & usable(catalogue, task.test_windows, inputs.seen_days))
    held_out = _held_out(task, parts, horizon)
    names = REFERENCES if settings.with_references else ("poisson",)
    kept = data_dir / "forecasts"
    learnt = {part: parts[part] for part in ("train", "val")}
    settled = data.references
    said = say(task, learnt, held_out, names, settled.background, settled.simulations, kept)
    parts = {**parts, "test": task.test_windows}
    if split.leak == EPOCH_LEAK:
        # The validation is the test itself: what this is worth is to be seen.
        parts["val"] = task.test_windows
        said.rates["val"] = {name: said.rates["test"][name] for name in said.rates["val"]}
    rates = {part: dict(said.rates[part]) for part in parts}
    if split.leak == MAP_LEAK:
        leaked = leaked_map(task)
        for part, windows in parts.items():
            rates[part]["poisson"] = np.tile(leaked * windows.length_days, (len(windows), 1))
    scales = Scales.of(inputs, parts["train"], histories.observed)
    samples = {
        part: Samples(
            inputs, scales, windows, task.awaited, _logs(rates[part]), data.samples.unit, data.samples.patch,
            histories.observed,
        )
        for part, windows in parts.items()
    }  # fmt: skip
    return Problem(catalogue, task, parts, inputs, horizon, said, samples, scales, fingerprint)


def leaked_map(task: ForecastTask) -> np.ndarray:
    """Events a day (C,), counted from the begin of the fit to the end of the test, which no forecast could know."""
    events = task.awaited.between(task.fit[0], task.test[1])
    cell = task.grid.cell_of(events.latitude_deg, events.longitude_deg)
    counts = np.bincount(cell[cell >= 0], minlength=task.grid.n_cells)
    area = task.grid.area_km2()
    # One event spread evenly, as the honest map has some: no cell is impossible.
    return np.asarray((counts + area / area.sum()) / events.observed_days())


def _logs(rates: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logarithms of what networks may rest on, always in one order."""
    return {name: np.log(rates[name]) for name in ("poisson", "etas")}


def _held_out(task: ForecastTask, parts: dict[str, Windows], horizon: Horizon) -> tuple[float, float]:
    """Days that references of training and validation do not learn from: those of the validation and its gaps."""
    val, train = parts["val"].issue_days, parts["train"].issue_days
    before, after = train[train < val[0]], train[train > val[-1]]
    begin = float(before[-1] + horizon.ahead_days) if len(before) else task.fit[0]
    end = float(after[0]) if len(after) else task.fit[1]
    return begin, end


def _task(data: DatasetSettings, catalogue: EventCatalogue, region: Region | None) -> ForecastTask:
    fit, test = span_of(data.fit, "dataset.fit"), span_of(data.test, "dataset.test")
    if data.region is not None:
        region = Region.read(data.region)
    elif region is None:
        region = Region.around(catalogue.latitude_deg, catalogue.longitude_deg)
    complete = data.complete
    if complete is None:
        complete = estimate(catalogue.magnitude[catalogue.time_days < fit[1]]).value
        if np.isnan(complete):
            raise DataError(
                "too few events lie before the end of the fit to tell the completeness; set dataset.complete"
            )
        complete = round(float(complete), 2)
        log.info("complete from magnitude %g on, by maximum curvature", complete)
    completeness = Completeness(float(complete))
    if data.after_large:
        completeness = completeness.after_large(catalogue)
    if data.cell_deg is not None and data.cell_km is not None:
        raise ConfigurationError(
            "dataset.cell_deg and dataset.cell_km are two sizes of a cell; set one of them to null"
        )
    if data.cell_deg is not None:
        grid = Grid.of_degrees(region, data.cell_deg)
    else:
        grid = Grid.of_km(region, 10.0 if data.cell_km is None else data.cell_km)
    magnitude = float(complete if data.magnitude is None else data.magnitude)
    return ForecastTask(catalogue, grid, completeness, magnitude, fit, test, data.window_days, data.lead_days)


def _inputs(settings: ForecastSettings, task: ForecastTask, histories: Histories) -> Inputs:
    """Maps and indicators, as far as the network reads them."""
    asked, least = settings.dataset.samples, task.completeness.base
    target = settings.model.get("_target_")
    # A network that may look at maps does so where it is told how large they are.
    looks = model_takes(target, "n_planes", True) and settings.model.get("patch", 0) is not None
    maps = None
    if looks:
        maps = CountMaps(task.complete, task.grid, asked.maps.magnitudes, asked.maps.n_steps, asked.maps.step_days)
    seen = asked.indicators
    found: Indicators | None = None
    if model_takes(target, "n_indicators", True):
        if seen.kind not in INDICATORS:
            raise ConfigurationError(
                f"dataset.samples.indicators.kind={seen.kind} is not known. {did_you_mean(seen.kind, list(INDICATORS))}"
            )
        if seen.kind == "eight":
            found = EightIndicators(histories, least, seen.n_events, seen.memory_days, seen.characteristic)
        else:
            found = SpanIndicators(histories, least, tuple(seen.spans_days))
    return Inputs(task.complete, task.grid, maps, found, seen.n_steps, seen.step_days)
