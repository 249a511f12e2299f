"""Which stations of a network have triggered by a time, and when: numbers instead of waveforms."""

from __future__ import annotations

import math
from typing import Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.settings import one_of, positive
from seisvision.views.view import View
from seisvision.views.waveforms.drawing import draw_lines
from seisvision.views.waveforms.station_matrix import FIRST, first_arrival_s, seen_samples

UNIT_S = 10.0
"""Seconds that a value of 1 stands for."""


class StationTriggers(View):
    """Triggers of S stations with fixed places: (B, 1, 2 S + 1).

    For each station whether it has triggered by the time asked about; then for each how long after the first trigger it
    did, or, where it has not, how long the network has waited; last that time itself. Times are in units of 10 s.
    Absent stations have neither: zero, as if they had triggered first without being counted.

    Args:
        n_stations: S, the number of ``dataset.samples.network``.
        longest_s: time after the first trigger from which nothing changes any more.
        truncate_s: seconds after the first trigger about which is asked; None: ``longest_s``. A batch that tells how
            much is seen (``SEEN_S``) goes before.
        first: what a trigger is: ``arrival``, the P that the batch knows; ``onset``, what was detected.
        components: of the waveforms, which are read but not looked at.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for another number of stations.

    Reference: Boese, Wenzel & Erdik (2008), PreSEIS: a neural network-based approach to earthquake early warning for
    finite faults, BSSA 98, 366-382.
    """

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
        known = batch[keys.ARRIVALS_S][..., 0] if self.first == "arrival" and keys.ARRIVALS_S in batch else None
        trigger_s = batch[keys.ONSET_S] if known is None else torch.where(known.isnan(), batch[keys.ONSET_S], known)
        first_s = first_arrival_s(batch | {keys.ARRIVALS_S: trigger_s[..., None]})
        asked_s = seen_samples(batch, self.truncate_s, self.first) / float(batch[keys.SAMPLING_RATE_HZ])
        # Where all is seen, or no trigger is known, the difference is infinite or no number.
        elapsed_s = (asked_s - first_s).nan_to_num(self.longest_s).clamp(0, self.longest_s)[:, None]
        after_s = (trigger_s - first_s[:, None]).nan_to_num(math.inf)
        triggered = mask & (after_s <= elapsed_s)
        told_s = torch.where(triggered, after_s, elapsed_s) * mask
        return torch.cat([triggered.to(told_s), told_s / UNIT_S, elapsed_s / UNIT_S], 1)[:, None].float()

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return the numbers as a line for people: uint8 (B, H, W, 3)."""
        return draw_lines(image)

    def describe(self) -> dict[str, str]:
        """What the numbers are."""
        n = self.n_stations
        return {"triggers": f"{n} flags, {n} times after the first trigger and the time asked about, in {UNIT_S:g} s"}
