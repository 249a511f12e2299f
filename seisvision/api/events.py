"""Events of a waveform set: as a table, as ObsPy objects, as a picture."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from seisvision.api.obspy_objects import catalogue_of, inventory_of, stream_of
from seisvision.api.record_section import draw_record_section
from seisvision.api.shown import facts_html
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.keys import COMPONENTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {
    "source_origin_time": "origin time",
    "source_type": "class",
    "source_magnitude": "magnitude",
    "source_latitude_deg": "latitude, degrees",
    "source_longitude_deg": "longitude, degrees",
    "source_depth_km": "depth, km",
}


class Event:
    """One event of a set with its recordings.

    Args:
        waveform_set: where it lies.
        event_id: its id there.
    """

    def __init__(self, waveform_set: WaveformSet, event_id: str) -> None:
        self._set = waveform_set
        self.id = event_id
        self._rows = waveform_set.rows(event_id)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a recording, S of them: the columns of the set that are not of the source, index the row there."""
        rows = self._set.table.iloc[self._rows]
        return rows[[name for name in rows if not str(name).startswith("source_")]]

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the set says of the source, by column (``source_magnitude``, ...)."""
        row = self._set.table.iloc[self._rows[0]]
        return {str(name): row[name] for name in row.index if str(name).startswith("source_")}

    def waveforms(self, components: str = COMPONENTS) -> tuple[list[np.ndarray], np.ndarray]:
        """Recordings as they are stored.

        Args:
            components: letters wanted, in this order.

        Returns:
            Per recording float32 (C, T_i), and bool (S, C): whether a component was recorded; what was not is zeros.
        """
        return self._set.read_rows(self._rows, components)

    def to_stream(self) -> Any:
        """The recordings as an ``obspy.Stream``; one trace a component, with codes and start times of the set."""
        return stream_of(self._set, self._rows)

    def to_inventory(self) -> Any:
        """The stations as an ``obspy.Inventory``, as far as the set knows where they stand; no responses."""
        return inventory_of(self._set, self._rows)

    def to_catalog(self) -> Any:
        """The source as an ``obspy.Catalog`` of one event, with the arrivals that were observed as picks."""
        return catalogue_of(self._set, self._rows)

    def plot(self, *, component: str | None = None, band_hz: tuple[float, float] | None = None) -> Figure:
        """Draw the record section: seconds against kilometres, labelled, with picks.

        Args:
            component: one letter; default the first of Z, N, E that was recorded.
            band_hz: corners of a zero-phase band-pass of order 4; default as stored.

        Raises:
            DataError: no recording has this component.
            ConfigurationError: the band is not allowed.
        """
        return draw_record_section(self._set, self._rows, self.id, component, band_hz)

    def __repr__(self) -> str:
        told = [f"{name} {said}" for name, said in self.facts().items() if name != "recordings"]
        return f"Event {self.id}: {len(self._rows)} recordings" + "".join(f", {one}" for one in told)

    def facts(self) -> dict[str, Any]:
        """What is known of it, by words for people."""
        known = {
            words: self.about[column]
            for column, words in SHOWN.items()
            if column in self.about and not pd.isna(self.about[column])
        }
        return {"recordings": len(self._rows), **known}

    def _repr_html_(self) -> str:
        return facts_html(f"Event {self.id}", self.facts())
