"""Surface waves carried back to their source: what every station says of the force, freed of its path.

A point force F(t) at the surface sends out Love and Rayleigh waves whose spectra are the force's own times the
excitation, spreading, attenuation and phase of the mode (Aki & Richards 2002, section 7.4). Taking the phase back
with the wavenumber of a reference Earth undoes the dispersion: the traces of all stations then show one time
function at the source, R and Z with the factor cos(azimuth - force azimuth), T with minus the sine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from seisvision.base.devices import kept
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.modes import ModeTable, love_modes, rayleigh_modes
from seisvision.earth.profile import earth_profile
from seisvision.views.filters import EDGE_WIDTH, band_gain, filter_bands

LEAST_OUTSIDE: Final = 0.1
"""Share of a record that must lie outside the wave train for its noise to be measured there."""


class SourceTraces(NamedTuple):
    """The traces of a batch at the source; components are Z, R, T."""

    values: torch.Tensor
    """float32 (B, S, 3, R): ground motion as a Love wave a quarter round the Earth would have it; 0 where unknown."""
    noise: torch.Tensor
    """float32 (B, S, 3): root mean square of the band outside the surface waves, on the scale of ``values``."""
    known: torch.Tensor
    """bool (B, S): distance and start are known and the record holds the whole wave train."""


@cache
def surface_modes(earth_model: str) -> tuple[ModeTable, ModeTable]:
    """Fundamental Love and Rayleigh mode of one of ObsPy's Earth models; about two seconds, once per process."""

    profile = earth_profile(earth_model)
    return love_modes(profile), rayleigh_modes(profile)


def in_order(values: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
    """Components (B, S, C, ...) in another order; a list as an index would be copied to the device each time."""
    return torch.stack([values[:, :, component] for component in order], 2)


def rotate_to_zrt(waveform: torch.Tensor, back_azimuth_deg: torch.Tensor) -> torch.Tensor:
    """Rotate Z, N, E (B, S, 3, T) to Z, R (away from the source), T (clockwise seen from above).

    Args:
        waveform: ground motion.
        back_azimuth_deg: (B, S) azimuth from station to source, clockwise from north.
    """
    angle = torch.deg2rad(back_azimuth_deg)[..., None]
    cos, sin = torch.cos(angle), torch.sin(angle)
    vertical, north, east = waveform.unbind(2)
    return torch.stack([vertical, -cos * north - sin * east, sin * north - cos * east], dim=2)


@dataclass(frozen=True)
class _Wave:
    """One wave type at the J frequencies of the band."""

    wavenumber: torch.Tensor
    """(J,) rad/km."""
    loss: torch.Tensor
    """(J,) decay of the amplitude, 1/km."""


class BackPropagation:
    """Carries windows of one length and sampling rate back to the source.

    The band is cut out with zero phase, then phase and spreading of the path are undone, attenuation up to a limit.
    Rayleigh waves are scaled with the ratio of the modes' excitations by a force at the surface, so that Z, R and T
    show one and the same force. The result spans ``time_s``, seconds after the origin time. What lies outside the
    window counts as zero, and nothing wraps from one end to the other.

    Args:
        samples, sampling_rate_hz: of the windows.
        band_hz: corners of the band.
        earth_model: whose modes are used.
        span_s: (first, last) edge of the result's time axis, seconds after the origin time.
        rows: R, samples of the result.
        max_compensation: attenuation is undone up to this factor; beyond, it would be noise that grows.
        device: where to compute.

    Raises:
        ConfigurationError: the band is empty or reaches the Nyquist frequency.
    """

    def __init__(
        self,
        samples: int,
        sampling_rate_hz: float,
        *,
        band_hz: tuple[float, float],
        earth_model: str,
        span_s: tuple[float, float],
        rows: int,
        max_compensation: float = 4.0,
        device: torch.device | None = None,
    ) -> None:
        self.sampling_rate_hz, self.band_hz, self.rows, self.span_s = sampling_rate_hz, band_hz, rows, span_s
        self.length_s, self.max_compensation, self.device = samples / sampling_rate_hz, max_compensation, device
        self.time_s = span_s[0] + (np.arange(rows) + 0.5) * (span_s[1] - span_s[0]) / rows
        # Trains that lie inside the window reach over its ends by no more than the span: this much silence keeps
        # one end from wrapping into the other, with the longest period to spare for ringing.
        period_s = self.length_s + (span_s[1] - span_s[0]) + 1 / band_hz[0]
        edge = math.exp(EDGE_WIDTH / 2)
        numbers = np.arange(math.ceil(band_hz[0] / edge * period_s), math.floor(band_hz[1] * edge * period_s) + 1)
        self.period_s, self.omega = period_s, 2 * np.pi * numbers / period_s
        self._set_modes(*surface_modes(earth_model))

    def _set_modes(self, love: ModeTable, rayleigh: ModeTable) -> None:
        def at(table: ModeTable, values: np.ndarray, omega: np.ndarray = self.omega) -> np.ndarray:
            return np.interp(omega, table.omega, values)

        def wave(table: ModeTable) -> _Wave:
            wavenumber = self.omega / at(table, table.phase_velocity)
            loss = self.omega / (2 * at(table, table.quality) * at(table, table.group_velocity))
            return _Wave(self._tensor(1e3 * wavenumber), self._tensor(1e3 * loss))

        def strength(table: ModeTable, source: str, receiver: str) -> np.ndarray:
            """Amplitude at a surface station for a force at the surface, but for what both waves share."""
            shape = table.eigenfunctions[source][:, 0] * table.eigenfunctions[receiver][:, 0]
            energy = table.group_velocity * table.energy * np.sqrt(table.omega * table.phase_velocity)
            return at(table, shape / energy)

        self.love, self.rayleigh = wave(love), wave(rayleigh)
        transverse = strength(love, "l1", "l1")
        self._strength = self.omega * transverse / transverse.max()
        ratio_z = transverse / strength(rayleigh, "r1", "r2")
        ratio_r = transverse / strength(rayleigh, "r1", "r1")
        # Velocity leads the force by a quarter period; the ellipse of the Rayleigh wave turns Z by another one.
        turn = np.stack([-ratio_z + 0j, -1j * ratio_r, -1j * np.ones_like(ratio_r)])
        self._turn = torch.as_tensor(turn, dtype=torch.complex64, device=self.device)
        angle = self._tensor(np.outer(self.omega, self.time_s))
        self._frequency, self._cosine, self._sine = self._tensor(self.omega), torch.cos(angle), torch.sin(angle)
        self._waves: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        corners = 2 * np.pi * np.linspace(*self.band_hz, 50)
        speeds = np.concatenate([at(table, table.group_velocity, corners) for table in (love, rayleigh)])
        self.fastest_km_s, self.slowest_km_s = 1e-3 * speeds.max(), 1e-3 * speeds.min()

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def __call__(self, ground: torch.Tensor, offset_km: torch.Tensor, start_s: torch.Tensor) -> SourceTraces:
        """Carry ``ground`` (B, S, 3, T) on Z, R, T back over ``offset_km`` (B, S).

        Args:
            ground: float32, any unit; samples that were not recorded are zero.
            offset_km: (B, S) epicentral distance.
            start_s: (B, S) window start after the origin time.
        """
        known = self._holds_train(offset_km, start_s)
        offset_km, start_s = offset_km.masked_fill(~known, 0.0), start_s.masked_fill(~known, 0.0)
        (band,) = filter_bands(ground.flatten(0, 2), self.sampling_rate_hz, [self.band_hz], grid=self.rows)
        band = band.view(*ground.shape[:3], -1)
        path = self._path(offset_km, start_s)
        values = self._series(self._spectrum(band) * path)
        # The middle of the band stands for all of it.
        noise = self._noise(band, offset_km, start_s) * path[..., len(self.omega) // 2].abs()
        return SourceTraces(values * known[..., None, None], noise, known)

    def pulse(self, force: np.ndarray, step_s: float) -> torch.Tensor:
        """Show what a force looks like at the source, (M, R), in units of its own: as all directions show it.

        Args:
            force: (M, n) force time functions, from the origin time on.
            step_s: their sampling interval.
        """
        time_s = np.arange(force.shape[-1]) * step_s
        spectrum = step_s * force @ np.exp(-1j * np.outer(time_s, self.omega))
        gain = band_gain(self._tensor(self.omega / (2 * np.pi)), self.band_hz)
        excited = torch.as_tensor(spectrum * self._strength, dtype=torch.complex64, device=self.device)
        return self._series(excited * gain)

    def _series(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Series (..., R) at ``time_s`` of Fourier integrals (..., J)."""
        series = spectrum.real @ self._cosine - spectrum.imag @ self._sine
        return series * (2 / self.period_s)

    def _holds_train(self, offset_km: torch.Tensor, start_s: torch.Tensor) -> torch.Tensor:
        """Tell (B, S) whether the window holds all that left the source at the origin time; unknown: it does not."""
        begins = offset_km / self.fastest_km_s >= start_s
        ends = offset_km / self.slowest_km_s <= start_s + self.length_s
        # Comparisons with NaN are false.
        return begins & ends

    def _noise(self, band: torch.Tensor, offset_km: torch.Tensor, start_s: torch.Tensor) -> torch.Tensor:
        """Root mean square (B, S, 3) outside the wave train; of the whole record where little else is in it."""
        time_s = torch.arange(band.shape[-1], device=band.device) * (self.length_s / band.shape[-1])
        time_s = time_s + start_s[..., None]
        before = time_s < (offset_km / self.fastest_km_s + self.span_s[0])[..., None]
        outside = before | (time_s > (offset_km / self.slowest_km_s + self.span_s[1])[..., None])
        enough = outside.float().mean(-1, keepdim=True) >= LEAST_OUTSIDE
        weight = (outside | ~enough)[:, :, None].to(band)
        return ((band.square() * weight).sum(-1) / weight.sum(-1)).sqrt()

    def _spectrum(self, band: torch.Tensor) -> torch.Tensor:
        """Fourier integral (B, S, 3, J) of ``band`` (B, S, 3, T_band), time counted from the window start."""
        step_s = self.length_s / band.shape[-1]
        if band.shape[-1] not in self._waves:
            angle = self._tensor(np.outer(np.arange(band.shape[-1]) * step_s, self.omega))
            self._waves[band.shape[-1]] = torch.cos(angle), torch.sin(angle)
        cosine, sine = self._waves[band.shape[-1]]
        return step_s * torch.complex(band @ cosine, -(band @ sine))

    def _path(self, offset_km: torch.Tensor, start_s: torch.Tensor) -> torch.Tensor:
        """What undoes the way from the source, (B, S, 3, J)."""
        distance_km = offset_km[..., None]
        spreading = torch.sin(distance_km / EARTH_RADIUS_KM).abs().sqrt()
        # The spectrum counts time from the window start, the result from the origin time.
        phase = math.pi / 4 - self._frequency * start_s[..., None]
        factors = []
        for wave in (self.rayleigh, self.love):
            gain = torch.exp(wave.loss * distance_km).clamp_max(self.max_compensation) * spreading
            factors.append(torch.polar(gain, wave.wavenumber * distance_km + phase))
        rayleigh, love = factors
        return torch.stack([rayleigh, rayleigh, love], dim=2) * self._turn


@kept
def back_propagation(
    samples: int, sampling_rate_hz: float, device: torch.device | None, **settings: Any
) -> BackPropagation:
    """Return the :class:`BackPropagation` of these settings, made once for each device."""
    return BackPropagation(samples, sampling_rate_hz, device=device, **settings)
