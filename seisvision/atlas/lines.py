"""One line of the report: what the Seismic Atlas says, what a stored run says, and on what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_named
from seisvision.records.configuration import model_name
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.measures import is_measure

ORIGINAL_FINGERPRINTS: frozenset[str] = frozenset()
"""Fingerprints of waveform sets known to hold the data of the report; nobody has them."""
NOT_COMPARABLE = "not comparable (different data)"


@dataclass(frozen=True)
class Line:
    """A statement of the report beside a value of ours.

    Attributes:
        statement: its number, such as ``A-24``.
        about: what is said, in words.
        mode: ``paper`` or ``careful``.
        published: the value as published; "" where the report gives none.
        ours: the value as text, or why there is none.
        metric: name of the measure, with its unit.
        measure: the value with interval and n, where it is a measure.
        protocol: how it was found.
        split_hash: of the parts.
        fingerprint: of the waveform set.
        run: folder.
        notes: keys of footnotes.
    """

    statement: str
    about: str
    mode: str
    published: str
    ours: str = ""
    metric: str = ""
    measure: Measure | None = None
    protocol: str = ""
    split_hash: str = ""
    fingerprint: str = ""
    run: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the two values may be compared."""
        if not self.published or not self.fingerprint:
            return ""
        return "" if self.fingerprint in ORIGINAL_FINGERPRINTS else NOT_COMPARABLE

    def said(self, ours: str, metric: str = "") -> Line:
        """The same line with a value that is no measure."""
        return replace(self, ours=ours, metric=metric)

    def of_run(self, folder: Path) -> Line:
        """The same line with what a run was done on and how."""
        run = RunFolder(folder)
        data, config = read_json(run.metrics_file)["data"], run.config()
        return replace(
            self,
            protocol=describe_protocol(config),
            split_hash=str(data["split_hash"]),
            fingerprint=str(data["fingerprint"]),
            run=str(folder),
        )

    def measured(self, folder: Path, keys: Sequence[str], metric: str = "") -> Line:
        """The same line with a measure of a run.

        Args:
            folder: the run.
            keys: where the measure stands in ``metrics.json``; ``*`` is the only or first key, ``headline`` the measure
                that stands for all.
            metric: name to show; default that of the measure.
        """
        found, path = find_measure(read_json(RunFolder(folder).metrics_file), keys)
        if found is None:
            return self.of_run(folder).said("not measured", "/".join(keys))
        text = format_named(path[-1], found)
        return replace(self.of_run(folder), ours=text, metric=metric or f"{path[0]} {path[-1]}", measure=found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, one to a column of the CSV."""
        measure = (self.measure or Measure(math.nan)).to_dict()
        return {
            "statement": self.statement,
            "about": self.about,
            "mode": self.mode,
            "published": self.published,
            "ours": self.ours,
            "metric": self.metric,
            **(measure if self.measure else dict.fromkeys(measure)),
            "verdict": self.verdict,
            "protocol": self.protocol,
            "split_hash": self.split_hash,
            "data_fingerprint": self.fingerprint,
            "run": self.run,
            "notes": " ".join(self.notes),
        }


def find_measure(stored: Mapping[str, Any], keys: Sequence[str]) -> tuple[Measure | None, list[str]]:
    """A measure among stored values and the keys that lead to it; None where there is none."""
    node: Any = stored
    path: list[str] = []
    for key in keys:
        if not isinstance(node, Mapping) or not node:
            return None, [*path, key]
        key = next(iter(node)) if key == "*" else str(node.get("headline")) if key == "headline" else key
        node = node.get(key)
        path.append(key)
    return (Measure.from_dict(dict(node)), path) if is_measure(node) else (None, path)


def describe_protocol(config: Mapping[str, Any]) -> str:
    """How a run was done, in a few words."""
    split, view, trainer = config["split"], config["view"], config["trainer"]
    stratified = ", stratified" if split["stratify"] else ""
    dealt = "train and val" if split["refit"] else f"split by {split['by']}{stratified}"
    if not split["test_fraction"] and not split["val_fraction"]:
        dealt = "no split"
    size = " x ".join(str(view[key]) for key in ("height", "width") if key in view)
    picture = f"{view['_target_'].rpartition('.')[2]} {size}".strip()
    return f"{dealt}; {picture}; {model_name(config)}; up to {trainer['max_epochs']} epochs; seed {config['seed']}"
