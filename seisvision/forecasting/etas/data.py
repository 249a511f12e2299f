"""Events, windows and region as the likelihood needs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness
from seisvision.catalogues.magnitudes import magnitude_step
from seisvision.catalogues.region import Region
from seisvision.errors import DataError
from seisvision.forecasting.etas.parameters import LOG10

FEWEST_TARGETS = 20


@dataclass(frozen=True)
class EtasData:
    """N events, of which M are explained, the targets: inside the region, in the fit window, above the completeness.

    All others are sources only: those before the window (its history) and those outside of the region.

    Attributes:
        time_days: (N,) ascending.
        x_km, y_km: (N,) on the plane of the region.
        magnitude: (N,) above the completeness of their time.
        target: (M,) numbers of the targets, ascending.
        pieces: (P, 3) begin, end and weight of what the window is made of without its gaps: the weight is the part of
            all events of the reference magnitude that the catalogue is complete for.
        log_weight: (M,) of the piece of each target, logarithm.
        corners_km: (K, 2) of the region.
        reference_magnitude: least completeness.
        b: of the magnitudes.
        largest_magnitude: of events to come.
    """

    time_days: np.ndarray
    x_km: np.ndarray
    y_km: np.ndarray
    magnitude: np.ndarray
    target: np.ndarray
    pieces: np.ndarray
    log_weight: np.ndarray
    corners_km: np.ndarray
    reference_magnitude: float
    b: float
    largest_magnitude: float
    region: Region

    @classmethod
    def of(
        cls,
        catalogue: EventCatalogue,
        region: Region,
        fit: tuple[float, float],
        completeness: Completeness,
        b: float | None = None,
        largest_magnitude: float = 8.0,
    ) -> EtasData:
        """Choose sources and targets of a catalogue.

        Args:
            catalogue: what comes before the window is its history; more of it takes less for background.
            region: of the targets.
            fit: begin and end of the window (days).
            completeness: of the whole time; smaller events are neither targets nor sources.
            b: default, by maximum likelihood from how much targets exceed the completeness of their time.
            largest_magnitude: of events to come.

        Raises:
            DataError: fewer than 20 targets, or the window reaches beyond the time covered.
        """
        if fit[0] < catalogue.begin_day - 1e-6 or fit[1] > catalogue.end_day + 1e-6:
            raise DataError(
                f"the window of the fit reaches beyond the catalogue, which covers {catalogue.begin_day:.0f} to "
                f"{catalogue.end_day:.0f} (days since 1970); give one inside of it"
            )
        complete = completeness.at(catalogue.time_days)
        known = (catalogue.magnitude >= complete - 1e-4) & (catalogue.time_days < fit[1])
        x, y = region.projection.to_km(catalogue.latitude_deg[known], catalogue.longitude_deg[known])
        time, magnitude, complete = catalogue.time_days[known], catalogue.magnitude[known], complete[known]
        inside = region.contains_km(x, y) & (time >= fit[0])
        # Sources farther than the plane reaches are no sources.
        near = np.isfinite(x + y)
        time, x, y, magnitude, complete, inside = (one[near] for one in (time, x, y, magnitude, complete, inside))
        target = np.flatnonzero(inside)
        if len(target) < FEWEST_TARGETS:
            raise DataError(
                f"{len(target)} events of magnitude {completeness.base:g} and more lie in region and window; a fit "
                f"needs {FEWEST_TARGETS}: take a lower magnitude, a longer window or a larger region"
            )
        if b is None:
            b = _b_above(magnitude[target], complete[target])
        spans = [piece for begin, end in catalogue.gaps.observed(*fit) for piece in completeness.pieces(begin, end)]
        pieces = np.array(spans)
        pieces[:, 2] = 10 ** (-b * (pieces[:, 2] - completeness.base))
        return cls(
            time, x, y, magnitude, target, pieces, -b * LOG10 * (complete[target] - completeness.base),
            np.stack([region.x_km, region.y_km], axis=-1), completeness.base, b, largest_magnitude, region,
        )  # fmt: skip

    @property
    def observed_days(self) -> float:
        """Of the window, in days of the catalogue at its best."""
        return float(((self.pieces[:, 1] - self.pieces[:, 0]) * self.pieces[:, 2]).sum())

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Times, x, y, and magnitudes above the reference (N,)."""
        excess = self.magnitude - self.reference_magnitude
        columns = (self.time_days, self.x_km, self.y_km, excess)
        t, x, y, m = (torch.from_numpy(np.ascontiguousarray(one, float)) for one in columns)
        return t, x, y, m


def _b_above(magnitude: np.ndarray, complete: np.ndarray) -> float:
    # Each exceeds the completeness of its time by a whole number of steps.
    step = magnitude_step(magnitude)
    excess = max(float((magnitude - complete).mean()), 1e-3)
    return float(np.log1p(step / excess) / (step * np.log(10)))
