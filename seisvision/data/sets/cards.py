"""The card of a waveform set as text: where it comes from, what it holds, what may be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FIRST = ("name", "description", "source", "citation", "licence", "content", "unit", "instrument_response", "processing")
APART = ("files", "counts", "fingerprint")
WIDTH = 20


def card_lines(folder: Path) -> list[str]:
    """Lines of text that say what the card says, with what the set holds and its fingerprint as they are now.

    Raises:
        DataError: the set is missing or damaged.
    """
    from seisvision.data.sets.waveform_set import WaveformSet

    waveform_set = WaveformSet(folder)
    card = dict(waveform_set.card)
    card["content"] = _content(waveform_set)
    lines = [] if waveform_set.card else ["This set has no card.json: nothing is known of its source or licence."]
    for key in (*(key for key in FIRST if key in card), *sorted(key for key in card if key not in (*FIRST, *APART))):
        lines += _item(key, card[key])
    return lines + _item("fingerprint", waveform_set.fingerprint)


def how_made(card: Mapping[str, Any]) -> dict[str, Any]:
    """How the recordings of a set were made, as far as its card tells, for who makes others alike.

    Args:
        card: content of ``card.json``.

    Returns:
        ``unit``; of imported sets also ``response`` (the one of all sources, or None), ``output``, and ``parameters``:
        the sections ``processing``, ``quality`` and ``window`` of the recipe, and ``onset_band_hz``.
    """
    made: dict[str, Any] = {"unit": str(card.get("unit", ""))}
    imported = card.get("import")
    if not isinstance(imported, Mapping) or not isinstance(imported.get("parameters"), Mapping):
        return made
    sources = [one for one in imported.get("sources") or [] if isinstance(one, Mapping)]
    for name in ("response", "output"):
        said = {one.get(name) for one in sources}
        made[name] = said.pop() if len(said) == 1 else None
    parameters = imported["parameters"]
    kept = ("processing", "quality", "window", "onset_band_hz")
    return made | {"parameters": {name: parameters[name] for name in kept if parameters.get(name) is not None}}


def _content(waveform_set: Any) -> list[str]:
    table = waveform_set.table
    found = [f"{len(waveform_set)} events, {len(table)} traces"]
    if "source_type" in table:
        counts = waveform_set.event_table()["source_type"].value_counts()
        found.append(", ".join(f"{name} {number}" for name, number in counts.items()) or "no classes")
    rates = sorted({float(rate) for rate in table["trace_sampling_rate_hz"]})
    orders = sorted(set(table["trace_component_order"]))
    return [*found, f"rates {', '.join(f'{rate:g}' for rate in rates[:8])} Hz, components {', '.join(orders[:8])}"]


def _item(key: str, value: Any, indent: str = "") -> list[str]:
    """``key  value``, lists one below the other, mappings indented."""
    head = f"{indent}{key:<{WIDTH}}".ljust(len(indent + key) + 1)
    if isinstance(value, Mapping):
        return [
            head.rstrip(),
            *(line for name, item in value.items() for line in _item(str(name), item, indent + "  ")),
        ]
    texts = list(_texts(value)) or ["-"]
    return [head + texts[0], *(" " * len(head) + text for text in texts[1:])]


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            yield ", ".join(f"{key} {text}" for key, text in item.items() if text not in (None, "", [], {}))
        else:
            yield str(item)
