"""Waveform sets, opened: events by number and id, filters, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from seisvision.api.events import Event
from seisvision.api.shown import facts_html, rows_html
from seisvision.data.sets.cards import card_lines
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.folder import FolderSource
from seisvision.errors import ConfigurationError, DataError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA_DIR = "data"


def open_set(path: str | Path, data_dir: str | Path = DATA_DIR) -> OpenSet:
    """Open a waveform set in the SeisBench format.

    Args:
        path: its folder, or its name in the data folder.
        data_dir: the data folder.

    Raises:
        DataError: there is no such set, or it is damaged.
    """
    return OpenSet(WaveformSet(FolderSource(str(path)).prepare(data_dir)))


class OpenSet(Sequence[Event]):
    """The events of a set, in file order, or those of them that a filter keeps.

    ``set[0]`` and ``set["event id"]`` are events, ``set[3:7]`` is a set of four.

    Args:
        waveform_set: the whole set.
        event_ids: those that are meant; default all.
    """

    def __init__(self, waveform_set: WaveformSet, event_ids: Sequence[str] | None = None) -> None:
        self.waveform_set = waveform_set
        self.ids: list[str] = list(waveform_set.source_ids if event_ids is None else event_ids)

    @property
    def path(self) -> Path:
        """Folder of the whole set."""
        return self.waveform_set.path

    @property
    def card(self) -> dict[str, Any]:
        """What ``card.json`` says of source, licence and processing of the whole set."""
        return dict(self.waveform_set.card)

    @property
    def is_whole(self) -> bool:
        """Whether no event of the set is left out."""
        return len(self.ids) == len(self.waveform_set)

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row an event, index its id: what the set says of sources, and ``n_traces``, the number of recordings."""
        return self.waveform_set.event_table().loc[self.ids]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a recording, all columns of the set; the index numbers its rows there."""
        metadata = self.waveform_set.metadata
        return metadata if self.is_whole else metadata[metadata["source_id"].astype(str).isin(self.ids)]

    def where(self, **conditions: Any) -> OpenSet:
        """The events of which all conditions hold.

        Args:
            **conditions: column of :attr:`events`, with or without ``source_``, and a value, a list of values, or a
                function of the value: ``where(type="explosion", magnitude=lambda size: size > 3)``.

        Raises:
            ConfigurationError: there is no such column.
            DataError: no event is left.
        """
        keep = pd.Series(True, index=self.events.index)
        for name, wanted in conditions.items():
            column = next((one for one in (name, f"source_{name}") if one in self.events), None)
            if column is None:
                raise ConfigurationError(
                    f"where({name}=...): events have no column '{name}'. {did_you_mean(name, list(self.events))}"
                )
            values = self.events[column]
            if callable(wanted):
                keep &= values.map(wanted).fillna(False).astype(bool)
            else:
                keep &= values.isin(wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted])
        kept = [name for name, is_kept in zip(self.ids, keep, strict=True) if is_kept]
        if not kept:
            said = ", ".join(f"{name}={wanted}" for name, wanted in conditions.items())
            raise DataError(f"No event of {self.path} has {said}. Look at the columns of .events for what there is.")
        return OpenSet(self.waveform_set, kept)

    def to_catalog(self) -> Any:
        """The sources as an ``obspy.Catalog``, with the arrivals that were observed as picks."""
        from seisvision.api.obspy_objects import catalogue_of

        return catalogue_of(self.waveform_set, self.table.index.to_numpy())

    def to_inventory(self) -> Any:
        """The stations as an ``obspy.Inventory`` without responses."""
        from seisvision.api.obspy_objects import inventory_of

        return inventory_of(self.waveform_set, self.table.index.to_numpy())

    def plot(self) -> Figure:
        """Draw where the events and the stations are, in degrees."""
        from seisvision.api.maps import draw_places

        return draw_places(self.events, self.table)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.ids)

    @overload
    def __getitem__(self, which: int | str) -> Event: ...
    @overload
    def __getitem__(self, which: slice) -> OpenSet: ...
    def __getitem__(self, which: int | str | slice) -> Event | OpenSet:
        """Return an event by number or id, or a set of some."""
        if isinstance(which, slice):
            return OpenSet(self.waveform_set, self.ids[which])
        if isinstance(which, str):
            if which not in self._known:
                raise DataError(f"There is no event '{which}' here. {did_you_mean(which, self.ids)}")
            return Event(self.waveform_set, which)
        return Event(self.waveform_set, self.ids[which])

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids)

    def __contains__(self, event: object) -> bool:
        return (event.id if isinstance(event, Event) else event) in self._known

    def __iter__(self) -> Iterator[Event]:
        return (Event(self.waveform_set, name) for name in self.ids)

    def __repr__(self) -> str:
        part = "" if self.is_whole else f" of {len(self.waveform_set)}"
        return f"Set {self.path.name}: {len(self)} events{part}, {len(self.table)} recordings"

    def __str__(self) -> str:
        return "\n".join(card_lines(self.path)) if self.is_whole else repr(self)

    def _repr_html_(self) -> str:
        rates = sorted({float(rate) for rate in self.table["trace_sampling_rate_hz"]})
        facts = {
            "events": len(self),
            "recordings": len(self.table),
            "sampling rates, Hz": ", ".join(f"{rate:g}" for rate in rates[:8]),
            "unit": self.card.get("unit", "not stated"),
            "licence": self.card.get("licence", "not stated"),
        }
        columns = [name for name in self.events if name not in ("source_cell",)][:8]
        rows = ([name, *(row[column] for column in columns)] for name, row in self.events.iterrows())
        shown = [str(name).removeprefix("source_") for name in columns]
        return facts_html(f"Set {self.path.name}", facts) + rows_html(["event", *shown], rows, len(self))
