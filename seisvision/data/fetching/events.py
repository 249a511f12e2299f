"""Event groups from files or event services."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from seisvision.data.fetching.asking import OK, Asker, DamagedBody
from seisvision.data.fetching.recipe import EventGroup
from seisvision.data.fetching.store import Store
from seisvision.data.fetching.transport import Request
from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.event_columns import Catalogue
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import safe_name


@dataclass(frozen=True)
class GroupEvents:
    """A group, the file its events stand in, and their ``source_*`` columns by event id.

    ``left_out`` are ids of events whose class the recipe maps to nothing, with that class; nothing is asked for them.
    ``catalogue`` is what the file holds, with the events that cannot be used.
    """

    group: EventGroup
    file: Path
    events: dict[str, dict[str, Any]]
    left_out: dict[str, str]
    catalogue: Catalogue


def read_groups(groups: tuple[EventGroup, ...], store: Store, asker: Asker) -> list[GroupEvents]:
    """Read the events of all groups, asking event services for those that are not in files.

    Raises:
        DataError: a catalogue cannot be had or read.
        ConfigurationError: two groups share an event id.
    """
    found = []
    owner: dict[str, str] = {}
    for group in groups:
        file = Path(group.file) if group.file is not None else _ask_for_events(group, store, asker)
        catalogue = read_events(str(file))
        events = catalogue.events
        for event_id in events:
            full_id = group.id_prefix + event_id
            if full_id in owner:
                raise ConfigurationError(
                    f"event '{full_id}' is in group '{owner[full_id]}' and in '{group.name}'; "
                    f"give one of them an id_prefix such as '{group.name}_'"
                )
            owner[full_id] = group.name
        left_out = {name: kind for name, event in events.items() if (kind := _unwanted(event, group)) is not None}
        wanted = {event_id: event for event_id, event in events.items() if event_id not in left_out}
        found.append(GroupEvents(group, file, wanted, left_out, catalogue))
    return found


def _unwanted(event: dict[str, Any], group: EventGroup) -> str | None:
    """Class of an event that the recipe leaves out; None for a wanted one."""
    kind, kinds = event.get("source_type", ""), group.source_type
    return kind if isinstance(kinds, dict) and kinds.get(kind, kind) is None else None


def _ask_for_events(group: EventGroup, store: Store, asker: Asker) -> Path:
    assert group.server is not None and group.query is not None
    url = f"{group.server.url('event')}?{urlencode(group.query | {'format': 'xml'})}"
    request = Request(group.server.name, "event", url)
    path = store.path("events", safe_name(group.name), str(request), "xml")
    verdict = store.ask_once(asker, request, path, xml_check("quakeml"))
    if verdict is not None:
        raise DataError(
            f"the events of group '{group.name}' could not be had from {group.server.name}: {verdict.reason}. "
            f"The query was {url}"
        )
    return path


def xml_check(root: str) -> Any:
    """Check that a body ends with the closing tag of ``root``, so that nothing is missing."""

    def check(body: bytes) -> tuple[str, str]:
        if not body.rstrip().endswith(f"{root}>".encode()):
            begin = body[:40].decode("utf-8", "replace").strip()
            raise DamagedBody(f"{len(body)} bytes that do not end like {root}; they begin '{begin}'")
        return OK, ""

    return check
