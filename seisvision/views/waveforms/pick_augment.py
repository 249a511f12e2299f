"""Changes of single recordings that a picker must not mind, and that move no arrival without telling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.base.devices import device_generator, kept, sent
from seisvision.base.share import Share
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, stream_seed
from seisvision.views.settings import ordered_range
from seisvision.views.waveforms.reverberation import reverberated, tail_samples

GAP_S = 0.25
"""Zeros for so long were not recorded; shorter runs are where a recording in whole numbers crosses zero."""
RAMP_S = 0.5
"""What comes again is faded in for so long."""
HIGHEST_SLOPE = 1.0
"""Noise has amplitudes between white and falling with this power of the frequency."""


class PickAugment(nn.Module):
    """Reverberation, second events, noise, gaps, lost components and other amplitudes, for windows of single traces.

    Each change is made with a probability of its own, and every sample draws from (seed, epoch, step) alone, so that
    neither the number of processes nor an interruption shows; noise and tails are drawn where the waveforms are, and
    are others on another kind of device. Polarity stays. Windows that lie elsewhere in every epoch
    are those of ``dataset.traces.window.redrawn``.

    Args:
        reverberation: probability that the ground under the station goes on moving after every arrival, which synthetic
            recordings lack, see :mod:`~seisvision.views.waveforms.reverberation`.
        reverberation_s: range of the time in which that falls to 1/e, drawn evenly in its logarithm.
        reverberation_db: range of its energy over that of what it follows.
        second_event: probability that the recording comes once more over itself, later, weaker or stronger and turned
            over or not; its arrivals are true as well. Windows without any known arrival stay as they are.
        second_delay_s: range of its delay.
        second_db: range of its amplitude over that of the first.
        noise: probability of added noise of a colour between white and red.
        noise_db: range of its root mean square over that of the recording.
        gap: probability that all components stop for a while; of an arrival within nothing is known then.
        gap_s: range of its length.
        drop_component: probability for each component that it was not recorded; one always stays.
        vertical_only: probability that only ``Z`` was.
        amplitude_db: all components are scaled by a factor drawn evenly within plus and minus this.
        components: order of the components, as in the view.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    def __init__(
        self,
        reverberation: float = 0.0,
        reverberation_s: Sequence[float] = (0.05, 1.0),
        reverberation_db: Sequence[float] = (-6.0, 12.0),
        second_event: float = 0.2,
        second_delay_s: Sequence[float] = (2.0, 12.0),
        second_db: Sequence[float] = (-12.0, 6.0),
        noise: float = 0.3,
        noise_db: Sequence[float] = (-30.0, -5.0),
        gap: float = 0.1,
        gap_s: Sequence[float] = (0.2, 3.0),
        drop_component: float = 0.05,
        vertical_only: float = 0.1,
        amplitude_db: float = 6.0,
        components: str = keys.COMPONENTS,
        seed: int = DEFAULT_SEED,
    ) -> None:
        super().__init__()
        self.chances = {
            "second_event": second_event, "noise": noise, "gap": gap, "drop_component": drop_component,
            "vertical_only": vertical_only,
        }  # fmt: skip
        for name, chance in {"reverberation": reverberation, **self.chances}.items():
            if not 0 <= chance <= 1:
                raise ConfigurationError(f"{name}={chance} is not allowed; give a probability from 0 to 1")
        if not amplitude_db >= 0:
            raise ConfigurationError(f"amplitude_db={amplitude_db} is not allowed; give decibels of at least 0")
        self.reverberation = reverberation
        self.reverberation_s = _seconds("reverberation_s", reverberation_s)
        if not self.reverberation_s[0] > 0:
            raise ConfigurationError(f"reverberation_s={reverberation_s} is not allowed; give seconds above 0")
        self.reverberation_db = ordered_range("reverberation_db", reverberation_db)
        self.second_delay_s = _seconds("second_delay_s", second_delay_s)
        self.second_db = ordered_range("second_db", second_db)
        self.noise_db = ordered_range("noise_db", noise_db)
        self.gap_s = _seconds("gap_s", gap_s)
        self.amplitude_db, self.components, self.seed = amplitude_db, components, seed

    @torch.no_grad()
    def forward(self, batch: dict[str, Any], epoch: int, step: int, share: Share | None = None) -> dict[str, Any]:
        """Return a changed copy of ``batch``; the tensors of ``batch`` itself are left alone.

        Args:
            batch: of this process, of single traces.
            epoch, step: number the batch.
            share: what part of the global batch it is; ``None``: all of it.
        """
        batch = dict(batch)
        share = share or Share(n_samples=len(batch[keys.WAVEFORM]), n_stations=1)
        # Every draw is made whether it is used or not: switching one change on leaves the others as they were.
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "pick augment", epoch, step, 0))
        n_draws = 12 + len(self.components)
        draws = share.of(torch.rand(share.n_samples, n_draws, generator=generator))
        draws = sent(draws, batch[keys.WAVEFORM].device)
        happens = {name: draws[:, number] < chance for number, (name, chance) in enumerate(self.chances.items())}
        values = dict(zip(("delay", "level", "sign", "noise", "slope", "gap", "place"), draws[:, 5:12].T, strict=True))
        self._reverberate(batch, share, (epoch, step))
        self._second(batch, happens["second_event"], values)
        self._noise(batch, happens["noise"], values, share, (epoch, step))
        self._gap(batch, happens["gap"], values)
        self._lose(batch, draws[:, 12:] < self.chances["drop_component"], happens["vertical_only"], draws[:, 12:])
        if self.amplitude_db:
            decibels = (2 * draws[:, 3] - 1) * self.amplitude_db
            batch[keys.WAVEFORM] = batch[keys.WAVEFORM] * _factor(decibels)[:, None, None, None]
        return batch

    def _reverberate(self, batch: dict[str, Any], share: Share, number: tuple[int, int]) -> None:
        """Put loose ground under the stations."""
        if not self.reverberation:
            return
        waveform, rate_hz = batch[keys.WAVEFORM], float(batch[keys.SAMPLING_RATE_HZ])
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "pick augment/reverberation", *number, 0))
        draws = sent(share.of(torch.rand(share.n_samples, 3, generator=generator)), waveform.device)
        n_components, n_tail = waveform.shape[-2], tail_samples(self.reverberation_s[1], rate_hz)
        if waveform.device.type != "cpu":
            seed = stream_seed(self.seed, "pick augment/tails", *number, 0)
            generator = device_generator(waveform.device, seed)
        shape = (share.n_samples, n_components, n_components, n_tail)
        tails = torch.randn(shape, generator=generator, device=waveform.device)
        shortest, longest = (math.log(one) for one in self.reverberation_s)
        changed = reverberated(
            waveform,
            rate_hz,
            _between(draws[:, 1], (shortest, longest)).exp(),
            _between(draws[:, 2], self.reverberation_db),
            share.of(tails).to(waveform),
        )
        happens = (draws[:, 0] < self.reverberation)[:, None, None, None]
        # What was not recorded stays so.
        batch[keys.WAVEFORM] = torch.where(happens, changed * _recorded(waveform, rate_hz), waveform)

    def _second(self, batch: dict[str, Any], happens: torch.Tensor, values: dict[str, torch.Tensor]) -> None:
        """Lay the recording over itself, from a delay on."""
        waveform, arrivals_s = batch[keys.WAVEFORM], batch[keys.ARRIVALS_S]
        rate_hz, n_samples = float(batch[keys.SAMPLING_RATE_HZ]), waveform.shape[-1]
        # What comes again has to begin in quiet: cut into an event, it would begin with a step.
        events_s = arrivals_s[:, :, None]
        if keys.MORE_ARRIVALS_S in batch:
            events_s = torch.cat([events_s, batch[keys.MORE_ARRIVALS_S]], 2)
        quiet = events_s.nan_to_num(torch.inf).amin((1, 2, 3)) > RAMP_S
        is_alone = ~events_s[:, :, 1:].isfinite().any((1, 2, 3))
        happens = happens & quiet & is_alone & arrivals_s.isfinite().any(-1)[:, 0]
        samples = (_between(values["delay"], self.second_delay_s) * rate_hz).round().long()
        source = torch.arange(n_samples, device=waveform.device) - samples[:, None]
        later = (
            waveform.gather(-1, source.clamp_min(0)[:, None, None].expand_as(waveform)) * (source >= 0)[:, None, None]
        )
        factor = _factor(_between(values["level"], self.second_db)) * torch.where(values["sign"] < 0.5, -1.0, 1.0)
        ramp = (source / (RAMP_S * rate_hz)).clamp(0, 1)[:, None, None]
        # A gap stays one.
        later = later * ramp * _recorded(waveform, rate_hz)
        batch[keys.WAVEFORM] = waveform + later * (factor * happens)[:, None, None, None]
        again_s = events_s + (samples / rate_hz)[:, None, None, None]
        again_s = again_s.masked_fill(~happens[:, None, None, None], torch.nan)
        batch[keys.MORE_ARRIVALS_S] = torch.cat([events_s[:, :, 1:], again_s], 2)

    def _noise(
        self, batch: dict[str, Any], happens: torch.Tensor, values: dict[str, torch.Tensor], share: Share,
        number: tuple[int, int],
    ) -> None:  # fmt: skip
        if not self.chances["noise"]:
            return
        waveform = batch[keys.WAVEFORM]
        # A stream of its own, as long as the windows are.
        generator = device_generator(waveform.device, stream_seed(self.seed, "pick augment/noise", *number, 0))
        shape = (share.n_samples, *waveform.shape[1:])
        white = share.of(torch.randn(shape, generator=generator, device=waveform.device)).to(waveform)
        spectrum = torch.fft.rfft(white)
        place = torch.arange(spectrum.shape[-1], device=waveform.device).clamp_min(1).to(waveform)
        shaped = spectrum * place ** -(values["slope"] * HIGHEST_SLOPE)[:, None, None, None]
        coloured = torch.fft.irfft(shaped, n=waveform.shape[-1])
        level, target = (one.square().mean((1, 2, 3), keepdim=True).sqrt() for one in (coloured, waveform))
        factor = _factor(_between(values["noise"], self.noise_db)) * happens
        scale = factor[:, None, None, None] * target / level.clamp_min(1e-30)
        # Where nothing was recorded there is no noise either.
        recorded = _recorded(waveform, float(batch[keys.SAMPLING_RATE_HZ]))
        batch[keys.WAVEFORM] = waveform + coloured * scale * recorded

    def _gap(self, batch: dict[str, Any], happens: torch.Tensor, values: dict[str, torch.Tensor]) -> None:
        waveform = batch[keys.WAVEFORM]
        rate_hz, n_samples = float(batch[keys.SAMPLING_RATE_HZ]), waveform.shape[-1]
        length_s = _between(values["gap"], self.gap_s)
        begin_s = values["place"] * (n_samples / rate_hz - length_s).clamp_min(0)
        end_s = begin_s + length_s
        time_s = torch.arange(n_samples, device=waveform.device) / rate_hz
        lost = (time_s >= begin_s[:, None]) & (time_s < end_s[:, None]) & happens[:, None]
        batch[keys.WAVEFORM] = waveform * ~lost[:, None, None]
        for key in (keys.ARRIVALS_S, keys.MORE_ARRIVALS_S):
            if key not in batch:
                continue
            arrivals_s = batch[key]
            begin, end, there = (one.reshape(-1, *[1] * (arrivals_s.ndim - 1)) for one in (begin_s, end_s, happens))
            inside = (arrivals_s >= begin) & (arrivals_s < end) & there
            batch[key] = arrivals_s.masked_fill(inside, torch.nan)

    def _lose(self, batch: dict[str, Any], lost: torch.Tensor, vertical_only: torch.Tensor, luck: torch.Tensor) -> None:
        waveform = batch[keys.WAVEFORM]
        live = (waveform != 0).any(-1)[:, 0]
        is_vertical = _is_vertical(self.components, lost.device)
        has_vertical = (live & is_vertical).any(-1)
        lost = lost | ((vertical_only & has_vertical)[:, None] & ~is_vertical)
        kept = live & ~lost
        # The luckiest of those that were recorded always stays.
        best = torch.nn.functional.one_hot(luck.masked_fill(~live, -1.0).argmax(-1), luck.shape[-1]).bool()
        kept = torch.where(kept.any(-1, keepdim=True), kept, best & live)
        batch[keys.WAVEFORM] = waveform * kept[:, None, :, None]
        if keys.COMPONENT_MASK in batch:
            batch[keys.COMPONENT_MASK] = batch[keys.COMPONENT_MASK] & kept[:, None]


def _recorded(waveform: torch.Tensor, rate_hz: float) -> torch.Tensor:
    """1 where a recording (B, S, C, T) has no gap, else 0."""
    half = max(1, round(GAP_S * rate_hz / 2))
    lines = (waveform != 0).to(waveform).flatten(0, 2)[:, None]
    grown = torch.nn.functional.max_pool1d(lines, 2 * half + 1, 1, half)
    return -torch.nn.functional.max_pool1d(-grown, 2 * half + 1, 1, half).reshape(waveform.shape)


@kept
def _is_vertical(components: str, device: torch.device) -> torch.Tensor:
    return torch.tensor([name == "Z" for name in components], device=device)


def _seconds(setting: str, value: Any) -> tuple[float, float]:
    ends = ordered_range(setting, value)
    if ends[0] < 0:
        raise ConfigurationError(f"{setting}={value} is not allowed; give seconds of at least 0")
    return ends


def _between(values: torch.Tensor, ends: tuple[float, float]) -> torch.Tensor:
    """Draws from [0, 1) as draws between two ends."""
    return ends[0] + values * (ends[1] - ends[0])


def _factor(decibels: torch.Tensor) -> torch.Tensor:
    return torch.pow(10.0, decibels / 20)
