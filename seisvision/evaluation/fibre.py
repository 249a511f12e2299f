"""How well epicentres are known two seconds after the first channel of a fibre has triggered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.base.figure_files import save_figure
from seisvision.data.fibre.record import FibreRecord
from seisvision.data.fibre.sets import read_record
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text
from seisvision.location.fibre.inversion import Solution
from seisvision.location.fibre.line import Line
from seisvision.location.fibre.warning import FEWEST_FOR_ELLIPSE, Update, bounds, chosen, updates
from seisvision.picking.channel_onsets import RunningRatio, first_onsets_s

NEAR_KM = 12.0
WAYS = ("raw", "thinned")
DECIMALS = 4
ALL_CHANNELS = "no ellipse: with every channel counted as independent, ellipses hold far too few"
TOO_FEW = "no ellipse: fewer than {} channels that err on their own; beyond an end they tell a direction, no distance"
"""Where ellipses hold what they say, and where not, is simulated (``benchmarks/fibre_coverage.py``)."""
BOTH_SIDES = "the other side of the fibre fits as well"
LEVELS = (0.68, 0.95)


@dataclass(frozen=True)
class FibreSettings:
    """How fibres are picked and located."""

    ratio: RunningRatio = field(default_factory=lambda: RunningRatio(on=6.0))
    sigma_s: float = 0.1
    """Of a pick and of what the ground beneath it delays, together."""
    correlation_km: float = 3.0
    within_s: float = 2.0
    choice: str = "latest"

    @classmethod
    def of(cls, on: float, sigma_s: float, correlation_km: float, choice: str = "latest") -> FibreSettings:
        """From what a command line states.

        Raises:
            ConfigurationError: a value is not positive.
        """
        if not (sigma_s > 0 and correlation_km > 0):
            raise ConfigurationError(f"sigma_s={sigma_s} and correlation_km={correlation_km} must be positive.")
        return cls(RunningRatio(on=on), sigma_s, correlation_km, choice=choice)


@dataclass(frozen=True)
class Located:
    """One event: what was picked, and all updates of both ways."""

    source_id: str
    line: Line
    onset_s: np.ndarray
    true_km: np.ndarray | None
    """(2,) east and north on the line's plane; None where nobody knows."""
    updates: dict[str, list[Update]]
    choice: str = "latest"

    def counts(self, way: str) -> Update | None:
        """The update of one way that counts."""
        return chosen(self.updates[way], self.choice)

    def row(self, way: str) -> dict[str, Any]:
        """What the table says of one way."""
        best = self.counts(way)
        row: dict[str, Any] = {
            "source_id": self.source_id,
            "channels": way,
            "n_onsets": int(np.isfinite(self.onset_s).sum()),
        }
        if best is None:
            early = self.onset_s[np.isfinite(self.onset_s)]
            soon = int((early < early.min() + 2.0).sum()) if len(early) else 0
            return row | {"reason": f"{soon} picks within 2 s of the first: 101 are needed"}
        has_ellipse = way == "thinned" and bounds(best)
        for name, side in (("", best.best), ("mirror_", best.other)):
            latitude, longitude = self.line.coordinates_deg(side.place_km[:2])
            row |= {f"{name}latitude_deg": float(latitude[0]), f"{name}longitude_deg": float(longitude[0])}
            row[f"{name}probability"] = side.probability if way == "thinned" else np.nan
            for level in LEVELS:
                major, minor, azimuth = side.ellipse_km(level) if has_ellipse else (np.nan,) * 3
                row |= {
                    f"{name}ellipse{100 * level:.0f}_{axis}_km": of for axis, of in (("major", major), ("minor", minor))
                }
            row[f"{name}ellipse_azimuth_deg"] = azimuth
        why = TOO_FEW.format(FEWEST_FOR_ELLIPSE) if way == "thinned" else ALL_CHANNELS
        row |= {
            "n_picks": best.n_picks,
            "n_used": best.n_used,
            "since_s": best.since_s,
            "depth_km": float(best.best.place_km[2]),
            "rms_s": best.best.rms_s,
            "ambiguous": best.ambiguous,
            "curvature_s_m2": best.curvature_s_m2,
            "reason": "; ".join([BOTH_SIDES] * best.ambiguous + [why] * (not has_ellipse)),
        }
        if self.true_km is not None:
            row["error_km"] = self._error_km(best.best)
            row["error_nearer_side_km"] = min(self._error_km(side) for side in (best.best, best.other))
            row["held95"] = self._held(best) if has_ellipse else None
        return row

    def _held(self, update: Update) -> bool:
        """Whether the ellipse of 95 % holds the true epicentre; either of them, where both sides fit."""
        assert self.true_km is not None
        sides = (update.best, update.other)[: 1 + update.ambiguous]
        return any(side.held(self.true_km, 0.95) for side in sides)

    def _error_km(self, side: Solution) -> float:
        assert self.true_km is not None
        return float(np.hypot(*(side.place_km[:2] - self.true_km)))


def located(
    record: FibreRecord,
    source_id: str,
    travel_times: TravelTimes,
    settings: FibreSettings,
    true_deg: tuple[float, float] | None = None,
) -> Located:
    """Pick all channels of a recording and locate as the picks come in, with every channel and with thinned ones."""
    line = Line.of(record.latitude_deg, record.longitude_deg, record.along_m / 1000)
    onset_s = first_onsets_s(record.samples, record.rate_hz, settings.ratio)
    true_km = None
    if true_deg is not None and np.isfinite(true_deg).all():
        true_km = line.kilometres(np.array([true_deg[0]]), np.array([true_deg[1]]))[0]
    found = {
        way: updates(
            line,
            onset_s,
            travel_times,
            sigma_s=settings.sigma_s,
            correlation_km=settings.correlation_km if way == "thinned" else None,
            within_s=settings.within_s,
        )
        for way in WAYS
    }
    return Located(source_id, line, onset_s, true_km, found, settings.choice)


def located_set(path: Path, travel_times: TravelTimes, settings: FibreSettings) -> Iterator[Located]:
    """All events of a waveform set of a fibre."""
    waveforms = WaveformSet(path)
    for source_id in dict.fromkeys(waveforms.table["source_id"].astype(str)):
        row = waveforms.table.iloc[int(waveforms.rows(source_id)[0])]
        place = tuple(float(row.get(f"source_{name}_deg", np.nan)) for name in ("latitude", "longitude"))
        yield located(read_record(waveforms, source_id), source_id, travel_times, settings, (place[0], place[1]))


def table_of(events: list[Located]) -> pd.DataFrame:
    """Two rows an event, raw and thinned."""
    table = pd.DataFrame([event.row(way) for event in events for way in WAYS])
    exact = {"curvature_s_m2": 14, "latitude_deg": 6, "longitude_deg": 6}
    return table.round({name: exact.get(name, DECIMALS) for name in table.select_dtypes("floating").columns})


def summary(table: pd.DataFrame) -> list[str]:
    """One sentence a way: how many were located, how many lie near the truth."""
    lines = []
    for way, rows in table.groupby("channels", sort=False):
        there = rows["latitude_deg"].notna() if "latitude_deg" in rows else pd.Series(False, index=rows.index)
        text = f"{way}: {there.sum()} of {len(rows)} events located within 2 s"
        if "error_km" in rows and there.any():
            known = rows[there & rows["error_km"].notna()]
            near, either = ((known[name] <= NEAR_KM).sum() for name in ("error_km", "error_nearer_side_km"))
            text += (
                f"; {near} of {len(rows)} within {NEAR_KM:g} km ({either} counting the nearer side), median "
                f"{known['error_km'].median():.1f} km"
            )
            held = rows["held95"].dropna()
            if len(held):
                text += f"; ellipses of 95 % held {held.sum()} of {len(held)}"
        lines.append(text)
    return lines


def _ring_km(side: Solution) -> np.ndarray:
    """Ellipse of 95 % of an epicentre, (2, 90) east and north."""
    major, minor, azimuth = side.ellipse_km(0.95)
    turn, along = np.linspace(0, 2 * np.pi, 90), np.radians(azimuth)
    first = np.array([np.sin(along), np.cos(along)])
    across = np.array([first[1], -first[0]])
    return side.place_km[:2, None] + major * first[:, None] * np.cos(turn) + minor * across[:, None] * np.sin(turn)


def draw(events: list[Located], path: Path, most: int = 6) -> Path:
    """Maps of the first events: fibre, both solutions of every update, ellipses of 95 %, truth; onsets by channel."""
    shown = [event for event in events if any(event.updates.values())][:most] or events[:1]
    figure, panels = panel_grid(len(shown), 2, 5.0, 3.6)
    for event, map_, times in zip(shown, panels[::2], panels[1::2], strict=True):
        map_.plot(*event.line.channel_km.T, color="0.6", lw=3, label="fibre")
        for way, colour in zip(WAYS, COLOURS, strict=False):
            for update in event.updates[way]:
                for side, marker in ((update.best, "o"), (update.other, "x")):
                    map_.plot(*side.place_km[:2], marker, color=colour, ms=3, alpha=0.4)
            best = event.counts(way)
            if best is not None:
                map_.plot(*best.best.place_km[:2], "o", color=colour, label=f"{way}, the one that counts")
                map_.plot(*best.other.place_km[:2], "x", color=colour, ms=8, label=f"{way}, other side")
                if way == "thinned" and bounds(best):
                    for side, style in ((best.best, "-"), (best.other, ":")):
                        map_.plot(*_ring_km(side), style, color=colour, lw=1)
        if event.true_km is not None:
            map_.plot(*event.true_km, "k*", ms=11, label="true")
        map_.set(xlabel="east (km)", ylabel="north (km)", title=plain_text(event.source_id))
        map_.set_aspect("equal", adjustable="datalim")
        seen = np.isfinite(event.onset_s)
        first = np.nanmin(event.onset_s) if seen.any() else 0.0
        times.plot(event.line.along_km[seen], event.onset_s[seen] - first, ".", ms=2, color="0.3")
        times.axhspan(0, 2, color=COLOURS[0], alpha=0.1)
        times.set(xlabel="along the fibre (km)", ylabel="onset after the first (s)", ylim=(-0.5, 12))
    panels[0].legend(fontsize=6)
    return save_figure(figure, path)
