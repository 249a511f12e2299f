"""How an archive is picked: everything on which the table of picks depends, beside network and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from seisvision.archives.stacking import STACKS
from seisvision.errors import ConfigurationError, did_you_mean

WINDOWS = ("grid", "blocks")
THRESHOLD = 0.3


@dataclass(frozen=True)
class PickSettings:
    """Settings of ``seisvision pick``.

    Args:
        thresholds: probability by phase that a pick must reach; 0.3 for phases that are not named.
        overlap: part of a window that the next one sees, too.
        blind_s: at either end of a window its curve does not count; None: a twelfth of the window.
        stack: ``mean`` or ``max`` of the windows that see a sample.
        separation_s: no other pick of a phase is so close.
        shortest_s: pieces of a recording between gaps that are shorter are not picked.
        windows: ``grid``: where they lie does not depend on the recording, gaps are bridged; ``blocks``: from the first
            sample of every unbroken block, with zeros in gaps of single components, as SeisBench does.
        piece_s: how much is read and computed at a time.
        batch_size: windows at a time.
        rate_hz: at which the network gets the recordings, instead of the one it was trained with: events that are a
            tenth as long and a tenth as far away look, at ten times the rate, like those it knows. None: its own.
        stretch: rules take recordings for so many times as long as they are, with events of a tenth of the usual length
            and ten times the usual frequencies for 10. Not for networks, which have ``rate_hz``.
        bands: band and instrument codes that are picked, in this order; empty: all.
        all_sensors: pick every sensor of a station, each by itself.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    overlap: float = 0.5
    blind_s: float | None = None
    stack: str = "mean"
    separation_s: float = 0.5
    shortest_s: float = 2.0
    windows: str = "grid"
    piece_s: float = 7200.0
    batch_size: int = 32
    rate_hz: float | None = None
    bands: tuple[str, ...] = ()
    all_sensors: bool = False
    stretch: float = 1.0

    def __post_init__(self) -> None:
        for phase, value in self.thresholds.items():
            if not 0 < value <= 1:
                raise ConfigurationError(f"--threshold {phase}={value:g} is not allowed; give more than 0, at most 1.")
        for option, value, low, high in (
            ("overlap", self.overlap, 0.0, 0.95), ("separation", self.separation_s, 0.01, 60.0),
            ("shortest", self.shortest_s, 0.0, 3600.0), ("blind", self.blind_s or 0.0, 0.0, 3600.0),
            ("piece", self.piece_s, 600.0, 86400.0), ("batch-size", self.batch_size, 1, 100_000),
            ("rate", self.rate_hz or 1.0, 0.1, 100_000.0), ("stretch", self.stretch, 0.01, 1000.0),
        ):  # fmt: skip
            if not low <= value <= high:
                raise ConfigurationError(f"--{option} {value:g} is not allowed; give {low:g} to {high:g}.")
        for option, word, allowed in (("stack", self.stack, STACKS), ("windows", self.windows, WINDOWS)):
            if word not in allowed:
                raise ConfigurationError(f"--{option} {word} is unknown. {did_you_mean(word, list(allowed))}")

    def threshold(self, phase: str) -> float:
        """Of a phase."""
        return float(self.thresholds.get(phase, THRESHOLD))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`of` reads them again."""
        return {**asdict(self), "thresholds": dict(self.thresholds), "bands": list(self.bands)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> PickSettings:
        """Inverse of :meth:`to_dict`."""
        return cls(**{**stored, "bands": tuple(stored["bands"])})
