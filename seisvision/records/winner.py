"""What a sweep chooses from, on which events, and what its best point is worth on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.evaluation.directions import direction
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, is_share
from seisvision.records.folder import RunFolder, read_json
from seisvision.yaml_files import read_yaml

REPEATS = ("seed=", "split.fold=", "split.n_folds=")
"""Beginnings of typed settings in which repetitions of one configuration differ."""
MOST_CANDIDATES = 500
"""Runs whose predictions are read for a correction."""
CHOSEN = "chosen on these events"


@dataclass(frozen=True)
class Winner:
    """The best of several runs by the measure that it was chosen by."""

    name: str
    """Of the measure."""
    value: float
    corrected: float
    """Expected on events that had no say in the choice."""
    n_candidates: int

    def to_text(self) -> str:
        """Such as ``the best accuracy, 86.2 %, is worth about 83.9 % on other events``."""
        as_chosen, on_others = (
            format_measure(Measure(value), percent=is_share(self.name)) for value in (self.value, self.corrected)
        )
        return (
            f"the best {self.name.replace('_', ' ')} of {self.n_candidates} runs, {as_chosen}, is worth about "
            f"{on_others} on events that had no say (bootstrap over the choice among runs, not among epochs)"
        )


def is_selection(folders: Sequence[RunFolder]) -> bool:
    """Whether runs differ in more than seed and fold, so that one of them will be chosen."""
    kinds = set()
    for folder in folders:
        typed = [str(one) for one in read_yaml(folder.overrides_file)]
        kinds.add(frozenset(one for one in typed if not one.startswith(REPEATS)))
    return len(kinds) > 1


def winner(folders: Sequence[RunFolder]) -> Winner | None:
    """The best run on validation with the correction for its choice.

    None where it cannot be given: one run, other events in some, a monitored value that is no testable measure of the
    first output, or predictions that cannot be read.
    """
    from seisvision.evaluation.selection import corrected_best
    from seisvision.records.prediction_table import read_predictions

    if not 2 <= len(folders) <= MOST_CANDIDATES:
        return None
    try:
        stored = [read_json(folder.metrics_file) for folder in folders]
        about = stored[0]["outputs"][0]
        names = {_monitored(metrics, str(about["name"])) for metrics in stored}
        if len(names) > 1 or len({metrics["data"]["split_hash"] for metrics in stored}) > 1:
            return None
        (name,) = names
        found = [read_predictions(folder.predictions("val"), about).influence(name) for folder in folders]
    except (SeisvisionError, OSError, KeyError, ValueError, IndexError):
        # Files of other versions, or a loss that predictions do not hold: the mark stays, the correction does not.
        return None
    less_is_better = direction(name) < 0
    corrected = corrected_best(found, less_is_better=less_is_better)
    if corrected is None:
        return None
    values = [one.value for one in found]
    return Winner(name, min(values) if less_is_better else max(values), corrected, len(found))


def _monitored(metrics: dict[str, Any], output: str) -> str:
    """The measure that a run was chosen by, without part and output."""
    return str(metrics["training"]["monitor"][0]).removeprefix("val/").removeprefix(f"{output}_")
