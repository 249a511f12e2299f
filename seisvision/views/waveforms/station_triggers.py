"""Which stations of a network have triggered by a time, and when: numbers instead of waveforms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.picking.channel_onsets import LOCAL_STATIONS, first_onsets_s
from seisvision.views.settings import one_of, positive
from seisvision.views.view import View
from seisvision.views.waveforms.drawing import draw_lines
from seisvision.views.waveforms.station_matrix import FIRST

UNIT_S = 10.0
"""Seconds that a value of 1 stands for."""
VERTICAL = "Z"


class StationTriggers(View):
    """Triggers of S stations with fixed places: (B, 1, 2 S + 1).

    For each station whether it has triggered by the time asked about; then for each how long after the first trigger it
    did, or, where it has not, how long the network has waited; last that time itself. Times are in units of 10 s.
    Absent stations have neither: zero, as if they had triggered first without being counted. Before the first trigger,
    and where there is none, all is zero: which station it will be is not known yet.

    Args:
        n_stations: S, the number of ``dataset.samples.network``.
        longest_s: time after the first trigger from which nothing changes any more.
        truncate_s: seconds after the first trigger about which is asked; None: ``longest_s``. A batch that tells how
            much is seen (``SEEN_S``) goes before.
        first: what a trigger is: ``arrival``, the P that the batch knows, and of stations without one what is
            detected; ``onset``: what is detected at all. Detected is by running averages of the vertical component (of
            the first, where there is none), since onsets of the samples are measured by the whole recording, the
            future with it.
        components: of the waveforms.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for another number of stations.

    Reference: Boese, Wenzel & Erdik (2008), PreSEIS: a neural network-based approach to earthquake early warning for
    finite faults, BSSA 98, 366-382.
    """

    sees_truncation = True
    fixed_stations = True

    def __init__(
        self,
        n_stations: int,
        longest_s: float = 15.0,
        truncate_s: float | None = None,
        first: str = "arrival",
        components: str = "Z",
    ) -> None:
        super().__init__()
        self.n_stations = int(positive("n_stations", n_stations))
        self.longest_s, self.truncate_s = float(positive("longest_s", longest_s)), truncate_s
        self.first, self.components = one_of("first", first, FIRST), components
        self.out_channels = self.height = 1
        self.width = 2 * self.n_stations + 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(1, 2 S + 1)."""
        return 1, self.width

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Flags, times and the time asked about, float32 (B, 1, 2 S + 1)."""
        mask = batch[keys.STATION_MASK]
        if mask.shape[1] != self.n_stations:
            raise ConfigurationError(
                f"view.n_stations={self.n_stations}, but the samples have {mask.shape[1]} stations; set "
                "dataset.samples.network={stations: training} and view.n_stations to their number."
            )
        trigger_s = self._triggers_s(batch).masked_fill(~mask, math.nan)
        first_s = trigger_s.nan_to_num(math.inf).amin(1)
        if keys.SEEN_S in batch:
            asked_s = batch[keys.SEEN_S].to(first_s)
        else:
            asked_s = first_s + (math.inf if self.truncate_s is None else self.truncate_s)
        # Where all is seen the difference is infinite, and no number where nothing triggers either.
        elapsed_s = (asked_s - first_s).nan_to_num(0.0, posinf=self.longest_s).clamp(0, self.longest_s)[:, None]
        after_s = (trigger_s - first_s[:, None]).nan_to_num(math.inf)
        triggered = mask & (trigger_s <= asked_s[:, None]) & (after_s <= self.longest_s)
        told_s = torch.where(triggered, after_s, elapsed_s) * mask
        return torch.cat([triggered.to(told_s), told_s / UNIT_S, elapsed_s / UNIT_S], 1)[:, None].float()

    def _triggers_s(self, batch: dict[str, Any]) -> torch.Tensor:
        """Triggers (B, S) after the window start; NaN where there is none."""
        known = batch[keys.ARRIVALS_S][..., 0] if self.first == "arrival" and keys.ARRIVALS_S in batch else None
        if known is not None and not (known.isnan() & batch[keys.STATION_MASK]).any():
            return known
        channel = self.components.index(VERTICAL) if VERTICAL in self.components else 0
        samples = batch[keys.WAVEFORM][:, :, channel].float().cpu().numpy()
        found_s = detected_s(samples.reshape(-1, samples.shape[-1]), float(batch[keys.SAMPLING_RATE_HZ]))
        detected = torch.from_numpy(found_s).float().view(samples.shape[:2]).to(batch[keys.WAVEFORM].device)
        return detected if known is None else torch.where(known.isnan(), detected, known)

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return the numbers as a line for people: uint8 (B, H, W, 3)."""
        return draw_lines(image)

    def describe(self) -> dict[str, str]:
        """What the numbers are."""
        n = self.n_stations
        return {"triggers": f"{n} flags, {n} times after the first trigger and the time asked about, in {UNIT_S:g} s"}


def detected_s(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    """Triggers (N,) of recordings (N, T), in seconds; NaN where there is none.

    A trigger is known once its sample has come in. Where a window begins before its recording, zeros come first: they
    are no background.
    """
    # Below 8 Hz the band begins lower, to be one at all.
    settings = replace(LOCAL_STATIONS, band_hz=(min(LOCAL_STATIONS.band_hz[0], rate_hz / 8), LOCAL_STATIONS.band_hz[1]))
    begins = (samples != 0).argmax(1)
    found_s = np.full(len(samples), np.nan)
    for begin in np.unique(begins):
        rows = begins == begin
        found_s[rows] = first_onsets_s(samples[rows, begin:], rate_hz, settings) + (begin + 1) / rate_hz
    return found_s
