"""What baselines were fitted on, kept beside a checkpoint as plain arrays, so that they can be asked about other sets.

One file ``baselines.npz``: the features and targets of the training samples. Trees on some thousand rows are fitted
again in a second or two, and nothing has to be unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import CheckpointError, DataError
from seisvision.evaluation.baselines.feature_table import KINDS, TRACE_KINDS, FeatureTable, one_below_other
from seisvision.files import parse_json, whole_file
from seisvision.judging.baselines import Features, Part, arranged
from seisvision.stored_arrays import read_arrays

FILE = "baselines.npz"
OF_TRAINING = "training: "
"""Begins the names of training samples beside those of other sets."""


@dataclass(frozen=True)
class StoredBaselines:
    """What the baselines of a run need to be fitted again."""

    train: Part
    """Training samples with the targets of all outputs."""
    tables: Mapping[str, FeatureTable]
    """Features of the training samples, by kind."""
    settings: Mapping[str, Any]
    """Settings of the feature functions by kind."""
    outputs: Mapping[str, Mapping[str, Any]]
    """By output: ``class_weight``, ``strongest`` and ``chosen_on``."""
    seed: int

    def write(self, path: Path) -> None:
        """Write everything to ``path``."""
        arrays: dict[str, np.ndarray] = {
            "about": np.array(json.dumps({"settings": self.settings, "outputs": self.outputs, "seed": self.seed})),
            "sample_ids": np.array(self.train.ids.ids, dtype=str),
            "source_ids": np.array(self.train.ids.source_ids, dtype=str),
        }
        arrays |= {f"target/{column}": np.asarray(values) for column, values in self.train.targets.items()}
        for kind, table in self.tables.items():
            arrays[f"names/{kind}"] = np.array(table.names, dtype=str)
            arrays[f"values/{kind}"] = table.select(self.train.ids.ids)
        with whole_file(path) as partial:
            np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]

    def training_part(self) -> Part:
        """The training samples under names that no other set has."""
        ids, events = (
            [f"{OF_TRAINING}{name}" for name in names] for names in (self.train.ids.ids, self.train.ids.source_ids)
        )
        return Part(SampleIds(self.train.ids.unit, ids, events), self.train.targets)

    def beside(self, other: Features) -> Features:
        """Features of the training samples and of other samples together, as far as both have them."""
        together: dict[str, FeatureTable] = {}
        alone: dict[str, FeatureTable | str] = {}
        for kind, table in other.together.items():
            try:
                together[kind] = one_below_other(self._renamed(kind), table)
            except DataError as error:
                alone[kind] = str(error)
        for kind, found in other.alone.items():
            if kind in KINDS or kind in TRACE_KINDS:
                alone[kind] = found if isinstance(found, str) else together.get(kind, alone.get(kind, ""))
        return arranged({kind: alone[kind] for kind in other.alone if kind in alone}, together)

    def _renamed(self, kind: str) -> FeatureTable:
        if kind not in self.tables:
            raise DataError(f"the training samples have no features of kind '{kind}'")
        table = self.tables[kind]
        return FeatureTable(self.training_part().ids, table.names, table.values)


def read_stored(path: Path, unit: str) -> StoredBaselines:
    """Read what `StoredBaselines.write` wrote.

    Args:
        path: the file.
        unit: what a sample of that run is.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        stored = read_arrays(path)
        about = parse_json(str(stored["about"]))
        _check_types(about, stored)
        ids = SampleIds(unit, stored["sample_ids"].tolist(), stored["source_ids"].tolist())
        targets = {name.partition("/")[2]: stored[name] for name in stored if name.startswith("target/")}
        kinds = [name.partition("/")[2] for name in stored if name.startswith("values/")]
        tables = {kind: FeatureTable(ids, stored[f"names/{kind}"].tolist(), stored[f"values/{kind}"]) for kind in kinds}
        train = Part(ids, targets)
        return StoredBaselines(train, tables, about["settings"], about["outputs"], about["seed"])
    except (OSError, ValueError, KeyError, DataError) as error:
        raise CheckpointError(
            f"{path}, which holds what the baselines were fitted on, cannot be read ({error}). Delete it to go on "
            "without baselines that were fitted, or train again with run.fresh=true."
        ) from error


def _check_types(about: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what is not of the types and lengths that are written.

    Raises:
        ValueError: it says what is not.
        KeyError: something is missing.
    """
    groups = [about[name] for name in ("settings", "outputs")] if isinstance(about, dict) else [None]
    if any(not isinstance(one, dict) for group in groups for one in (group, *dict(group or {}).values())):
        raise ValueError("its settings are no mappings")
    if type(about["seed"]) is not int or not 0 <= about["seed"] < 2**32:
        raise ValueError(f"its seed {about['seed']!r:.40} is none")
    for name, output in about["outputs"].items():
        known = isinstance(output["strongest"], str | None) and isinstance(output["chosen_on"], str | None)
        if not known or not isinstance(output["class_weight"], str | None):
            raise ValueError(f"what it says of '{name[:40]}' is no text")
    n_samples = len(arrays["sample_ids"])
    for name, values in arrays.items():
        kind = name.partition("/")[0]
        if kind in ("sample_ids", "source_ids", "names") and (values.dtype.kind != "U" or values.ndim != 1):
            raise ValueError(f"its {name[:40]} are no names")
        if kind in ("target", "values") and (values.dtype.kind not in "fi" or values.ndim != 1 + (kind == "values")):
            raise ValueError(f"its {name[:40]} are no numbers")
        if kind in ("sample_ids", "source_ids", "target", "values") and len(values) != n_samples:
            raise ValueError(f"its {name[:40]} are {len(values)}, not {n_samples} as its samples")
        if kind == "values" and values.shape[1] != len(arrays[f"names/{name.partition('/')[2]}"]):
            raise ValueError(f"its {name[:40]} have other columns than names")
