"""Samples as tensors: a window of the whole region, or of a single cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from seisvision import keys
from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.errors import ConfigurationError
from seisvision.forecasting.samples.indicators import Indicators
from seisvision.forecasting.samples.maps import CountMaps

LOOKED_AT = 64
"""Training windows from which scales are taken, evenly chosen: more change them little."""
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class Inputs:
    """What is seen of the catalogue; either may be missing.

    Args:
        catalogue: complete events.
        grid: C cells.
        maps: of counts.
        indicators: of places.
        n_steps: L of the indicators, the last of which is at the issue.
        step_days: between them.
    """

    catalogue: EventCatalogue
    grid: Grid
    maps: CountMaps | None
    indicators: Indicators | None
    n_steps: int
    step_days: float

    @property
    def seen_days(self) -> float:
        """How far back anything looks."""
        of_maps = self.maps.reach_days if self.maps else 0.0
        of_indicators = (self.n_steps - 1) * self.step_days + self.indicators.reach_days if self.indicators else 0.0
        return max(of_maps, of_indicators)


@dataclass(frozen=True)
class Scales:
    """Means and spreads of the training part, by which everything seen is normalised.

    Args:
        map_scale: (P,) root mean square of each plane of maps, for nothing stays nothing.
        mean, spread: (n,) of the indicators.
    """

    map_scale: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, inputs: Inputs, windows: Windows, observed: Any) -> Scales:
        """Those of the training windows, and of nothing later."""
        chosen = np.linspace(0, len(windows) - 1, min(LOOKED_AT, len(windows))).round().astype(int)
        issue = windows.issue_days[chosen]
        map_scale, mean, spread = np.ones(0), np.zeros(0), np.ones(0)
        if inputs.maps is not None:
            squares = [(inputs.maps.at(issue[i : i + 1]).astype(float) ** 2).mean(axis=(0, 1, 3, 4))
                       for i in range(len(issue))]  # fmt: skip
            map_scale = np.maximum(np.sqrt(np.mean(squares, axis=0)), SMALLEST_SCALE)
        if inputs.indicators is not None:
            values = inputs.indicators.at(observed(issue)).astype(float).reshape(-1, len(inputs.indicators.names))
            known = np.isfinite(values)
            n = np.maximum(known.sum(axis=0), 1)
            mean = np.where(known, values, 0).sum(axis=0) / n
            spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / n)
            spread = np.maximum(spread, SMALLEST_SCALE)
        return cls(map_scale, mean, spread)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values."""
        return {name: getattr(self, name).tolist() for name in ("map_scale", "mean", "spread")}


class Samples(Dataset):
    """W windows of the whole region, or W C windows of single cells, cell after cell within each window.

    Args:
        inputs: what is seen.
        scales: of the training part.
        windows: W of them.
        awaited: events that are counted.
        log_rates: by name of a reference, (W, C) logarithms of what it expects.
        unit: ``region`` or ``cell``.
        patch: of samples that are cells, the side of the map about it, in cells; odd.
        observed: turns days into observed days.

    Raises:
        ConfigurationError: the unit is not known, or the patch is not odd.
    """

    def __init__(
        self,
        inputs: Inputs,
        scales: Scales,
        windows: Windows,
        awaited: EventCatalogue,
        log_rates: Mapping[str, np.ndarray],
        unit: str,
        patch: int,
        observed: Any,
    ) -> None:
        if unit not in ("region", "cell"):
            raise ConfigurationError(f"dataset.samples.unit={unit} is not known; give region or cell")
        if patch < 1 or patch % 2 == 0:
            raise ConfigurationError(f"dataset.samples.patch={patch} is not allowed; give an odd number of cells")
        self.inputs, self.scales, self.windows = inputs, scales, windows
        self.unit, self.patch, self._observed = unit, patch, observed
        self.counts = count_events(awaited, inputs.grid, windows).dense()
        self.log_rates = np.stack([log_rates[name] for name in log_rates], axis=1).astype(np.float32)
        self.rate_names = tuple(log_rates)
        row, column = inputs.grid.rows_and_columns()
        self._row, self._column = row, column
        self.places = row * inputs.grid.n_columns + column

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.windows) * (1 if self.unit == "region" else self.inputs.grid.n_cells)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One sample."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Several, of which those of one window are computed once."""
        n_cells = 1 if self.unit == "region" else self.inputs.grid.n_cells
        window, cell = np.divmod(np.asarray(numbers), n_cells)
        rows, own = np.unique(window, return_inverse=True)
        seen = self._seen(rows)
        return [self._sample(seen, int(at), int(row), int(place))
                for at, row, place in zip(own, window, cell, strict=True)]  # fmt: skip

    def _seen(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        issue, found = self.windows.issue_days[rows], {}
        if self.inputs.maps is not None:
            maps = self.inputs.maps.at(issue) / self.scales.map_scale[:, None, None]
            found[keys.MAPS] = torch.from_numpy(maps.astype(np.float32))
        if self.inputs.indicators is not None:
            back = self.inputs.step_days * np.arange(self.inputs.n_steps - 1, -1, -1)
            days = self._observed((issue[:, None] - back).ravel())
            values = (self.inputs.indicators.at(days) - self.scales.mean) / self.scales.spread
            # What is not known is the mean of the training.
            values = np.nan_to_num(np.clip(values, -8, 8), nan=0.0).astype(np.float32)
            by_step = torch.from_numpy(values).reshape(len(rows), self.inputs.n_steps, *values.shape[1:])
            found[keys.INDICATORS] = by_step.transpose(1, 2)
        return found

    def _sample(self, seen: Mapping[str, torch.Tensor], at: int, row: int, cell: int) -> dict[str, Any]:
        sample: dict[str, Any] = {}
        is_cell = self.unit == "cell"
        kept = slice(cell, cell + 1) if is_cell else slice(None)
        if keys.MAPS in seen:
            maps = seen[keys.MAPS][at]
            sample[keys.MAPS] = self._about(maps, cell) if is_cell else maps
        if keys.INDICATORS in seen:
            values = seen[keys.INDICATORS][at]
            sample[keys.INDICATORS], sample[keys.REGION_INDICATORS] = values[:-1][kept], values[-1]
        sample[keys.LOG_RATES] = torch.from_numpy(self.log_rates[row][:, kept].copy())
        sample[keys.EVENT_COUNTS] = torch.from_numpy(self.counts[row][kept].astype(np.float32))
        return sample

    def _about(self, maps: torch.Tensor, cell: int) -> torch.Tensor:
        """The map (L, P, k, k) about a cell, empty beyond the edges."""
        reach = self.patch // 2
        padded = torch.nn.functional.pad(maps, (reach,) * 4)
        row, column = int(self._row[cell]), int(self._column[cell])
        return padded[..., row : row + self.patch, column : column + self.patch].contiguous()


def shape_of(samples: Samples) -> dict[str, Any]:
    """What is told to a network of its inputs: numbers of planes, steps, indicators and cells, lattice and places."""
    inputs, is_cell = samples.inputs, samples.unit == "cell"
    lattice = (samples.patch, samples.patch) if is_cell else (inputs.grid.n_rows, inputs.grid.n_columns)
    middle = samples.patch**2 // 2
    n_steps = inputs.maps.n_steps if inputs.maps else inputs.n_steps
    return {
        "n_planes": inputs.maps.n_planes if inputs.maps else 0,
        "n_steps": n_steps,
        "n_indicators": len(inputs.indicators.names) if inputs.indicators else 0,
        "n_cells": 1 if is_cell else inputs.grid.n_cells,
        "lattice": lattice,
        "places": (middle,) if is_cell else tuple(int(place) for place in samples.places),
    }


def without(catalogue: EventCatalogue, spans: Sequence[tuple[float, float]]) -> EventCatalogue:
    """The catalogue with further gaps: what lies in them is not known to whoever learns from it."""
    gaps = Gaps([*catalogue.gaps.spans, *spans])
    return replace(catalogue.select(~gaps.contains(catalogue.time_days)), gaps=gaps)
