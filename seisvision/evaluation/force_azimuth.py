"""The azimuth of a single force by linear physics: the reference beside a network on the same waveforms.

Surface waves carried back to the source show one force in all directions
(:mod:`seisvision.views.sections.back_propagation`). Of a force pulse of given shape, north and east part follow by
weighted least squares from Z, R and T of all stations; the shape that explains most is kept, and with it the sign,
because the first lobe gives the direction. Paths that are a little fast or slow are then found by comparing each trace
with what the fit predicts, and the fit is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch

from seisvision import keys
from seisvision.earth.source_time import opposed_lobes
from seisvision.views.rasterise import shift_rows
from seisvision.views.sections.azimuth_section import AzimuthSection, weigh

MIN_STATIONS: Final = 3
"""With fewer the estimate is NaN."""
PATH_SPREAD: Final = 0.012
"""Relative standard deviation of phase velocities between paths, as global maps at 50 s have it."""
LARGEST_DELAY_S: Final = 30.0
_PHASE_VELOCITY_KM_S: Final = 4.0
_ROW_S: Final = 2.5
_STEP_S: Final = 0.5


@dataclass(frozen=True)
class ForceAzimuths:
    """What the waveforms of B events say of their forces.

    Attributes:
        azimuth_deg: (B,) direction of the first lobe, clockwise from north in [0, 360); NaN where not known.
        explained: (B,) share of the weighted energy at the source that the force explains, in [0, 1].
        n_stations: (B,) stations used.
    """

    azimuth_deg: torch.Tensor
    explained: torch.Tensor
    n_stations: torch.Tensor


@dataclass(frozen=True)
class _Traces:
    """Traces at the source with their weights and the part of the force they see."""

    values: torch.Tensor
    """(B, S, 3, R)."""
    weight: torch.Tensor
    """(B, S, 3): one over the variance; 0 where not used."""
    share: torch.Tensor
    """(B, S, 3, 2): how much of the north and of the east part of the force is in each."""


@dataclass(frozen=True)
class _Fit:
    force: torch.Tensor
    """(B, 2): north and east part."""
    pulse: torch.Tensor
    """(B, R): the shape that fits best, of norm 1."""
    explained: torch.Tensor
    """(B,)."""


class ForceAzimuthEstimator:
    """Estimates force azimuths of batches that know epicentre and origin time.

    Args:
        earth_model: whose modes carry the waves back.
        band_hz: corners of the band.
        duration_s: durations of the force that are tried: two opposite half sines of equal length.
        largest_lag_s: the pulse may begin up to this before or after the origin time. Near half a duration, the
            sign of the force would be anyone's guess.
        alignments: how often delays of the paths are estimated; 0: the Earth model is taken at its word.
        components: order of the components in the waveforms.

    Raises:
        ConfigurationError: as :class:`~seisvision.views.sections.azimuth_section.AzimuthSection`.
    """

    def __init__(
        self,
        earth_model: str = "ak135f_no_mud",
        band_hz: Sequence[float] = (1 / 150, 1 / 50),
        duration_s: Sequence[float] = (30, 36, 43, 52, 62, 75, 90),
        largest_lag_s: float = 7.5,
        alignments: int = 2,
        components: str = keys.COMPONENTS,
    ) -> None:
        self._view = AzimuthSection(height=128, band_hz=band_hz, earth_model=earth_model, components=components)
        self.duration_s, self.largest_lag_s, self.alignments = tuple(duration_s), largest_lag_s, alignments

    @torch.no_grad()
    def __call__(self, batch: Mapping[str, Any]) -> ForceAzimuths:
        """Estimate the azimuths of a batch of events as :mod:`seisvision.keys` describes it."""
        traces = self._prepare(dict(batch))
        pulses = self._pulses.to(traces.values.device)
        n_stations = (traces.weight > 0).any(-1).sum(-1)
        aligned = traces
        fit = _fit(aligned, pulses)
        delay_sigma_s = batch[keys.OFFSET_KM].nan_to_num(nan=0.0) * PATH_SPREAD / _PHASE_VELOCITY_KM_S
        for _ in range(self.alignments):
            aligned = self._align(traces, fit, delay_sigma_s)
            fit = _fit(aligned, pulses)
        azimuth_deg = torch.rad2deg(torch.atan2(fit.force[:, 1], fit.force[:, 0])).remainder(360.0)
        unknown = (n_stations < MIN_STATIONS) | ~fit.force.isfinite().all(-1)
        return ForceAzimuths(azimuth_deg.masked_fill(unknown, torch.nan), fit.explained, n_stations)

    @cached_property
    def _pulses(self) -> torch.Tensor:
        """Shapes (M, R) of norm 1 that a force may have at the source: all durations at all lags."""
        time_s = np.arange(0, max(self.duration_s), _STEP_S)
        force = np.stack([opposed_lobes(time_s, duration_s, 0.5) for duration_s in self.duration_s])
        pulses = self._view.back_propagation(3600, 2.0).pulse(force, _STEP_S)
        rows = int(self.largest_lag_s / _ROW_S)
        lags = torch.arange(-rows, rows + 1)[:, None].expand(-1, len(pulses))
        shifted = shift_rows(pulses.expand(len(lags), -1, -1), lags).flatten(0, 1)
        return shifted / shifted.norm(dim=1, keepdim=True)

    def _prepare(self, batch: dict[str, Any]) -> _Traces:
        traces = weigh(self._view.at_source(batch), batch[keys.AZIMUTH_DEG])
        azimuth = torch.deg2rad(batch[keys.AZIMUTH_DEG]).nan_to_num(nan=0.0)
        cos, sin = torch.cos(azimuth), torch.sin(azimuth)
        radial, transverse = torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)
        return _Traces(traces.values, traces.weight, torch.stack([radial, radial, transverse], dim=2))

    def _align(self, traces: _Traces, fit: _Fit, delay_sigma_s: torch.Tensor) -> _Traces:
        """Shift every trace to where it most likely belongs; Z and R, which are one wave, together.

        The likelihood is that of the misfit to ``fit``, the prior a normal delay of ``delay_sigma_s`` (B, S).
        """
        predicted = torch.einsum("bsci,bi->bsc", traces.share, fit.force)[..., None] * fit.pulse[:, None, None]
        low_hz, high_hz = self._view.band_hz
        # Rows closer than the band resolves say the same thing.
        independent = _ROW_S * 2 * (high_hz - low_hz)
        delays = range(-round(LARGEST_DELAY_S / _ROW_S), round(LARGEST_DELAY_S / _ROW_S) + 1)
        sigma_rows = (delay_sigma_s / _ROW_S).clamp_min(0.4)
        scores = []
        for rows in delays:
            product = (_earlier(traces.values, rows) * predicted).sum(-1) * traces.weight * independent
            prior = -0.5 * (rows / sigma_rows).square()
            scores.append(torch.stack([product[..., 0] + product[..., 1] + prior, product[..., 2] + prior]))
        rayleigh, love = torch.stack(scores).argmax(0) + delays[0]
        return _Traces(
            _earlier(traces.values, torch.stack([rayleigh, rayleigh, love], -1)), traces.weight, traces.share
        )


def _earlier(values: torch.Tensor, rows: torch.Tensor | int) -> torch.Tensor:
    """Move traces (B, S, 3, R) earlier by ``rows`` (B, S, 3)."""
    if isinstance(rows, int):
        rows = torch.full(values.shape[:3], rows, device=values.device)
    return shift_rows(values.flatten(1, 2), rows.flatten(1, 2)).view_as(values)


def _fit(traces: _Traces, pulses: torch.Tensor) -> _Fit:
    """Weighted least squares for the force of each shape in ``pulses`` (M, R); the shape that explains most wins."""
    normal = torch.einsum("bsc,bsci,bscj->bij", traces.weight, traces.share, traces.share)
    stacked = torch.einsum("bsc,bsci,bsch->bih", traces.weight, traces.share, traces.values)
    seen = torch.einsum("bih,mh->bim", stacked, pulses)
    # The pseudo-inverse, because an event without traces has nothing to solve.
    force = torch.linalg.pinv(normal, hermitian=True) @ seen
    energy = (force * seen).sum(1)
    explained, best = energy.max(dim=1)
    total = torch.einsum("bsc,bsch->b", traces.weight, traces.values.square())
    chosen = force.gather(2, best[:, None, None].expand(-1, 2, 1))[..., 0]
    return _Fit(chosen, pulses[best], explained / total)
