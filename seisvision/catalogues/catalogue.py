"""Events as arrays, in the order of time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.times import date_text
from seisvision.errors import DataError


@dataclass(frozen=True)
class Refused:
    """An event that cannot be used, and why."""

    event_id: str
    cause: str
    reason: str


@dataclass(frozen=True)
class EventCatalogue:
    """N events with time, place and magnitude.

    Args:
        time_days: (N,) float64 days since 1970, ascending.
        latitude_deg: (N,).
        longitude_deg: (N,), in [-180, 180).
        magnitude: (N,).
        depth_km: (N,), NaN where it is not known.
        event_id: (N,) texts.
        begin_day: first day that the catalogue covers.
        end_day: its end; nothing is known of later times.
        gaps: spans between them that it does not cover.
        refused: events of the file that are not among the N.
        notes: sentences on what was assumed or left out.
    """

    time_days: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    magnitude: np.ndarray
    depth_km: np.ndarray
    event_id: np.ndarray
    begin_day: float
    end_day: float
    gaps: Gaps = field(default_factory=Gaps)
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no catalogue, so that nothing later has to look.

        Raises:
            DataError: lengths differ, times fall back, numbers are not finite, or an event lies outside of the time
                covered.
        """
        columns = (self.latitude_deg, self.longitude_deg, self.magnitude, self.depth_km, self.event_id)
        if any(len(column) != len(self.time_days) for column in columns):
            raise DataError("columns of a catalogue differ in length; give one value an event in each")
        numbers = np.stack([self.time_days, self.latitude_deg, self.longitude_deg, self.magnitude])
        if not np.isfinite(numbers).all():
            raise DataError("a catalogue holds events without time, place or magnitude; leave them out with a reason")
        if (np.diff(self.time_days) < 0).any():
            raise DataError("events of a catalogue are not in the order of time; sort them")
        if len(self) and not (self.begin_day <= self.time_days[0] and self.time_days[-1] < self.end_day):
            raise DataError(
                f"events from {date_text(self.time_days[0])} to {date_text(self.time_days[-1])} lie outside of "
                f"the time covered, {date_text(self.begin_day)} to {date_text(self.end_day)}; give the right span"
            )
        inside = self.gaps.contains(self.time_days)
        if inside.any():
            first = date_text(self.time_days[inside.argmax()])
            raise DataError(
                f"{inside.sum()} events, the first of {first}, lie in declared gaps ({', '.join(self.gaps.texts())}); "
                "a gap has no events: correct the gaps"
            )

    def __len__(self) -> int:
        """Return N."""
        return len(self.time_days)

    def select(self, chosen: np.ndarray, note: str = "") -> EventCatalogue:
        """The events of a mask (N,) or of ascending numbers; ``note`` says why the others are left out."""
        names = ("time_days", "latitude_deg", "longitude_deg", "magnitude", "depth_km", "event_id")
        columns = {name: getattr(self, name)[chosen] for name in names}
        return replace(self, **columns, notes=(*self.notes, note) if note else self.notes)

    def above(self, magnitude: float) -> EventCatalogue:
        """Events of that magnitude and more; magnitudes are rounded, so a ten-thousandth below counts."""
        return self.select(self.magnitude >= magnitude - 1e-4)

    def between(self, begin_day: float, end_day: float) -> EventCatalogue:
        """Events of [begin_day, end_day), which becomes the time covered."""
        first, last = np.searchsorted(self.time_days, [begin_day, end_day])
        part = replace(self.select(np.arange(0)), begin_day=begin_day, end_day=end_day)
        chosen = self.select(np.arange(first, last))
        return replace(chosen, begin_day=part.begin_day, end_day=part.end_day)

    def observed_days(self) -> float:
        """Days covered, without the gaps."""
        return self.gaps.observed_days(self.begin_day, self.end_day)

    def fingerprint(self) -> str:
        """SHA-256 of events, span and gaps: equal where everything that is computed from them is."""
        digest = hashlib.sha256()
        for column in (self.time_days, self.latitude_deg, self.longitude_deg, self.magnitude, self.depth_km):
            digest.update(np.ascontiguousarray(column, "<f8").tobytes())
        digest.update("\n".join(map(str, self.event_id)).encode("utf-8", "surrogatepass"))
        digest.update(repr((float(self.begin_day), float(self.end_day), self.gaps.spans)).encode())
        return digest.hexdigest()
