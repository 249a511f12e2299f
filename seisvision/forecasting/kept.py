"""What references say of the windows of training, validation, fit and test: computed once, and kept beside the data.

The networks of a sweep and the processes of a run share it. References that networks are anchored to are fitted twice:
without the days of the validation for what is said in training and validation, so that the validation is as new to
them as the test will be, and to the whole fit for what is said of the test.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.catalogues.counting import Windows
from seisvision.files import keep_if_possible, whole_file
from seisvision.forecasting.references import references
from seisvision.forecasting.references.etas import Etas
from seisvision.forecasting.results import described_etas
from seisvision.forecasting.samples.samples import without
from seisvision.forecasting.task import ForecastTask
from seisvision.seeding import DEFAULT_SEED, numpy_stream
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

VERSION = 1
"""Of the references; a change of what they say makes kept ones useless."""
ALWAYS = ("poisson", "etas")
"""References that are told in training and validation too, for networks to rest on."""
FIT_WINDOWS = 400
"""Of the fit, for thresholds of alarms: more change them little."""
DAMAGED = (OSError, ValueError, KeyError)


@dataclass(frozen=True)
class Said:
    """Rates by part and name of a reference, each (W, C), and what is known of the fit.

    Args:
        rates: ``train``, ``val``, ``fit`` and ``test``, then by name.
        drawn: numbers (R,) of events of the whole test that ETAS draws; empty without simulations.
        about: plain values on ETAS.
    """

    rates: dict[str, dict[str, np.ndarray]]
    drawn: np.ndarray
    about: dict[str, Any]


def fit_windows(task: ForecastTask) -> Windows:
    """Windows of the fit that thresholds are chosen on, evenly taken."""
    n = len(task.fit_windows)
    chosen = np.zeros(n, dtype=bool)
    chosen[np.linspace(0, n - 1, min(n, FIT_WINDOWS)).round().astype(int)] = True
    return task.fit_windows.select(chosen)


def say(
    task: ForecastTask,
    parts: Mapping[str, Windows],
    held_out: tuple[float, float],
    names: Sequence[str],
    background: str = "smoothed",
    simulations: int = 0,
    folder: Path | None = None,
) -> Said:
    """Rates of references, from ``folder`` where they are kept, else computed and kept there.

    Args:
        task: what is to be forecast.
        parts: windows of ``train`` and ``val``.
        held_out: days of the validation and of the gaps about it, which are not learnt from for those two.
        names: references that are judged on the test; those of :data:`ALWAYS` are told of everything.
        background: of ETAS.
        simulations: catalogues drawn for numbers of ETAS.
        folder: where rates are kept; ``None`` keeps nothing.
    """
    path = None if folder is None else folder / f"{_key(task, parts, held_out, names, background, simulations)}.npz"
    if path is not None and path.is_file():
        try:
            return _read(path)
        except DAMAGED as error:
            log.warning("%s is damaged (%s) and is made anew", path, error)
    said = _computed(task, parts, held_out, names, background, simulations)
    if path is not None:
        keep_if_possible(lambda place: _write(place, said), path)
    return said


def _key(task: ForecastTask, parts: Mapping[str, Windows], *rest: Any) -> str:
    digest = hashlib.sha256(repr((VERSION, rest, task.magnitude, task.fit, task.test)).encode())
    digest.update(task.catalogue.fingerprint().encode())
    grid = task.grid
    digest.update(repr((grid.step, grid.in_km, grid.south, grid.west, grid.n_rows, grid.n_columns)).encode())
    levels = task.completeness
    for array in (grid.number, grid.region.x_km, grid.region.y_km, levels.since, levels.level, np.array(levels.base)):
        digest.update(np.ascontiguousarray(array, "<f8").tobytes())
    for windows in (*parts.values(), task.fit_windows, task.test_windows):
        digest.update(np.ascontiguousarray(windows.issue_days, "<f8").tobytes())
        digest.update(repr((windows.lead_days, windows.length_days)).encode())
    return digest.hexdigest()[:20]


def _computed(
    task: ForecastTask,
    parts: Mapping[str, Windows],
    held_out: tuple[float, float],
    names: Sequence[str],
    background: str,
    simulations: int,
) -> Said:
    rates: dict[str, dict[str, np.ndarray]] = {part: {} for part in (*parts, "fit", "test")}
    drawn, about = np.empty(0), {}
    early = _without_validation(task, held_out)
    for reference in references(background):
        if reference.name in ALWAYS:
            reference.fit(early)
            if isinstance(reference, Etas):
                reference.tell_from(task)
            for part, windows in parts.items():
                rates[part][reference.name] = reference.rates(windows)
    for reference in references(background):
        if reference.name not in (*names, *ALWAYS):
            continue
        reference.fit(task)
        rates["fit"][reference.name] = reference.rates(fit_windows(task))
        rates["test"][reference.name] = reference.rates(task.test_windows)
        log.info("%s is fitted", reference.name)
        if isinstance(reference, Etas):
            about = described_etas(reference.result)
            if simulations > 0:
                numbers = reference.numbers(
                    task.test_windows, numpy_stream(DEFAULT_SEED, "forecast numbers"), simulations
                )
                drawn = numbers.sum(axis=0)
    return Said(rates, drawn, about)


def _without_validation(task: ForecastTask, held_out: tuple[float, float]) -> ForecastTask:
    """The task of learning from what is not held out; a fold in the middle is a gap, the end of the fit its new end."""
    begin, end = task.fit
    if held_out[1] >= end - 1e-9:
        fit = (begin, held_out[0])
    elif held_out[0] <= begin + 1e-9:
        fit = (held_out[1], end)
    else:
        return replace(task, catalogue=without(task.catalogue, [held_out]))
    return replace(task, fit=fit)


def _write(path: Path, said: Said) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"{part}__{name}": one for part, by_name in said.rates.items() for name, one in by_name.items()}
    about = np.frombuffer(json.dumps(said.about).encode(), dtype=np.uint8)
    with whole_file(path) as partial:
        np.savez(partial, **arrays, drawn=said.drawn, about=about)  # type: ignore[arg-type]


def _read(path: Path) -> Said:
    stored = read_arrays(path)
    drawn, about = stored.pop("drawn"), json.loads(stored.pop("about").tobytes())
    rates: dict[str, dict[str, np.ndarray]] = {}
    for key, one in stored.items():
        part, _, name = key.partition("__")
        rates.setdefault(part, {})[name] = one
    return Said(rates, drawn, about)
