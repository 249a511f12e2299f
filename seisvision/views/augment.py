"""Augmentation of waveforms, on the device, before anything is drawn."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, stream_seed

MIN_STATIONS = 3
"""Stations that dropout always leaves, as far as the event has them: fewer show no moveout."""


class Augment(nn.Module):
    """Physically harmless changes of a batch of waveforms; never a flip in time or distance, never a crop.

    Args:
        time_shift_s: all traces of an event move together, earlier or later by up to this; what comes in is
            zero. Onsets and window starts move along. Do not use it where the origin time matters, as for
            force azimuths.
        amplitude_jitter_db: every trace is scaled by a factor drawn evenly within plus and minus this.
        noise_fraction: white noise of this share of each component's root mean square is added.
        station_dropout: probability that a station is left out; at least three stay.
        polarity_flip: turn all traces of an event over with probability one half.
        seed: base seed. Draws depend on it and on epoch, step and rank alone, and are made on the processor,
            so that neither a resumed run nor another device sees other numbers.

    Raises ConfigurationError for a negative amount or a probability outside [0, 1).
    """

    def __init__(
        self,
        time_shift_s: float = 0.0,
        amplitude_jitter_db: float = 0.0,
        noise_fraction: float = 0.0,
        station_dropout: float = 0.0,
        polarity_flip: bool = False,
        seed: int = DEFAULT_SEED,
    ) -> None:
        super().__init__()
        amounts = {
            "time_shift_s": time_shift_s,
            "amplitude_jitter_db": amplitude_jitter_db,
            "noise_fraction": noise_fraction,
            "station_dropout": station_dropout,
        }
        for setting, amount in amounts.items():
            if not amount >= 0 or (setting == "station_dropout" and amount >= 1):
                allowed = "at least 0 and less than 1" if setting == "station_dropout" else "at least 0"
                raise ConfigurationError(f"{setting}={amount} is not allowed; it must be {allowed}")
        self.time_shift_s, self.amplitude_jitter_db = time_shift_s, amplitude_jitter_db
        self.noise_fraction, self.station_dropout = noise_fraction, station_dropout
        self.polarity_flip, self.seed = polarity_flip, seed

    @torch.no_grad()
    def forward(self, batch: dict[str, Any], epoch: int, step: int, rank: int = 0) -> dict[str, Any]:
        """Return a changed copy of ``batch``; the tensors of ``batch`` itself are left alone."""
        batch = dict(batch)
        events, stations, _, _ = batch[keys.WAVEFORM].shape
        # Every draw is made whether it is used or not: switching one change on leaves the others as they were.
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "augment", epoch, step, rank))
        shift = torch.rand(events, generator=generator).mul_(2).sub_(1)
        sign = torch.rand(events, generator=generator).sub_(0.5).sign_()
        gain = torch.rand(events, stations, generator=generator).mul_(2).sub_(1)
        luck = torch.rand(events, stations, generator=generator)
        if self.time_shift_s:
            self._shift(batch, shift)
        if self.amplitude_jitter_db or self.polarity_flip:
            factor = torch.pow(10.0, gain * (self.amplitude_jitter_db / 20))
            factor = factor * sign[:, None] if self.polarity_flip else factor
            waveform = batch[keys.WAVEFORM]
            batch[keys.WAVEFORM] = waveform * factor[..., None, None].to(waveform)
        if self.noise_fraction:
            self._add_noise(batch, generator)
        if self.station_dropout:
            self._drop(batch, luck)
        return batch

    def _shift(self, batch: dict[str, Any], shift: torch.Tensor) -> None:
        """Delay the events by ``shift`` (B,) times the largest shift, to the nearest sample."""
        waveform, rate_hz = batch[keys.WAVEFORM], float(batch[keys.SAMPLING_RATE_HZ])
        samples = (shift * (self.time_shift_s * rate_hz)).round().long().to(waveform.device)
        source = torch.arange(waveform.shape[-1], device=waveform.device) - samples[:, None]
        inside = (source >= 0) & (source < waveform.shape[-1])
        source = source.clamp_(0, waveform.shape[-1] - 1)[:, None, None].expand_as(waveform)
        batch[keys.WAVEFORM] = waveform.gather(-1, source) * inside[:, None, None]
        seconds = (samples / rate_hz)[:, None]
        batch[keys.ONSET_S] = batch[keys.ONSET_S] + seconds
        batch[keys.START_S] = batch[keys.START_S] - seconds

    def _add_noise(self, batch: dict[str, Any], generator: torch.Generator) -> None:
        waveform = batch[keys.WAVEFORM]
        noise = torch.randn(waveform.shape, generator=generator).to(waveform)
        strength = self.noise_fraction * waveform.square().mean(-1, keepdim=True).sqrt()
        batch[keys.WAVEFORM] = waveform + noise * strength

    def _drop(self, batch: dict[str, Any], luck: torch.Tensor) -> None:
        """Leave out stations whose ``luck`` (B, S) is below the dropout, sparing the luckiest three."""
        mask = batch[keys.STATION_MASK]
        luck = luck.to(mask.device).masked_fill(~mask, -1.0)
        rank = luck.argsort(dim=-1, descending=True).argsort(dim=-1)
        kept = mask & ((luck >= self.station_dropout) | (rank < MIN_STATIONS))
        batch[keys.STATION_MASK] = kept
        batch[keys.COMPONENT_MASK] = batch[keys.COMPONENT_MASK] & kept[..., None]
        batch[keys.WAVEFORM] = batch[keys.WAVEFORM] * kept[..., None, None]
