"""What tells the class, or the set, without a look at the waveform.

A network that scores no better than the station code alone may have learnt the station. So each attribute is asked how
well it predicts the class of an event it was not counted on: a table of how often each value occurs with each class,
made from four fifths of the events and read for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seisvision.data.audit.findings import Finding
from seisvision.data.audit.magnitudes import magnitude_scales
from seisvision.data.audit.table import SET_COLUMNS, AuditTable
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_FOLDS = 5
N_BINS = 16
"""Numbers are cut into so many equally full bins."""
SMOOTHING = 0.5
NOTABLE_SKILL = 0.2
"""Share of the way from chance to perfect balanced accuracy."""
MIN_EVENTS = 5
"""Classes with fewer events cannot be predicted by five folds."""
MAX_CLASSES = 20
COMBINED = "all of these together"
NUMBER_OF_TRACES = "number of traces"
HIDE_NUMBER = (
    "A record section shows it by the width of its columns. Give all events as many, drawn at random: "
    "dataset.samples.station_choice=random with dataset.samples.max_stations and min_stations of one number; a model "
    "must beat this score, the baseline station_count, to have learnt anything."
)
"""What to do where the number of traces predicts the class."""
STYLE = ("length", "sampling rate", "components", "onset in window", "unit")
"""Attributes of the recording that a network sees, in the samples or their number."""


@dataclass(frozen=True)
class Confound:
    """How well one attribute alone predicts.

    Args:
        attribute: what is known.
        kind: ``recording`` (must not matter) or ``source`` (may belong to the class, as depth does).
        unit: ``traces`` or ``events``, what is predicted.
        n: how many.
        n_values: values the attribute takes, or bins.
        accuracy: share predicted right.
        majority: share of the largest class, right without knowing anything.
        balanced_accuracy: mean over classes of the share predicted right, when classes count equally.
        low95: lower end of the 95 % interval of the balanced accuracy, events being what varies.
        high95: its upper end.
        auc: area under the receiver curve, mean of one class against the rest.
        chance: balanced accuracy of guessing.
    """

    attribute: str
    kind: str
    unit: str
    n: int
    n_values: int
    accuracy: float
    majority: float
    balanced_accuracy: float
    low95: float
    high95: float
    auc: float
    chance: float

    @property
    def skill(self) -> float:
        """Share of the way from guessing to perfect."""
        return (self.balanced_accuracy - self.chance) / (1 - self.chance)

    @property
    def notable(self) -> bool:
        """Whether the attribute predicts better than chance allows, and enough to matter."""
        return self.skill >= NOTABLE_SKILL and self.low95 > self.chance

    def to_dict(self) -> dict[str, Any]:
        """Plain containers for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """One line for a log."""
        return (
            f"{self.attribute} alone: accuracy {self.accuracy:.3f} (majority {self.majority:.3f}), balanced "
            f"{self.balanced_accuracy:.3f} [{self.low95:.3f}, {self.high95:.3f}] (chance {self.chance:.3f}), "
            f"AUC {self.auc:.3f}"
        )


def class_confounds(
    table: AuditTable, extra: Mapping[str, np.ndarray] | None = None, seed: int = DEFAULT_SEED
) -> list[Confound]:
    """Return what tells the class, best first; empty without at least two classes of five events.

    Args:
        table: the set.
        extra: further numbers (N,) of the recordings, such as their largest amplitude.
        seed: base seed of the folds.
    """
    attributes = list(_recording(table)) + list(_source(table))
    attributes += [(name, "recording", "traces", _binned(values)) for name, values in (extra or {}).items()]
    return _confounds(table, table.classes[0], attributes, seed)


def set_confounds(table: AuditTable, seed: int = DEFAULT_SEED) -> list[Confound]:
    """Return how window style tells which collection a trace comes from; empty where there is only one."""
    column = next((column for column in SET_COLUMNS if len(table.codes(column)[1]) > 1), None)
    if column is None:
        return []
    style = [item for item in _recording(table) if item[0] in STYLE]
    return _confounds(table, table.codes(column)[0], style, seed)


Attribute = tuple[str, str, str, np.ndarray]
"""Name, kind, unit and value number (N,) or -1."""


def _recording(table: AuditTable) -> Iterator[Attribute]:
    yield "station", "recording", "traces", table.station[0]
    for name, column in (
        ("network", "station_network_code"),
        ("channel", "trace_channel"),
        ("components", "trace_component_order"),
        ("unit", "trace_unit"),
        ("collection", next((name for name in SET_COLUMNS if table.has(name)), "source_dataset")),
    ):
        yield name, "recording", "traces", table.codes(column)[0]
    yield "magnitude type", "recording", "events", magnitude_scales(table)[0]
    for name, column in (
        ("sampling rate", "trace_sampling_rate_hz"),
        ("original rate", "trace_original_sampling_rate_hz"),
    ):
        yield name, "recording", "traces", _binned(table.numbers(column))
    yield "length", "recording", "traces", _binned(table.length_s)
    yield "onset in window", "recording", "traces", _binned(table.numbers("trace_onset_s"))
    yield "start after origin", "recording", "traces", _binned(table.start_s - table.origin_s)
    hour = np.where(np.isnan(table.origin_s), table.start_s, table.origin_s) % 86400 // 3600
    yield "hour of day", "recording", "events", _binned(hour)
    yield "date", "recording", "events", _binned(np.where(np.isnan(table.origin_s), table.start_s, table.origin_s))
    n_traces = np.bincount(table.event)[table.event]
    yield NUMBER_OF_TRACES, "recording", "events", _binned(n_traces.astype(float))
    yield "origin known", "recording", "events", np.isfinite(table.origin_s).astype(int)


def _source(table: AuditTable) -> Iterator[Attribute]:
    for name in ("depth_km", "magnitude", "latitude_deg", "longitude_deg"):
        yield name.partition("_")[0], "source", "events", _binned(table.numbers(f"source_{name}"))
    yield "distance", "source", "traces", _binned(table.numbers("path_ep_distance_km"))
    yield "azimuth", "source", "traces", _binned(table.numbers("path_azimuth_deg"))


def _binned(values: np.ndarray) -> np.ndarray:
    """Number of the equally full bin; no value is a bin of its own, because lacking may tell as much."""
    known = np.isfinite(values)
    codes = np.zeros(len(values), dtype=np.int64)
    if known.any():
        # Quantiles of a part are as good, and sorting a million numbers twenty times is not quick.
        some = values[known][:: max(1, int(known.sum()) // 20000)]
        edges = np.unique(np.quantile(some, np.linspace(0, 1, N_BINS + 1))[1:-1])
        codes[known] = 1 + np.searchsorted(edges, values[known], side="right")
    return codes


def _confounds(table: AuditTable, label: np.ndarray, attributes: list[Attribute], seed: int) -> list[Confound]:
    label = _enough(label, table.first_row)
    n_classes = int(label.max(initial=-1)) + 1
    if not 2 <= n_classes <= MAX_CLASSES:
        return []
    fold = _folds(label[table.first_row], seed)
    found: list[Confound] = []
    total: np.ndarray | float = 0.0
    for name, kind, unit, value in attributes:
        rows = np.flatnonzero(label >= 0) if unit == "traces" else table.first_row[label[table.first_row] >= 0]
        _, codes = np.unique(value[rows], return_inverse=True)
        if codes.max(initial=0) == 0:
            continue
        likelihood = _likelihood(codes, label[rows], fold[table.event[rows]], n_classes)
        found.append(_score(name, kind, unit, likelihood, codes, label[rows], table.event[rows]))
        if kind == "recording":
            spread = np.zeros((table.n_events, n_classes))
            # An event is one vote, however many traces speak for it.
            np.add.at(spread, table.event[rows], np.log(likelihood))
            total = total + spread / np.maximum(np.bincount(table.event[rows], minlength=table.n_events), 1)[:, None]
    found.sort(key=lambda item: -item.balanced_accuracy)
    if len([item for item in found if item.kind == "recording"]) > 1:
        events = np.flatnonzero(label[table.first_row] >= 0)
        joint = np.exp(np.asarray(total)[events] - np.asarray(total)[events].max(axis=1, keepdims=True))
        codes, truth = np.arange(len(events)), label[table.first_row[events]]
        found.insert(0, _score(COMBINED, "recording", "events", joint, codes, truth, events))
    return found


def _enough(label: np.ndarray, first_row: np.ndarray) -> np.ndarray:
    """Class numbers without gaps; classes with few events become -1."""
    first = label[first_row]
    events = np.bincount(first[first >= 0], minlength=int(label.max(initial=-1)) + 1)
    new = np.where(events >= MIN_EVENTS, np.cumsum(events >= MIN_EVENTS) - 1, -1)
    return np.append(new, -1)[label]


def _folds(label_of_event: np.ndarray, seed: int) -> np.ndarray:
    """Fold of each event (E,), the classes dealt out evenly."""
    shuffled = numpy_stream(seed, "audit/folds").permutation(len(label_of_event))
    order = shuffled[np.argsort(label_of_event[shuffled], kind="stable")]
    fold = np.empty(len(order), dtype=int)
    fold[order] = np.arange(len(order)) % N_FOLDS
    return fold


def _likelihood(codes: np.ndarray, label: np.ndarray, fold: np.ndarray, n_classes: int) -> np.ndarray:
    """How likely each class is to show the value of each sample (n, K), from the other folds."""
    n_values = int(codes.max()) + 1
    shape = (N_FOLDS, n_values, n_classes)
    counts = np.bincount(np.ravel_multi_index((fold, codes, label), shape), minlength=int(np.prod(shape))).reshape(
        shape
    )
    others = counts.sum(axis=0) - counts
    likelihood = (others + SMOOTHING) / (others.sum(axis=1, keepdims=True) + SMOOTHING * n_values)
    # A value the other folds never saw says nothing, however unequal the classes are.
    likelihood[others.sum(axis=2) == 0] = 1 / n_values
    return likelihood[fold, codes]


def _score(
    name: str,
    kind: str,
    unit: str,
    likelihood: np.ndarray,
    codes: np.ndarray,
    label: np.ndarray,
    event: np.ndarray,
) -> Confound:
    n_classes = likelihood.shape[1]
    sizes = np.bincount(label, minlength=n_classes)
    balanced = likelihood / likelihood.sum(axis=1, keepdims=True)
    right = balanced.argmax(axis=1) == label
    plain = (likelihood * sizes).argmax(axis=1) == label
    value = float(np.mean([right[label == k].mean() for k in range(n_classes)]))
    low, high = _interval(right, label, event, n_classes)
    auc = float(np.mean([_auc(balanced[:, k], label == k) for k in range(n_classes)]))
    majority = float(sizes.max() / sizes.sum())
    n_values = int(codes.max()) + 1
    return Confound(
        name, kind, unit, len(label), n_values, float(plain.mean()), majority, value, low, high, auc, 1 / n_classes
    )


def _interval(right: np.ndarray, label: np.ndarray, event: np.ndarray, n_classes: int) -> tuple[float, float]:
    """95 % of the balanced accuracy, events being what varies: the linearised ratio estimator of cluster samples.

    Cochran (1977), Sampling Techniques, section 6.3, for the mean of one ratio a class.
    """
    present, number = np.unique(event, return_inverse=True)
    cell, size = number * n_classes + label, len(present) * n_classes
    n_right = np.bincount(cell, weights=right, minlength=size).reshape(-1, n_classes)
    n_all = np.bincount(cell, minlength=size).reshape(-1, n_classes)
    ratio = n_right.sum(axis=0) / n_all.sum(axis=0)
    residual = ((n_right - ratio * n_all) / n_all.sum(axis=0)).sum(axis=1) / n_classes
    half = 1.96 * float(np.sqrt(np.sum(residual**2) * len(present) / max(len(present) - 1, 1)))
    value = float(ratio.mean())
    return max(0.0, value - half), min(1.0, value + half)


def _auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the receiver curve from ranks, ties shared."""
    values, number = np.unique(score, return_inverse=True)
    n_at = np.bincount(number, minlength=len(values))
    rank = np.cumsum(n_at) - (n_at - 1) / 2
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    return float((rank[number][positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def confound_findings(classes: list[Confound], sets: list[Confound]) -> Iterator[Finding]:
    """Findings on what predicts too well."""
    for item in classes:
        if not item.notable or item.attribute == COMBINED:
            continue
        if item.kind == "recording":
            severity, remedy = (
                "warning",
                "It must not reach a network, and a model must beat this score to have learnt anything.",
            )
            remedy = HIDE_NUMBER if item.attribute == NUMBER_OF_TRACES else remedy
        else:
            severity, remedy = "note", "It may belong to the class, but a network that infers it needs nothing else."
        title = item.sentence()
        yield Finding(
            f"confound_{item.attribute.replace(' ', '_')}", severity, title, item.n, item.n, item.unit, remedy
        )
    style = [item for item in sets if item.notable and item.attribute != COMBINED]
    if style:
        remedy = (
            "Cut equal windows about the onset with a random shift, one rate, one set of components (dataset=combined)."
        )
        examples = tuple(item.sentence() for item in style[:5])
        names = ", ".join(item.attribute for item in style)
        yield Finding(
            "window_style",
            "warning",
            f"the style of the windows tells the collection: {names}",
            style[0].n,
            style[0].n,
            "traces",
            remedy,
            examples,
        )
