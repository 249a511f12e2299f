"""A whole network at once as numbers: stations, time and components, for networks that locate."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from seisvision import keys
from seisvision.base.devices import sent
from seisvision.errors import ConfigurationError
from seisvision.views.filters import check_band, filter_bands
from seisvision.views.settings import one_of, optional_range, positive
from seisvision.views.view import View
from seisvision.views.waveforms.drawing import draw_lines
from seisvision.views.waveforms.levels import motion_mask

log = logging.getLogger(__name__)

FIRST = ("arrival", "onset")
COORDINATE_NAMES = ("east", "north", "up")
COORDINATE_KM = 100.0
"""Kilometres that a value of 1 in a channel of coordinates stands for."""
SMALLEST_PEAK = 1e-15


class StationMatrix(View):
    """The recordings of all stations of an event: (B, P, S, T), or (B, S x C, T) where rows are ``flat``.

    Channels are the components, then what is asked for: coordinates and the scale. All components of all stations are
    divided by one value, the largest magnitude of what is seen of the event, so that amplitudes can be compared between
    stations. Stations that are absent are zero in every channel. Nothing of a picture depends on what comes after the
    truncation: it happens first, and mean, filter and scale are of the part that is seen.

    Args:
        n_samples: T. Longer windows are cut at their end, shorter ones continued by zeros; both are told once.
        n_stations: S of the samples' slots; of samples without slots, what pictures are taken to have where only
            their size is asked for.
        components: order of the components.
        flat: the rows of all components of all stations below each other, station by station, for networks of lines.
        coordinates: three further channels: east, north and up of the station in 100 km (needs samples with
            ``network``).
        tells_scale: a further channel: what the event was divided by, as (6 + its logarithm to base 10) / 3, without
            which magnitudes cannot be told.
        truncate_s: seconds after the first P of the event from which nothing is seen, as if it had not come in yet;
            None: all is seen. Negative: all ends before the first P, so that noise is seen. A batch that tells how much
            is seen itself (``SEEN_S``, from ``augment.truncate_s``) goes before.
        first: what the first P is: ``arrival``, the earliest P that the batch knows, else the earliest onset;
            ``onset``: the earliest detected onset. For samples without any see :func:`asked_from_s`.
        band_hz: (low, high) of a filter of zero phase over what is seen; None: as recorded, less its mean.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for other components, samples
    without coordinates where they are asked for, and another number of stations where rows are flat.

    Reference: Zhang, Zhang, Yuan, Liu, Chen & Li (2020), doi:10.1038/s41598-020-58908-5, who divide by the maximum of
    the event.
    """

    sees_truncation = True

    def __init__(
        self,
        n_samples: int,
        n_stations: int,
        components: str = keys.COMPONENTS,
        flat: bool = False,
        coordinates: bool = False,
        tells_scale: bool = False,
        truncate_s: float | None = None,
        first: str = "arrival",
        band_hz: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.n_samples, self.n_stations = int(positive("n_samples", n_samples)), int(positive("n_stations", n_stations))
        self.components, self.flat = components, flat
        self.fixed_stations = flat
        self.coordinates, self.tells_scale = coordinates, tells_scale
        self.uses_station_places = coordinates
        if flat and (coordinates or tells_scale):
            raise ConfigurationError(
                "view.flat=true gives one row for each component and has no further channels; set view.coordinates="
                "false and view.tells_scale=false"
            )
        if truncate_s is not None and not math.isfinite(truncate_s):
            raise ConfigurationError(f"view.truncate_s={truncate_s} is not allowed; give seconds, or null for all")
        self.truncate_s, self.first = truncate_s, one_of("first", first, FIRST)
        self.band_hz = optional_range("band_hz", band_hz)
        if self.band_hz is not None:
            check_band(self.band_hz)
        self.out_channels = len(components) + 3 * coordinates + tells_scale
        self.height, self.width = self.n_stations, self.n_samples
        self._has_told_length = False

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(P, S, T), or (S x C, T) of flat rows."""
        if self.flat:
            return self.n_stations * len(self.components), self.n_samples
        return self.out_channels, self.n_stations, self.n_samples

    def sample_s(self, batch: dict[str, Any]) -> float:
        """Seconds between two samples: the waveforms', which are cut or continued but not drawn together."""
        return 1 / float(batch[keys.SAMPLING_RATE_HZ])

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Recordings float32 (B, P, S, T) or (B, S x C, T)."""
        with torch.autocast(batch[keys.WAVEFORM].device.type, enabled=False):
            self.check_components(batch[keys.WAVEFORM])
            rows, live = self._seen_rows(batch)
            peak = rows.abs().amax((1, 2, 3))
            moves = peak > SMALLEST_PEAK
            rows = rows / torch.where(moves, peak, 1.0)[:, None, None, None]
            rows = self._of_length(torch.where(moves[:, None, None, None], rows, 0.0))
            if self.flat:
                self._check_number(rows)
                return rows.flatten(1, 2)
            return torch.cat([rows.transpose(1, 2), *self._further(batch, rows, live, peak)], 1)

    def _seen_rows(self, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """What is seen (B, S, C, T) without its mean or filtered, zero behind, and which stations (B, S) are live."""
        waveform = batch[keys.WAVEFORM].float()
        seen = seen_samples(batch, self.truncate_s, self.first)
        inside = (torch.arange(waveform.shape[-1], device=waveform.device) < seen[:, None])[:, None, None]
        # Whether a recording moves is asked of what is seen alone.
        live = motion_mask(torch.where(inside, waveform, waveform[..., :1])) & batch[keys.STATION_MASK][..., None]
        if keys.COMPONENT_MASK in batch:
            live = live & batch[keys.COMPONENT_MASK]
        # Zeros stand where a recording has not begun or has ended, and stay.
        recorded = inside & live[..., None] & (waveform != 0)
        rows = torch.where(recorded, waveform, 0.0)
        mean = rows.sum(-1, keepdim=True) / recorded.sum(-1, keepdim=True).clamp_min(1)
        rows = torch.where(recorded, rows - mean, 0.0)
        if self.band_hz is not None:
            (filtered,) = filter_bands(rows, float(batch[keys.SAMPLING_RATE_HZ]), [self.band_hz])
            rows = filtered * inside
        return rows, live.any(-1)

    def _of_length(self, rows: torch.Tensor) -> torch.Tensor:
        there = rows.shape[-1]
        # One sample more or less is whether both ends of a window count.
        if abs(there - self.n_samples) > 1 and not self._has_told_length:
            self._has_told_length = True
            log.warning(
                "view.n_samples=%d, but windows have %d samples: they are %s. Make the window (dataset.samples.window."
                "length_s) as long, or set view.n_samples=%d.",
                self.n_samples, there, "cut" if there > self.n_samples else "continued by zeros", there,
            )  # fmt: skip
        if there >= self.n_samples:
            return rows[..., : self.n_samples]
        return functional.pad(rows, (0, self.n_samples - there))

    def _further(
        self, batch: dict[str, Any], rows: torch.Tensor, live: torch.Tensor, peak: torch.Tensor
    ) -> list[torch.Tensor]:
        """Channels (B, ..., S, T) of coordinates and of the scale."""
        shape = *rows.shape[:2], rows.shape[-1]
        further = []
        if self.coordinates:
            if keys.STATION_KM not in batch:
                raise ConfigurationError(
                    "view.coordinates=true needs samples that know where stations stand; set dataset.samples.network="
                    "{stations: training}, of a set that has their coordinates"
                )
            place = (batch[keys.STATION_KM].to(rows) / COORDINATE_KM).nan_to_num(0.0) * live[..., None]
            further.append(place.transpose(1, 2)[..., None].expand(-1, -1, -1, shape[-1]))
        if self.tells_scale:
            scale = (peak.clamp_min(SMALLEST_PEAK).log10() + 6)[:, None] / 3 * live
            further.append(scale[:, None, :, None].expand(-1, 1, -1, shape[-1]))
        return further

    def _check_number(self, rows: torch.Tensor) -> None:
        if rows.shape[1] != self.n_stations:
            raise ConfigurationError(
                f"view.n_stations={self.n_stations}, but the samples have {rows.shape[1]} stations. Flat rows need a "
                "place for each station: set dataset.samples.network={stations: training} and view.n_stations to "
                "their number."
            )

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return the first component of all stations below each other for people: uint8 (B, H, W, 3)."""
        if self.flat:
            return draw_lines(image[:, :: len(self.components)])
        return draw_lines(image[:, 0])

    def describe(self) -> dict[str, str]:
        """Name of each channel, in order, and what its values mean."""
        meaning = "ground motion over the largest of the event, stations below each other"
        if self.flat:
            stations = range(1, self.n_stations + 1)
            return {f"station {number} {component}": meaning for number in stations for component in self.components}
        described = dict.fromkeys(self.components, meaning)
        if self.coordinates:
            described |= dict.fromkeys(COORDINATE_NAMES, f"of the station, in {COORDINATE_KM:g} km")
        if self.tells_scale:
            described["scale"] = "(6 + logarithm to base 10 of that largest motion) / 3"
        return described


def first_arrival_s(batch: dict[str, Any], first: str = "arrival") -> torch.Tensor:
    """Time (B,) of the first P of each event after the window start; inf where none is known.

    Args:
        batch: with ``STATION_MASK`` and, as far as they are known, ``ARRIVALS_S`` and ``ONSET_S``.
        first: see :class:`StationMatrix`.
    """
    mask = batch[keys.STATION_MASK]
    unknown = torch.full(mask.shape[:1], math.inf, device=mask.device)
    found = []
    for key in (keys.ARRIVALS_S, keys.ONSET_S) if first == "arrival" else (keys.ONSET_S,):
        if key in batch:
            times_s = batch[key][..., 0] if key == keys.ARRIVALS_S else batch[key]
            found.append(times_s.masked_fill(~mask | times_s.isnan(), math.inf).amin(1))
    for times_s in found:
        unknown = torch.where(unknown.isfinite(), unknown, times_s.to(unknown))
    return unknown


def asked_from_s(batch: dict[str, Any], first: str = "arrival", pretended: torch.Tensor | None = None) -> torch.Tensor:
    """Time (B,) after the window start from which the seconds that are seen count: the first P, of noise a made-up one.

    If noise were seen as a whole, an end without recordings would tell an earthquake. Made-up ones lie in the first
    half of the window, so that noise, too, ends before it.

    Args:
        batch: see :func:`first_arrival_s`.
        first: see :class:`StationMatrix`.
        pretended: (B,) where in that half, from 0 to 1; None: as the ids of the samples say, always the same.
    """
    known_s = first_arrival_s(batch, first)
    # Asked on the processor only: an accelerator would have to be waited for.
    if known_s.device.type == "cpu" and known_s.isfinite().all():
        return known_s
    if pretended is None:
        told = torch.tensor([zlib.crc32(str(name).encode()) / 2**32 for name in batch[keys.SOURCE_ID]])
        pretended = sent(told, known_s.device)
    half_s = batch[keys.WAVEFORM].shape[-1] / float(batch[keys.SAMPLING_RATE_HZ]) / 2
    return torch.where(known_s.isfinite(), known_s, pretended.to(known_s) * half_s)


def seen_samples(batch: dict[str, Any], truncate_s: float | None, first: str = "arrival") -> torch.Tensor:
    """Number of samples (B,) of the window that are seen, as float; inf for all."""
    rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
    if keys.SEEN_S in batch:
        return batch[keys.SEEN_S] * rate_hz
    if truncate_s is None:
        return torch.full_like(batch[keys.STATION_MASK][:, 0], math.inf, dtype=torch.float32)
    return (asked_from_s(batch, first) + truncate_s) * rate_hz
