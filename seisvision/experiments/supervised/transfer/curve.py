"""A learning curve of a new region: runs from scratch and from a trained network, with more and more of its events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.differences import Difference, Influence, compare_runs
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, is_share, render_table
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.measures import stored_measures
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

SCRATCH = "scratch"
WAYS: dict[str, tuple[str, ...]] = {
    SCRATCH: (),
    "probe": ("fine_tune.parts=backbone", "fine_tune.frozen=backbone"),
    "tuned": (),
}
"""What is typed for each way to learn; all but the first begin with the trained network."""
COLUMNS = ("way", "share", "seed", "events", "measure", "value", "low", "high", "strongest", "strongest_value", "run")
"""Of the table with a row a run; the interval of a run is over its test events."""

Compose = Callable[[Sequence[str]], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """What a learning curve is made of.

    Args:
        words: the experiment in the new region, as for ``train.py``.
        network: run folder or checkpoint that the others begin with.
        ways: words by name; see :data:`WAYS`.
        shares: of the training and validation events of the new region.
        seeds: each draws other events and begins with other random weights.
        longest: a run with few events has as many steps as one with all, but at most so many times its epochs.
        measure: None for the headline of the first output.
    """

    words: Sequence[str]
    network: Path
    ways: Mapping[str, Sequence[str]]
    shares: Sequence[float]
    seeds: Sequence[int]
    longest: float = 5.0
    measure: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not allowed."""
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ConfigurationError(f"shares {list(self.shares)} are not allowed; give shares above 0, at most 1.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigurationError(f"seeds {list(self.seeds)} are not allowed; give each once.")
        if not self.longest >= 1:
            raise ConfigurationError(f"{self.longest:g} times the epochs is not allowed; give 1 or more.")


@dataclass(frozen=True)
class Point:
    """A finished run of a curve."""

    way: str
    share: float
    seed: int
    folder: RunFolder
    metrics: Mapping[str, Any] = field(repr=False)
    influence: Influence = field(repr=False)
    measure: str

    @property
    def value(self) -> Measure:
        """The measure with the interval over test events."""
        return stored_measures(self.metrics["test"][self.output])[self.measure]

    @property
    def output(self) -> str:
        """Name of the first output."""
        return str(self.metrics["outputs"][0]["name"])

    @property
    def n_events(self) -> int:
        """Events that were learnt from or validated with."""
        events = self.metrics["data"]["events"]
        return int(events["train"]) + int(events.get("val", 0))

    @property
    def strongest(self) -> tuple[str, float]:
        """Name and value of the baseline to beat on the same events; NaN where there is none."""
        named = (self.metrics.get("strongest_baseline") or {}).get(self.output)
        if named is None:
            return "", math.nan
        stored = self.metrics["baselines"][self.output][named["name"]].get("test") or {}
        found = stored_measures(stored).get(self.measure)
        return str(named["name"]), math.nan if found is None else found.value

    def row(self) -> list[Any]:
        """A row of :data:`COLUMNS`."""
        value = self.value
        return [
            self.way, self.share, self.seed, self.n_events, self.measure, value.value, value.low, value.high,
            *self.strongest, str(self.folder.path),
        ]  # fmt: skip


def do_curve(asked: Asked, compose: Compose) -> list[Point]:
    """Do all runs of a curve that are not stored, one after the other; the same call goes on with what is missing.

    Raises:
        ConfigurationError: a setting is not allowed, or the network does not fit.
        DataError: the measure is none that differences can be tested of.
    """
    whole = compose([*asked.words, "run.test=true"])
    epochs, patience = whole["trainer"]["max_epochs"], whole["trainer"].get("early_stopping_patience")
    ways = {
        name: ([] if name == SCRATCH else [f"init_from={asked.network}"], words) for name, words in asked.ways.items()
    }
    # A missing network or a misspelt word of a way is told before anything is trained ...
    for begun, words in ways.values():
        compose([*asked.words, *begun, *words])
    points = []
    for share in asked.shares:
        longer = min(1 / share, asked.longest)
        further = [] if share == 1 else [f"split.share={share:g}", f"trainer.max_epochs={math.ceil(epochs * longer)}"]
        if share < 1 and patience is not None:
            further.append(f"trainer.early_stopping_patience={math.ceil(patience * longer)}")
        for seed in asked.seeds:
            drawn = [f"split.share_seed={seed}"] if share < 1 else []
            # ... and a network that does not fit by the first run, as training from scratch comes last.
            for way, (begun, words) in sorted(ways.items(), key=lambda one: one[0] == SCRATCH):
                # Baselines depend on the events alone, which all ways share.
                beside = [] if way == SCRATCH else ["evaluation.baselines=false"]
                typed = [*asked.words, *further, *drawn, f"seed={seed}", *begun, *beside, *words]
                points.append(_point(way, share, seed, ensure_run(compose(typed), typed), asked.measure))
    order = list(ways)
    return sorted(points, key=lambda one: (one.share, one.seed, order.index(one.way)))


def _point(way: str, share: float, seed: int, folder: RunFolder, measure: str | None) -> Point:
    metrics = read_json(folder.metrics_file)
    if "test" not in metrics:
        raise DataError(f"{folder.path} has no test events, on which ways to learn are compared. Choose another split.")
    about = metrics["outputs"][0]
    name = measure or str(metrics["test"][about["name"]]["headline"])
    influence = read_predictions(folder.predictions_file, about).influence(name)
    return Point(way, share, seed, folder, metrics, influence, name)


def difference(points: Sequence[Point], way: str, other: str, share: float) -> Difference | None:
    """Mean of one way minus that of another at a share, with an interval over events and trainings; None if not done.

    Raises:
        DataError: the test events are not the same.
    """
    sides = [[one for one in points if (one.way, one.share) == (name, share)] for name in (way, other)]
    if not all(sides):
        return None
    runs = [one.influence for side in sides for one in side]
    if not all(np.array_equal(one.events, runs[0].events) for one in runs):
        raise DataError("The runs were tested on different events. Choose one split for all.")
    return compare_runs(*([one.influence for one in side] for side in sides))


def describe_curve(points: Sequence[Point], as_it_is: Measure | None = None) -> str:
    """Text: a row a way and share, with the mean over seeds, their range, and the difference from scratch."""
    measure, percent = points[0].measure, is_share(points[0].measure)

    def told(value: float) -> str:
        return format_measure(Measure(value), percent=percent)

    body = []
    if as_it_is is not None:
        body.append(["as it is", "0 %", "0", format_measure(as_it_is, percent=percent), "", "", ""])
    for share in sorted({one.share for one in points}):
        for way in dict.fromkeys(one.way for one in points):
            side = [one for one in points if (one.way, one.share) == (way, share)]
            values = [one.value.value for one in side]
            n_events = float(np.mean([one.n_events for one in side]))
            moved = None if way == SCRATCH else difference(points, way, SCRATCH, share)
            body.append([
                way,
                f"{100 * share:g} %",
                f"{n_events:.0f}",
                told(float(np.mean(values))),
                f"{told(min(values))} to {told(max(values))}" if len(values) > 1 else "",
                "" if moved is None else _told(moved, percent),
                _strongest(side, told),
            ])  # fmt: skip
    head = ["way", "share", "events", measure, "seeds", "minus scratch", "strongest baseline"]
    seeds = len({one.seed for one in points})
    hold = "events and training runs" if seeds > 1 else "events, of these trained networks only"
    below = f"Intervals of differences hold {hold}; {seeds} seeds, each with other events of its share."
    return f"{render_table(head, body, 'text')}\n\n{below}"


def _strongest(side: Sequence[Point], told: Callable[[float], str]) -> str:
    """Mean of the strongest baselines of some runs, and their names."""
    known = [one.strongest for one in side if not math.isnan(one.strongest[1])]
    if not known:
        return ""
    return f"{told(float(np.mean([value for _, value in known])))} ({', '.join(sorted({name for name, _ in known}))})"


def _told(moved: Difference, percent: bool) -> str:
    measure = Measure(moved.value, *moved.interval(), 0, "of runs and events")
    return f"{format_measure(measure, percent=percent)}, p {moved.p_value:.2g}"
