"""Events that a network has seen in its training, found again in other sets, whatever these call them.

Every checkpoint holds what tells the events of its training and validation parts from others: ids, origins, the
stations and times of their recordings, and the shapes of some recordings. Where the fingerprint of a set is that of the
training, ids decide; in other sets ids are only names.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisvision import spreadsheets
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.recording_shapes import RecordingShapes, set_shapes
from seisvision.data.sets.same_event import SAME_TIME_S, EventFacts, same_origins, same_recordings
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.files import write_text
from seisvision.outputs.predictions import Predictions

log = logging.getLogger(__name__)

LEAVE_OUT, MARK, KEEP = "leave_out", "mark", "keep"
HANDLINGS = (LEAVE_OUT, MARK, KEEP)
"""What may be done with events that a network has seen."""
REASONS = {"train": "trained on", "val": "validated on"}
SHAPES_PER_EVENT = 4
SYNTHETIC = ("seisvision.data.SyntheticSource", "seisvision.data.LocalSyntheticSource")
"""Sources whose events are made up, so that they can be met again in sets of such events only."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class KnownEvents:
    """Events that a network was trained on or validated with.

    Attributes:
        part: id to ``train`` or ``val``.
        fingerprint: of their set.
        facts: what tells them from others; None where the checkpoint is of a version that did not keep it.
        shapes: of some of their recordings.
        is_synthetic: whether all of them were made up, by what the checkpoint says of its data.
    """

    part: dict[str, str]
    fingerprint: str
    facts: EventFacts | None = None
    shapes: RecordingShapes | None = None
    is_synthetic: bool = False

    @classmethod
    def of_training(cls, data: EventDataModule, cache_dir: Path | None) -> KnownEvents:
        """Return the events of a training; of single traces, those any of whose traces was learnt from.

        Those of a set beside are called by the name of that set, a colon and their id.
        """
        known = [cls._of_set(data, cache_dir)]
        for name, one in data.beside.items():
            beside = cls._of_set(one.data, cache_dir)
            assert beside.facts is not None and beside.shapes is not None
            prefix = f"{name}:"
            part = {prefix + event: part for event, part in beside.part.items()}
            known.append(cls(part, beside.fingerprint, beside.facts.named(prefix), beside.shapes.named(prefix)))
        return cls(
            {event: part for one in known for event, part in one.part.items()},
            known[0].fingerprint,
            EventFacts.together([one.facts for one in known if one.facts is not None]),
            RecordingShapes.together([one.shapes for one in known if one.shapes is not None]),
        )

    @classmethod
    def _of_set(cls, data: EventDataModule, cache_dir: Path | None) -> KnownEvents:
        part_of: dict[str, str] = {}
        for part in ("val", "train"):
            if part in data.parts:
                part_of |= {str(name): part for name in data.parts[part].source_ids}
        shapes = set_shapes(data.waveform_set, cache_dir).select(set(part_of), SHAPES_PER_EVENT)
        return cls(part_of, data.waveform_set.fingerprint, EventFacts.of(data.waveform_set).select(part_of), shapes)

    def to_tensors(self) -> dict[str, Any]:
        """Tensors and plain values, for a checkpoint."""
        assert self.facts is not None and self.shapes is not None
        facts = self.facts
        stations, station = np.unique(facts.station, return_inverse=True)
        number_of = {name: number for number, name in enumerate(facts.ids)}
        numbers = ("origin_s", "latitude_deg", "longitude_deg", "event", "start_s", "end_s")
        return {
            "ids": facts.ids,
            "part": [self.part[name] for name in facts.ids],
            **{name: torch.from_numpy(np.ascontiguousarray(getattr(facts, name))) for name in numbers},
            "stations": stations.tolist(),
            "station": torch.from_numpy(station.ravel()),
            "shape": torch.from_numpy(np.ascontiguousarray(self.shapes.shape)),
            "shape_event": torch.tensor([number_of[name] for name in self.shapes.source_id.tolist()], dtype=torch.long),
        }

    @classmethod
    def of_checkpoint(cls, content: Mapping[str, Any]) -> KnownEvents:
        """Read what :meth:`to_tensors` made from what a checkpoint says beside its weights.

        Of a checkpoint that does not hold it, of an earlier version or exported with synthetic events, only the ids
        of its split are known.
        """
        stored = content.get("known_events")
        if stored is None:
            parts = content["split"] if content["split_unit"] == "event" else {}
            part = {str(name): part for part in ("val", "train") for name in parts.get(part, ())}
            return cls(part, content["data_fingerprint"], is_synthetic=learnt_from_synthetic(content))
        ids = [str(name) for name in stored["ids"]]
        arrays = {name: value.numpy() for name, value in stored.items() if isinstance(value, torch.Tensor)}
        station = np.array(stored["stations"], dtype=str)[arrays.pop("station")]
        shapes = RecordingShapes(np.array(ids, dtype=str)[arrays.pop("shape_event")], arrays.pop("shape"))
        facts = EventFacts(ids=ids, station=station, **arrays)
        return cls(dict(zip(ids, stored["part"], strict=True)), content["data_fingerprint"], facts, shapes)

    def write(self, path: Path) -> None:
        """Write one row an event, for people: id, part, origin, and the span of its recordings."""
        assert self.facts is not None
        facts = self.facts
        text = io.StringIO()
        writer = spreadsheets.Writer(text)
        writer.writerow(["source_id", "part", "origin_time", "latitude_deg", "longitude_deg", "from", "to", "stations"])
        order = np.argsort(facts.event, kind="stable")
        first = np.searchsorted(facts.event[order], np.arange(len(facts.ids) + 1))
        for number, name in enumerate(facts.ids):
            traces = order[first[number] : first[number + 1]]
            span = (facts.start_s[traces].min(), facts.end_s[traces].max()) if len(traces) else (np.nan, np.nan)
            place = (_number(facts.latitude_deg[number]), _number(facts.longitude_deg[number]))
            stations = " ".join(sorted(set(facts.station[traces].tolist())))
            times = (_time(facts.origin_s[number]), *map(_time, span))
            writer.writerow([name, self.part[name], times[0], *place, *times[1:], stations])
        write_text(path, text.getvalue())


@dataclass(frozen=True)
class Seen:
    """Which events of a set the networks asked have seen in their training.

    Attributes:
        part_of: id in the set to ``train`` or ``val``.
        found_by: id in the set to what gave it away: ``id``, ``origin``, ``recording`` or ``waveform``.
        n_unknown: networks whose checkpoints do not say what they have seen.
        same_names: events of the set that are called as one of those of these networks.
    """

    part_of: dict[str, str] = field(default_factory=dict)
    found_by: dict[str, str] = field(default_factory=dict)
    n_unknown: int = 0
    same_names: int = 0

    def reasons(self) -> dict[str, str]:
        """Id in the set to the words of ``excluded.csv``."""
        return {name: REASONS[part] for name, part in self.part_of.items()}

    def describe(self, handling: str) -> Any:
        """What ``metrics.json`` says: how many, how they were found, and what was done with them."""
        if self.n_unknown:
            return UNKNOWN
        parts, ways = Counter(self.part_of.values()), Counter(self.found_by.values())
        counts = {reason.replace(" ", "_"): parts[part] for part, reason in REASONS.items()}
        return {"handling": handling, **counts, "found_by": dict(sorted(ways.items()))}

    def column(self, source_ids: Sequence[str]) -> list[str]:
        """The column ``seen`` of ``predictions.csv``: ``trained on``, ``validated on`` or nothing."""
        reasons = self.reasons()
        return [reasons.get(source_id, "") for source_id in source_ids]


def check_handling(handling: str) -> str:
    """Return ``training_events`` where it is allowed.

    Raises:
        ConfigurationError: names the value and those allowed.
    """
    if handling not in HANDLINGS:
        raise ConfigurationError(f"training_events={handling} is unknown. {did_you_mean(handling, list(HANDLINGS))}")
    return handling


def learnt_from_synthetic(content: Mapping[str, Any]) -> bool:
    """Whether all events of a training were made up, by what a checkpoint says beside its weights."""
    dataset = content["config"]["dataset"]
    return dataset["source"].get("_target_") in SYNTHETIC and not dataset.get("beside")


def seen_in(waveform_set: WaveformSet, networks: Iterable[KnownEvents], cache_dir: Path | None = None) -> Seen:
    """Find the events of a set that any of some networks was trained on or validated with.

    What was trained on counts before what was validated with. An event is known by its id where the set is the one of
    the training; elsewhere by its origin, by a recording of the same station and time, by a copy of a waveform, and by
    its id only where nothing speaks against it.
    """
    facts: EventFacts | None = None
    part_of: dict[str, str] = {}
    found_by: dict[str, str] = {}
    n_unknown = same_names = 0
    for known in networks:
        names = known.part.keys() & set(waveform_set.source_ids)
        is_own = known.fingerprint == waveform_set.fingerprint
        found = {name: (name, "id") for name in names} if is_own else {}
        # Synthetic events are met again in synthetic sets alone, where they are called alike.
        if not is_own and known.facts is None and (names or not known.is_synthetic):
            n_unknown += 1
            same_names = max(same_names, len(names))
        if known.facts is not None and known.shapes is not None:
            facts = facts or EventFacts.of(waveform_set)
            found = {**_found(known, facts, set_shapes(waveform_set, cache_dir)), **found}
        for name, (other, way) in found.items():
            if part_of.get(name) != "train":
                part_of[name], found_by[name] = known.part[other], way
    return Seen(part_of, found_by, n_unknown, same_names)


def _found(known: KnownEvents, facts: EventFacts, shapes: RecordingShapes) -> dict[str, tuple[str, str]]:
    """Id in the set to the id in the training and the way it was found; training events before validation events."""
    assert known.facts is not None and known.shapes is not None
    mine = known.facts
    ways = {
        "origin": [(mine.ids[a], facts.ids[b]) for a, b in same_origins(mine, facts)],
        "recording": [(mine.ids[a], facts.ids[b]) for a, b in same_recordings(mine, facts)],
        "waveform": known.shapes.copies_in(shapes),
        "id": _same_names(mine, facts),
    }
    found: dict[str, tuple[str, str]] = {}
    for way, pairs in ways.items():
        for one, other in pairs:
            before = found.get(other)
            if before is None or (known.part[before[0]] != "train" and known.part[one] == "train"):
                found[other] = (one, way)
    return found


def _same_names(mine: EventFacts, facts: EventFacts) -> list[tuple[str, str]]:
    """Events of one name that nothing else can tell apart, or whose times agree; bare numbers are no names."""
    number_of = {name: number for number, name in enumerate(mine.ids)}
    timed = [np.isin(np.arange(len(one.ids)), one.event) for one in (mine, facts)]
    pairs = []
    for b, name in enumerate(facts.ids):
        a = number_of.get(name)
        if a is None or name.isdigit():
            continue
        late_s = abs(mine.origin_s[a] - facts.origin_s[b])
        if late_s <= SAME_TIME_S or (np.isnan(late_s) and not (timed[0][a] and timed[1][b])):
            pairs.append((name, name))
    return pairs


def seen_part(content: Mapping[str, Any], part: str) -> Seen:
    """What a part of the own set holds of the training; nothing where single traces were dealt apart.

    Args:
        content: what the checkpoint says beside its weights.
        part: of the split; all of them where it has no such part.
    """
    parts = [part] if content["split"].get(part) else ["val", "train"]
    if content["split_unit"] != "event" or parts == ["test"]:
        return Seen()
    part_of = {str(name): one for one in parts for name in content["split"].get(one, ())}
    if "train" in part_of.values() and content["outputs"]:
        log.warning("part=%s holds events that the network was trained on, which says nothing of new ones", part)
    return Seen(part_of, dict.fromkeys(part_of, "id"))


def by_novelty(
    predictions: dict[str, Predictions], part: str, seen: Seen, handling: str
) -> dict[str, dict[str, Predictions]]:
    """Predictions of what is new under the name of the part, and, where they are marked, of what was seen apart.

    Parts without samples are left out.
    """
    first = next(iter(predictions.values()))
    said = seen.column(first.source_ids)
    if handling != MARK or not any(said):
        return {part: predictions}
    names = {"": part} | {reason: reason.replace(" ", "_") for reason in REASONS.values()}
    ids: dict[str, list[str]] = {name: [] for name in names.values()}
    for sample_id, reason in zip(first.sample_ids, said, strict=True):
        ids[names[reason]].append(sample_id)
    return {
        name: {output: one.select(chosen) for output, one in predictions.items()}
        for name, chosen in ids.items()
        if chosen
    }


def tell_seen(seen: Seen, n_events: int, handling: str) -> None:
    """Say what is done with events that were seen.

    Raises:
        DataError: nothing would be left to measure.
    """
    if seen.n_unknown:
        names = f"; {seen.same_names} events are called as one of its training" if seen.same_names else ""
        log.warning(
            "training_events: unknown: the checkpoint does not hold what tells the events of its training from "
            "others%s. Train again to be sure that none of them is measured here.",
            names,
        )
    if not seen.part_of:
        return
    counts, ways = Counter(seen.part_of.values()), Counter(seen.found_by.values())
    told = ", ".join(f"{counts[part]} {reason}" for part, reason in REASONS.items() if counts[part])
    how = ", ".join(f"{n} by {way}" for way, n in ways.most_common())
    done = {LEAVE_OUT: "left out", MARK: "marked and measured apart", KEEP: "measured with the others"}[handling]
    log.warning("%d of %d events are not new to the network (%s; found %s): %s", len(seen.part_of), n_events, told, how,
                done)  # fmt: skip
    if handling == LEAVE_OUT and len(seen.part_of) == n_events:
        raise DataError(
            f"All {n_events} events were seen in the training ({told}; found {how}): nothing new is left to measure. "
            "Give another set, or training_events=mark to measure them all the same, as what they are."
        )


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _time(seconds: float) -> str:
    return "" if np.isnan(seconds) else str(np.datetime64(round(seconds * 1000), "ms")) + "Z"
