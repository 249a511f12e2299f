"""Augmentation of waveforms, on the device, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.base.devices import device_generator, sent
from seisvision.base.share import Share
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.seeding import DEFAULT_SEED, stream_seed
from seisvision.views.settings import optional_range
from seisvision.views.waveforms.station_matrix import asked_from_s

MIN_STATIONS = 3
"""Stations that dropout always leaves, as far as the event has them: fewer show no moveout."""
_GEOMETRY = (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG)


class Augment(nn.Module):
    """Physically harmless changes of a batch of waveforms; never a flip in time or distance, never a crop.

    Args:
        time_shift_s: all traces of an event move together, earlier or later by up to this; what comes in is
            zero. Onsets, arrivals and window starts move along; an arrival that was not in the window does not come
            in. Do not use it where the origin time matters, as for force azimuths.
        amplitude_jitter_db: every trace is scaled by a factor drawn evenly within plus and minus this.
        noise_fraction: white noise of this share of each component's root mean square is added.
        station_dropout: probability that a station is left out; at least three stay.
        polarity_flip: turn all traces of an event over with probability one half.
        epicentre_error_km: standard deviation, along north and along east, of an error of the epicentre; distances,
            azimuths and back azimuths become those from the wrong place.
        origin_error_s: standard deviation of an error of the origin time; window starts move.
        velocity_error: relative standard deviation of a factor on all distances of an event, after the error of
            the epicentre. For what a view carries back to the source it is a mean phase velocity that is off.
        rotation_target: column of an angle (degrees, clockwise from north) that turns together with the azimuths of
            the stations by any angle, one for each event. Back azimuths stay: the radial and the transverse
            direction turn along. None: nothing turns.
        back_azimuth_target: column of a back azimuth (degrees, clockwise from north) that turns together with the
            horizontal components by any angle, one for each event, and with the back azimuths of the stations: as if
            all had happened in another direction. An event of which a component is missing stays. None: nothing turns.
        truncate_s: (low, high): every event is seen until a time drawn evenly between these, in seconds after its first
            P (see :func:`~seisvision.views.waveforms.station_matrix.asked_from_s`), for views of many stations; noise
            after a time drawn anew, so that an end without recordings does not tell an earthquake. Below 0 nothing but
            noise is seen. None: all is seen.
        seed: base seed. Draws depend on it and on epoch and step alone, and are made for the whole global batch, so
            that neither a resumed run nor more devices see other numbers. All but the noise are made on the processor;
            noise is drawn where the waveforms are, since it is as large as they are: the same again on the same kind of
            device, other numbers on another kind.

    Raises ConfigurationError for a negative amount or a probability outside [0, 1).
    """

    def __init__(
        self,
        time_shift_s: float = 0.0,
        amplitude_jitter_db: float = 0.0,
        noise_fraction: float = 0.0,
        station_dropout: float = 0.0,
        polarity_flip: bool = False,
        epicentre_error_km: float = 0.0,
        origin_error_s: float = 0.0,
        velocity_error: float = 0.0,
        rotation_target: str | None = None,
        back_azimuth_target: str | None = None,
        truncate_s: Sequence[float] | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        super().__init__()
        amounts = {
            "time_shift_s": time_shift_s,
            "amplitude_jitter_db": amplitude_jitter_db,
            "noise_fraction": noise_fraction,
            "station_dropout": station_dropout,
            "epicentre_error_km": epicentre_error_km,
            "origin_error_s": origin_error_s,
            "velocity_error": velocity_error,
        }
        for setting, amount in amounts.items():
            if not amount >= 0 or (setting == "station_dropout" and amount >= 1):
                allowed = "at least 0 and less than 1" if setting == "station_dropout" else "at least 0"
                raise ConfigurationError(f"{setting}={amount} is not allowed; it must be {allowed}")
        self.time_shift_s, self.amplitude_jitter_db = time_shift_s, amplitude_jitter_db
        self.noise_fraction, self.station_dropout = noise_fraction, station_dropout
        self.polarity_flip, self.seed = polarity_flip, seed
        self.epicentre_error_km, self.origin_error_s = epicentre_error_km, origin_error_s
        self.velocity_error, self.rotation_target = velocity_error, rotation_target
        self.back_azimuth_target = back_azimuth_target
        turned = (rotation_target, back_azimuth_target)
        self.truncate_s = optional_range("truncate_s", truncate_s)
        self._misplaces = any((epicentre_error_km, origin_error_s, velocity_error, *turned))
        self._draws_for_batch = any((time_shift_s, amplitude_jitter_db, station_dropout, polarity_flip))
        self.changes_nothing = not (self._misplaces or self._draws_for_batch or noise_fraction or self.truncate_s)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any], epoch: int, step: int, share: Share | None = None) -> dict[str, Any]:
        """Return a changed copy of ``batch``, or ``batch`` where nothing is asked for; its own tensors are left alone.

        Args:
            batch: of this process.
            epoch, step: number the batch.
            share: what part of the global batch it is; ``None``: all of it.
        """
        if self.changes_nothing:
            return batch
        given, batch = batch[keys.WAVEFORM], dict(batch)
        share = share or Share(n_samples=len(batch[keys.WAVEFORM]), n_stations=batch[keys.WAVEFORM].shape[1])
        here, events, stations = batch[keys.WAVEFORM].shape[1], share.n_samples, share.n_stations
        # Every draw is made whether it is used or not: switching one change on leaves the others as they were.
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "augment", epoch, step, 0))
        shift = torch.rand(events, generator=generator).mul_(2).sub_(1)
        sign = torch.rand(events, generator=generator).sub_(0.5).sign_()
        gain = torch.rand(events, stations, generator=generator).mul_(2).sub_(1)
        luck = torch.rand(events, stations, generator=generator)
        if self._draws_for_batch:
            # One copy to the device for all of them.
            together = torch.cat([shift[:, None], sign[:, None], gain, luck], 1)
            together = sent(share.of(together), batch[keys.WAVEFORM].device)
            shift, sign, gain, luck = together.split([1, 1, stations, stations], 1)
            shift, sign, gain, luck = shift[:, 0], sign[:, 0], gain[:, :here], luck[:, :here]
        if self.time_shift_s:
            self._shift(batch, shift)
        if self.amplitude_jitter_db or self.polarity_flip:
            factor = torch.pow(10.0, gain * (self.amplitude_jitter_db / 20))
            factor = factor * sign[:, None] if self.polarity_flip else factor
            _scale(batch, factor[..., None, None].to(given), given)
        if self.noise_fraction:
            self._add_noise(batch, generator, share, (epoch, step))
        if self.station_dropout:
            self._drop(batch, luck, given)
        self._misplace(batch, epoch, step, share)
        if self.truncate_s is not None:
            generator = torch.Generator().manual_seed(stream_seed(self.seed, "augment/truncation", epoch, step, 0))
            low_s, high_s = self.truncate_s
            after_s = low_s + (high_s - low_s) * share.of(torch.rand(events, generator=generator))
            pretended = share.of(torch.rand(events, generator=generator))
            after_s, pretended = sent(torch.stack([after_s, pretended]), batch[keys.WAVEFORM].device)
            batch[keys.SEEN_S] = asked_from_s(batch, pretended=pretended) + after_s
        return batch

    def _misplace(self, batch: dict[str, Any], epoch: int, step: int, share: Share) -> None:
        """Put in the errors of the location and turn the event; draws of their own, so that the others stay."""
        if not self._misplaces:
            return
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "augment/geometry", epoch, step, 0))
        errors = torch.randn(4, share.n_samples, 1, generator=generator)
        turn = torch.rand(1, share.n_samples, 1, generator=generator)
        drawn = sent(share.of(torch.cat([errors, turn]), dim=1), batch[keys.WAVEFORM].device)
        north, east, late, stretch, turn = drawn
        if self.epicentre_error_km:
            offset_km, azimuth_deg, back_azimuth_deg = (batch[key] for key in _GEOMETRY)
            north_km, east_km = north * self.epicentre_error_km, east * self.epicentre_error_km
            moved = move_epicentre(offset_km, azimuth_deg, back_azimuth_deg, north_km, east_km)
            batch |= dict(zip(_GEOMETRY, moved, strict=True))
        if self.velocity_error:
            batch[keys.OFFSET_KM] = batch[keys.OFFSET_KM] * (1 + stretch * self.velocity_error)
        if self.origin_error_s:
            # Seen from an origin time that is late, the window starts earlier.
            batch[keys.START_S] = batch[keys.START_S] - late * self.origin_error_s
        if self.rotation_target is not None:
            self._turn(batch, turn[:, 0] * 360, "rotation_target", self.rotation_target)
            batch[keys.AZIMUTH_DEG] = (batch[keys.AZIMUTH_DEG] + turn * 360).remainder(360.0)
        if self.back_azimuth_target is not None:
            self._turn_motion(batch, turn * 360, self.back_azimuth_target)

    def _turn(self, batch: dict[str, Any], turn_deg: torch.Tensor, setting: str, column: str) -> None:
        """Add angles (B,) to those of a column."""
        targets = dict(batch[keys.TARGETS])
        if column not in targets:
            raise ConfigurationError(
                f"{setting}='{column}' is not a target of the samples. {did_you_mean(column, list(targets))}"
            )
        targets[column] = (targets[column] + turn_deg.to(targets[column])).remainder(360.0)
        batch[keys.TARGETS] = targets

    def _turn_motion(self, batch: dict[str, Any], turn_deg: torch.Tensor, column: str) -> None:
        """Turn ground motion and back azimuths clockwise by angles (B, 1)."""
        # One component does not turn alone.
        whole = (batch[keys.COMPONENT_MASK].all(-1) | ~batch[keys.STATION_MASK]).all(1, keepdim=True)
        turn_deg = turn_deg * whole
        self._turn(batch, turn_deg[:, 0], "back_azimuth_target", column)
        batch[keys.BACK_AZIMUTH_DEG] = (batch[keys.BACK_AZIMUTH_DEG] + turn_deg).remainder(360.0)
        angle = torch.deg2rad(turn_deg)[..., None].to(batch[keys.WAVEFORM])
        vertical, north, east = batch[keys.WAVEFORM].unbind(2)
        north, east = north * angle.cos() - east * angle.sin(), north * angle.sin() + east * angle.cos()
        batch[keys.WAVEFORM] = torch.stack([vertical, north, east], 2)

    def _shift(self, batch: dict[str, Any], shift: torch.Tensor) -> None:
        """Delay the events by ``shift`` (B,) times the largest shift, to the nearest sample."""
        waveform, rate_hz = batch[keys.WAVEFORM], float(batch[keys.SAMPLING_RATE_HZ])
        samples = (shift * (self.time_shift_s * rate_hz)).round().long()
        if waveform.device.type == "cpu":
            batch[keys.WAVEFORM] = _moved_stretches(waveform, samples.tolist())
        else:
            source = torch.arange(waveform.shape[-1], device=waveform.device) - samples[:, None]
            inside = (source >= 0) & (source < waveform.shape[-1])
            source = source.clamp_(0, waveform.shape[-1] - 1)[:, None, None].expand_as(waveform)
            batch[keys.WAVEFORM] = waveform.gather(-1, source) * inside[:, None, None]
        seconds = (samples / rate_hz)[:, None]
        batch[keys.ONSET_S] = batch[keys.ONSET_S] + seconds
        if keys.ARRIVALS_S in batch:
            batch[keys.ARRIVALS_S] = _moved(batch[keys.ARRIVALS_S], seconds[..., None], waveform.shape[-1] / rate_hz)
        batch[keys.START_S] = batch[keys.START_S] - seconds

    def _add_noise(
        self, batch: dict[str, Any], generator: torch.Generator, share: Share, number: tuple[int, int]
    ) -> None:
        """Add white noise, drawn by ``generator`` on the processor, and by one of its own on another device."""
        waveform = batch[keys.WAVEFORM]
        if waveform.device.type != "cpu":
            generator = device_generator(waveform.device, stream_seed(self.seed, "augment/noise", *number, 0))
        shape = (share.n_samples, share.n_stations, *waveform.shape[2:])
        everywhere = torch.randn(shape, generator=generator, device=waveform.device)
        noise = share.of(everywhere)[:, : waveform.shape[1]].to(waveform)
        strength = self.noise_fraction * waveform.square().mean(-1, keepdim=True).sqrt()
        batch[keys.WAVEFORM] = waveform + noise * strength

    def _drop(self, batch: dict[str, Any], luck: torch.Tensor, given: torch.Tensor) -> None:
        """Leave out stations whose ``luck`` (B, S) is below the dropout, sparing the luckiest three."""
        mask = batch[keys.STATION_MASK]
        luck = luck.masked_fill(~mask, -1.0)
        rank = luck.argsort(dim=-1, descending=True).argsort(dim=-1)
        kept = mask & ((luck >= self.station_dropout) | (rank < MIN_STATIONS))
        batch[keys.STATION_MASK] = kept
        batch[keys.COMPONENT_MASK] = batch[keys.COMPONENT_MASK] & kept[..., None]
        _scale(batch, kept[..., None, None], given)


def _scale(batch: dict[str, Any], factor: torch.Tensor, given: torch.Tensor) -> None:
    """Multiply the waveforms, in place where they are a copy of our own and not what was given."""
    waveform = batch[keys.WAVEFORM]
    batch[keys.WAVEFORM] = waveform * factor if waveform is given else waveform.mul_(factor)


def _moved_stretches(waveform: torch.Tensor, later: list[int]) -> torch.Tensor:
    """Waveforms (B, S, C, T) later by so many samples (B,), a stretch at a time; zeros come in.

    On a processor: gathering would read an index of eight bytes for every sample of four.
    """
    moved, length = torch.empty_like(waveform), waveform.shape[-1]
    for target, source, n_samples in zip(moved, waveform, later, strict=True):
        first, last = max(0, min(length, n_samples)), max(0, min(length, length + n_samples))
        target[..., :first].zero_()
        target[..., last:].zero_()
        target[..., first:last].copy_(source[..., first - n_samples : last - n_samples])
    return moved


def _moved(arrivals_s: torch.Tensor, seconds: torch.Tensor, length_s: float) -> torch.Tensor:
    """Arrivals (B, S, 2) later by ``seconds``; none where zeros came in instead of what was beyond the window."""
    moved = arrivals_s + seconds.to(arrivals_s)
    was_inside, is_inside = ((time_s >= 0) & (time_s < length_s) for time_s in (arrivals_s, moved))
    return moved.masked_fill(is_inside & ~was_inside, torch.nan)


def move_epicentre(
    offset_km: torch.Tensor,
    azimuth_deg: torch.Tensor,
    back_azimuth_deg: torch.Tensor,
    north_km: torch.Tensor,
    east_km: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return offsets, azimuths and back azimuths (B, S) as seen from an epicentre beside the true one.

    Spherical triangles of station, epicentre and moved epicentre. Azimuths keep to the north of the true epicentre:
    the batch does not know its latitude, and meridians converge by 0.2 degrees in 20 km at 50 degrees.

    Args:
        offset_km, azimuth_deg, back_azimuth_deg: (B, S) as in :mod:`seisvision.keys`; NaN stays NaN.
        north_km, east_km: (B, 1) by how much the epicentre moves.
    """
    # In single precision distances are good to a metre, and many accelerators compute slowly in any other.
    precision = torch.float64 if offset_km.device.type == "cpu" else torch.float32
    distance = offset_km.to(precision) / EARTH_RADIUS_KM
    moved = torch.hypot(north_km, east_km).to(precision) / EARTH_RADIUS_KM
    bearing = torch.atan2(east_km, north_km).to(precision)
    # From the direction of the move to that of the station, at the true epicentre.
    angle = torch.deg2rad(azimuth_deg.to(precision)) - bearing
    across = distance.sin() * angle.sin()
    ahead = moved.cos() * distance.sin() * angle.cos() - moved.sin() * distance.cos()
    behind = moved.cos() * distance.cos() + moved.sin() * distance.sin() * angle.cos()
    arc = torch.atan2(torch.hypot(across, ahead), behind)
    azimuth = bearing + torch.atan2(across, ahead)
    parallax = torch.atan2(
        moved.sin() * angle.sin(), distance.sin() * moved.cos() - distance.cos() * moved.sin() * angle.cos()
    )
    back_azimuth = torch.deg2rad(back_azimuth_deg.to(precision)) + parallax
    full = 2 * math.pi
    return (
        (arc * EARTH_RADIUS_KM).to(offset_km),
        torch.rad2deg(azimuth.remainder(full)).to(azimuth_deg),
        torch.rad2deg(back_azimuth.remainder(full)).to(back_azimuth_deg),
    )
