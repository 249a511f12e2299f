"""Reviewers without eyes: one who knows which labels were planted wrong, and one who takes every advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seisvision.data.corrections.corrected import StoredValues, is_of_event
from seisvision.data.corrections.standing import Label, standing
from seisvision.data.corrections.table import CORRECT, KEEP, Decision, append_decisions, now, read_decisions
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.reviewing.queue import HIDDEN, Queue
from seisvision.reviewing.session import what_is_shown
from seisvision.seeding import numpy_stream

PLANTED, TRUTHFUL, TRUSTING = "planted", "simulated: knows the truth", "simulated: takes every advice"
"""Reviewers of decisions that no person took."""


def plant_errors(
    waveform_set: WaveformSet,
    file: Path,
    column: str,
    values: Sequence[str],
    spared: Iterable[str],
    share: float,
    seed: int,
) -> int:
    """Give a share of the events another class, each other class alike, as rows of a file of corrections.

    Args:
        waveform_set: the set.
        file: ``corrections.csv``; the rows are put at its end.
        column: of classes of events.
        values: one of the column for each class.
        spared: events that keep their label, such as those of an untouched test.
        share: of the others.
        seed: base seed.

    Returns:
        How many.

    Raises:
        ConfigurationError: the column is not one of events, or the share is none.
    """
    if not is_of_event(column):
        raise ConfigurationError(f"Errors are planted among classes of events, which '{column}' does not hold.")
    if not 0 < share < 1:
        raise ConfigurationError(f"plant={share} must lie above 0 and below 1.")
    stored, kept = StoredValues(waveform_set), set(spared)
    labels = {name: stored.now((name, column)) for name in waveform_set.source_ids if name not in kept}
    usable = [name for name, value in labels.items() if value in values]
    stream = numpy_stream(seed, "planted labels")
    planted = []
    for place in sorted(stream.choice(len(usable), round(share * len(usable)), replace=False)):
        name = usable[place]
        others = [value for value in values if value != labels[name]]
        planted.append(Decision(
            sample_id=name, source_id=name, column=column, old=labels[name], new=others[stream.integers(len(others))],
            verdict=CORRECT, reviewer=PLANTED, time=now(), reason="planted", run_id="", probability="",
            set_fingerprint=waveform_set.fingerprint,
        ))  # fmt: skip
    append_decisions(file, planted)
    return len(planted)


def truth_of(file: Path) -> dict[Label, str]:
    """What planted labels were before."""
    planted = (one for one in read_decisions(file) if one.reviewer == PLANTED)
    return {label: said[PLANTED].old for label, said in standing(planted).items()}


def decide_all(queue: Queue, file: Path, truth: Mapping[Label, str] | None) -> int:
    """Decide every label of a queue, and return how many were corrected.

    Args:
        queue: the labels.
        file: ``corrections.csv``.
        truth: of labels that were planted wrong; all others are right. None: whatever the networks advise about labels
            that are likely wrong is taken, which is what an automatic cleaning would do.
    """
    value_of = {one["name"]: one["value"] for one in queue.about["choices"]}
    reviewer = TRUSTING if truth is None else TRUTHFUL
    decisions = []
    for one in queue.items:
        if truth is None:
            said = one[HIDDEN]["suggested"]
            new = value_of.get(said, said) if one[HIDDEN]["suspect"] else one["old"]
        else:
            new = truth.get((one["sample_id"], one["column"]), one["old"])
        changed = new != one["old"] and bool(new) and what_is_shown(one)["can_change"]
        probability = one[HIDDEN].get("probability")
        decisions.append(Decision(
            sample_id=one["sample_id"], source_id=one["source_id"], column=one["column"], old=one["old"],
            new=new if changed else "", verdict=CORRECT if changed else KEEP, reviewer=reviewer, time=now(), reason="",
            run_id=one["run_id"], probability="" if probability is None else f"{probability:.6g}",
            set_fingerprint=str(queue.about["set_fingerprint"]),
        ))  # fmt: skip
    append_decisions(file, decisions)
    return sum(one.verdict == CORRECT for one in decisions)
