"""Which part of a recording is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from seisvision.data.fetching.recipe import Span
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.earth.constants import KM_PER_DEG

P_PHASES = ("p", "P", "Pn", "Pdiff", "PKP", "PKIKP")
S_PHASES = ("s", "S", "Sn", "Sdiff")
CORE_S_PHASES = ("SKS", "SKIKS")
"""Overtake S beyond 83 degrees, so they count only where S no longer arrives."""
DEPTH_KM = 10.0
"""Taken where the catalogue has no depth."""


class Spans:
    """Time spans by the rules of :class:`~seisvision.data.fetching.recipe.Span`."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def of_station(self, event: Mapping[str, Any], distance_km: float) -> tuple[int, int]:
        """Start and end, in ns since 1970, of what is asked of a station at ``distance_km``.

        Raises:
            Refusal: no origin time, or no arrival can be computed.
        """
        if not event.get("source_origin_time"):
            raise Refusal("event", "no_origin_time", "has no origin time, so no recordings can be asked for")
        first_s, last_s = 0.0, 0.0
        if self.span.reference == "arrivals":
            first_s, last_s = self._arrivals_s(event["source_depth_km"], distance_km)
        origin_ns = time_ns(event["source_origin_time"])
        begin_ns = origin_ns + round((first_s - self.span.before_s) * NS)
        return begin_ns, origin_ns + round((last_s + self.span.after_s) * NS)

    def widest(self, event: Mapping[str, Any], farthest_km: float) -> tuple[int, int]:
        """A span that holds those of all stations up to ``farthest_km``, for the query of stations."""
        begin_ns, end_ns = Spans(Span("origin", self.span.before_s, self.span.after_s)).of_station(event, 0.0)
        # Two kilometres a second is slower than any wave that is waited for.
        slow_s = farthest_km / min(2.0, self.span.surface_km_s) if self.span.reference == "arrivals" else 0.0
        return begin_ns, end_ns + round(slow_s * NS)

    def _arrivals_s(self, depth_km: float, distance_km: float) -> tuple[float, float]:
        """First P wave and the phase that ends the span, in seconds after the origin."""
        if not np.isfinite(distance_km):
            raise Refusal("event", "no_place", "has no coordinates, so no arrivals can be computed")
        wanted = P_PHASES + (S_PHASES + CORE_S_PHASES if self.span.last == "S" else ())
        # Above sea level is above the model.
        depth_km = max(0.0, depth_km) if np.isfinite(depth_km) else DEPTH_KM
        arrivals = self._model.get_travel_times(depth_km, distance_km / KM_PER_DEG, wanted)
        p_s, s_s, core_s = (
            [arrival.time for arrival in arrivals if arrival.name in names]
            for names in (P_PHASES, S_PHASES, CORE_S_PHASES)
        )
        s_s = s_s or core_s
        if not p_s or (self.span.last == "S" and not s_s):
            reason = f"{self.span.earth_model} has no arrival at {distance_km:.0f} km from {depth_km:.0f} km depth"
            raise Refusal("event", "no_arrival", reason)
        last_s = {"P": min(p_s), "S": min(s_s, default=0.0), "surface": distance_km / self.span.surface_km_s}
        return min(p_s), max(min(p_s), last_s[self.span.last])

    @cached_property
    def _model(self) -> Any:
        from obspy.taup import TauPyModel

        return TauPyModel(self.span.earth_model)
