"""Picks and the arrival locator as somebody who is asked early: stations that have not triggered yet count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.evaluation.warning.one_source import FEWEST_TRIGGERS, TriedPlaces
from seisvision.evaluation.warning.said import Said
from seisvision.location.arrivals.locate import locate_arrivals
from seisvision.picking.channel_onsets import LOCAL_STATIONS, RunningRatio, all_onsets

CHI_SQUARE2_95 = 5.9915
MOST_NETWORKS = 16
"""Of which the travel times to all tried places are kept: some megabytes each."""
QUIET_S = 1.0
"""After which a station may trigger again."""


@dataclass(frozen=True)
class CensoredLocator:
    """Triggers of running averages that fit one source, located with the stations that are still silent.

    An alert, and a place, need four triggers of one source (``one_source.py: TriedPlaces``); others are left out.
    Nothing after the time of asking has a say: the averages run, and a trigger counts from its own time on. It has
    no magnitude.

    Attributes:
        latitude_deg, longitude_deg: (N, S) of the stations, NaN for padding.
        onset_s: (N, S, K) triggers after the first sample, NaN where there is none.
        travel_times: of the P wave.
        sigma_s: standard deviation of a trigger.
        depth_limits_km: where sources may lie.
        name: what the table calls it.
    """

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    onset_s: np.ndarray
    travel_times: TravelTimes
    sigma_s: float = 0.15
    depth_limits_km: tuple[float, float] = (0.0, 30.0)
    name: str = "triggers and locator"

    def said(self, seen_s: np.ndarray) -> Said:
        """Places of the recordings of which ``seen_s`` (N,) seconds have come in."""
        there = np.isfinite(self.latitude_deg)
        with np.errstate(invalid="ignore"):
            come_in = there[..., None] & (self.onset_s <= seen_s[:, None, None])
        waiting = there & ~come_in.any(2)
        first_s = np.full(there.shape, np.nan)
        for row in range(len(seen_s)):
            station, number = np.nonzero(come_in[row])
            times_s = self.onset_s[row, station, number]
            if len(times_s) >= FEWEST_TRIGGERS:
                chosen = self._places(row).agreeing(times_s, station, there[row], 0.0)
                first_s[row, station[chosen]] = times_s[chosen]
        triggered = np.isfinite(first_s)
        # What triggered on something else says neither when the wave came nor that it did not.
        there = triggered | waiting
        said = Said.nothing(len(seen_s))
        said.alert[:] = triggered.sum(1) >= FEWEST_TRIGGERS
        rows = np.flatnonzero(said.alert == 1)
        if not len(rows):
            return said
        time_s = np.where(triggered, first_s, seen_s[:, None])[rows]
        zeros = np.zeros_like(time_s)
        found = locate_arrivals(
            np.nan_to_num(self.latitude_deg[rows]),
            np.nan_to_num(self.longitude_deg[rows]),
            zeros,
            zeros.astype(np.int64),
            time_s,
            np.full_like(time_s, self.sigma_s),
            self.travel_times,
            mask=there[rows],
            not_yet=waiting[rows],
            depth_limits_km=self.depth_limits_km,
        )
        for name in ("latitude_deg", "longitude_deg", "depth_km"):
            getattr(said, name)[rows] = getattr(found, name).numpy()
        covariance = _covariance(found.ellipse95)
        # Where a second place fits as well, a region around one of them alone would not hold its share.
        covariance[found.ambiguous.numpy()] = np.nan
        said.covariance_km2[rows] = covariance
        return said

    @cached_property
    def _tried(self) -> dict[bytes, TriedPlaces]:
        """Of the networks that have been asked about."""
        return {}

    def _places(self, row: int) -> TriedPlaces:
        """What is tried for the stations of a recording."""
        where = self.latitude_deg[row], self.longitude_deg[row]
        key = np.stack(where).tobytes()
        if key not in self._tried:
            if len(self._tried) == MOST_NETWORKS:
                self._tried.clear()
            self._tried[key] = TriedPlaces.about(*where, self.travel_times)
        return self._tried[key]


def _covariance(ellipse95) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Covariances (N, 2, 2), east and north, whose normal distribution has these 95 % ellipses."""
    major, minor = (axis.numpy() ** 2 / CHI_SQUARE2_95 for axis in (ellipse95.major_km, ellipse95.minor_km))
    turn = np.radians(ellipse95.azimuth_deg.numpy())
    along = np.stack([np.sin(turn), np.cos(turn)], 1)
    across = np.stack([np.cos(turn), -np.sin(turn)], 1)
    return (
        major[:, None, None] * along[:, :, None] * along[:, None]
        + minor[:, None, None] * across[:, :, None] * across[:, None]
    )


def triggers_s(samples: list[np.ndarray], rate_hz: float, settings: RunningRatio | None = None) -> np.ndarray:
    """Triggers (N, S, K) of the vertical components of N recordings (S_i, T), NaN for padding and where none is.

    All of a station are kept, not the first alone: noise may have triggered it before.
    """
    settings = settings or LOCAL_STATIONS
    found = [all_onsets(one, np.ones(one.shape, bool), rate_hz, settings, QUIET_S) for one in samples]
    most = max((len(one) for one in found), default=0)
    longest = max((len(times) for one in found for times in one), default=0)
    onset_s = np.full((len(samples), most, max(1, longest)), np.nan)
    for row, one in enumerate(found):
        for station, times in enumerate(one):
            onset_s[row, station, : len(times)] = times / rate_hz
    return onset_s
