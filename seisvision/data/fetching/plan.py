"""All recordings to ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seisvision.data.fetching.events import GroupEvents
from seisvision.data.fetching.inventory import Chosen, StationBook, iso
from seisvision.data.fetching.recipe import FetchRecipe
from seisvision.data.fetching.selection import Sensor, choose_sensors
from seisvision.data.fetching.servers import Server
from seisvision.data.fetching.store import Store
from seisvision.data.importing.rejections import Refusal, Rejection, RejectionLog
from seisvision.files import safe_name

KIND = "waveforms"


@dataclass(frozen=True)
class Item:
    """The recordings of one sensor of one event, which share a file.

    Args:
        group: number of the event group.
        event_id: id in the catalogue.
        channels: channel codes.
        rates_hz: their sampling rates as the metadata say.
        path: file of the answer.
    """

    group: int
    event_id: str
    server: Server
    network: str
    station: str
    location: str
    channels: tuple[str, ...]
    rates_hz: tuple[float, ...]
    begin_ns: int
    end_ns: int
    path: Path

    @property
    def name(self) -> str:
        """NET.STA.LOC with the channels, for people."""
        return f"{self.network}.{self.station}.{self.location}.{'+'.join(self.channels)}"

    @property
    def file(self) -> str:
        """Name below the folder of waveforms."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def length_s(self) -> float:
        """Length of the span."""
        return (self.end_ns - self.begin_ns) / 1e9


@dataclass
class Plan:
    """Everything to ask for, and what was refused on the way (per group)."""

    groups: list[GroupEvents]
    items: list[Item] = field(default_factory=list)
    rejections: list[list[Rejection]] = field(default_factory=list)
    chosen: Chosen = field(default_factory=Chosen)


def make_plan(groups: list[GroupEvents], book: StationBook, recipe: FetchRecipe, progress: Any) -> Plan:
    """Choose the stations and channels of every event; the station services have been asked before."""
    plan = Plan(groups)
    with progress("choosing stations", sum(len(group.events) for group in groups)) as advance:
        for number, group in enumerate(groups):
            rejections = _left_out(group)
            for event_id, event in group.events.items():
                log = RejectionLog(group.group.name, group.group.id_prefix + event_id)
                try:
                    sensors = choose_sensors(event, book.inventories(event, groups), recipe, book.spans, log)
                except Refusal as refusal:
                    log.add(refusal)
                    sensors = []
                for sensor in sensors:
                    plan.chosen.add(sensor.server, sensor.network, sensor.station, list(sensor.channels))
                    plan.items.append(_item(number, log.event_id, event_id, sensor, book.store))
                rejections += log.items
                advance(1)
            plan.rejections.append(rejections)
    return plan


def _left_out(group: GroupEvents) -> list[Rejection]:
    log = RejectionLog(group.group.name)
    for event_id, kind in group.left_out.items():
        refusal = Refusal("event", "class_left_out", f"class '{kind}' is left out by the recipe")
        log.add(refusal, event_id=group.group.id_prefix + event_id)
    for event_id, refusal in group.catalogue.refused:
        log.add(refusal, file=group.file.name, event_id=group.group.id_prefix + event_id)
    return log.items


def _item(group: int, full_id: str, event_id: str, sensor: Sensor, store: Store) -> Item:
    codes = tuple(channel.code for channel in sensor.channels)
    rates = tuple(float(channel.sample_rate or 0.0) for channel in sensor.channels)
    where = (sensor.network.code, sensor.station.code, sensor.location)
    begin_ns, end_ns = (round(ns, -3) for ns in (sensor.begin_ns, sensor.end_ns))
    # The key is what is asked of whom: another span or another server is another file.
    key = "|".join((sensor.server.url("dataselect"), *where, *codes, iso(begin_ns), iso(end_ns)))
    path = store.path(f"{KIND}/{safe_name(full_id)}", safe_name(sensor.name), key, "mseed")
    return Item(group, event_id, sensor.server, *where, codes, rates, begin_ns, end_ns, path)
