"""The loop as a protocol: folds, a review, folds again on the cleaned labels, and tests that were and were not touched.

Every step leaves files and is found done when the command is repeated: runs by their id, the queue by its folder, the
decisions by their file. Splits are drawn before any correction, so that the folds before and after the review hold the
same samples, and half of the test events is never reviewed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.corrections.corrected import replay
from seisvision.data.corrections.source import Corrections
from seisvision.data.corrections.standing import Rule, standing
from seisvision.data.corrections.table import CORRECT, DISCARD, append_decisions, read_decisions
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure
from seisvision.files import write_text
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.predictions import Predictions
from seisvision.records.data_source import source_of
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.records.kinds import experiment_class, kind_of_config
from seisvision.records.prediction_table import read_predictions
from seisvision.reviewing.agreement import agreements, describe
from seisvision.reviewing.make import Wanted, is_reviewed_test, make_queue
from seisvision.reviewing.queue import ABOUT, HIDDEN, Queue
from seisvision.reviewing.simulated import PLANTED, decide_all, plant_errors, truth_of
from seisvision.runs.ensure import ensure_run, identify

log = logging.getLogger(__name__)

Compose = Callable[[Sequence[str]], dict[str, Any]]
SIMULATIONS = ("truth", "advice")
REPORT = "review.md"


@dataclass(frozen=True)
class Loop:
    """What a loop is told.

    Args:
        compose: turns overrides into a resolved configuration of ``train.py``.
        overrides: of the experiment.
        out: folder of queue, decisions and report.
        n_folds: folds.
        wanted: of the queue; its ``test_share`` is that of the test events which are reviewed.
        simulate: ``truth``: labels are planted wrong and one who knows them decides; ``advice``: all advice is taken;
            None: people decide.
        plant: share of labels that are planted wrong first.
        rule: what becomes of labels on which reviewers disagree.
        go_on: do not wait for labels that nobody has decided.
    """

    compose: Compose
    overrides: Sequence[str]
    out: Path
    n_folds: int = 5
    wanted: Wanted = Wanted(test_share=0.5)  # noqa: RUF009 (it is frozen)
    simulate: str | None = None
    plant: float = 0.0
    rule: Rule = Rule()  # noqa: RUF009 (it is frozen)
    go_on: bool = False

    def __post_init__(self) -> None:
        if self.simulate not in (None, *SIMULATIONS):
            raise ConfigurationError(f"simulate={self.simulate} is not known; give {' or '.join(SIMULATIONS)}.")
        if self.simulate == "truth" and not self.plant:
            raise ConfigurationError("simulate=truth knows what was planted; give --plant 0.05 too.")
        if self.n_folds < 2:
            raise ConfigurationError(f"folds={self.n_folds} must be 2 or more.")

    @property
    def file(self) -> Path:
        """``corrections.csv``."""
        return self.out / "corrections.csv"


def run_loop(loop: Loop) -> Path | None:
    """Do what is missing of the loop; returns the report, or None where people are to decide first.

    Raises:
        ConfigurationError: settings that do not go together.
        DataError: the experiment cannot be reviewed.
        SeisvisionError: a run failed.
    """
    loop.out.mkdir(parents=True, exist_ok=True)
    queue_made = (loop.out / "queue" / ABOUT).is_file()
    if not loop.file.exists() and not queue_made:
        _take_earlier_rounds(loop)
        if loop.plant:
            _plant(loop)
    # What stands in the file now is part of the labels that the first folds learn; decisions of this review come later.
    before = _stored_runs(loop) if queue_made else _train(loop, corrected=loop.file.exists())
    if not queue_made:
        write_json(loop.out / "before.json", [str(folder.path) for folder in before])
        make_queue([str(folder.path) for folder in before], loop.out / "queue", loop.wanted)
    queue = Queue.read(loop.out / "queue")
    n_open = _n_open(loop, queue)
    if n_open and loop.simulate:
        truth = truth_of(loop.file) if loop.simulate == "truth" else None
        decide_all(queue, loop.file, truth)
    elif n_open and not loop.go_on:
        log.info(
            "%d of %d labels are to be decided: seisvision review serve %s --corrections %s --reviewer NAME. Then "
            "repeat this command; it goes on from there (--go-on leaves the others as they are).",
            n_open, len(queue.items), loop.out / "queue", loop.file,
        )  # fmt: skip
        return None
    after = _train(loop, corrected=loop.file.exists())
    return _report(loop, queue, before, after)


def _overrides(loop: Loop, fold: int, corrected: bool) -> list[str]:
    words = [*loop.overrides, f"split.n_folds={loop.n_folds}", f"split.fold={fold}", "run.test=true"]
    if not corrected:
        return words
    arbiter = "null" if loop.rule.arbiter is None else f"'{loop.rule.arbiter}'"
    said = f"{{file: '{loop.file.absolute()}', rule: {loop.rule.rule}, arbiter: {arbiter}}}"
    return [*words, f"dataset.corrections={said}"]


def _train(loop: Loop, corrected: bool) -> list[RunFolder]:
    folders = []
    for fold in range(loop.n_folds):
        log.info("Fold %d of %d, %s labels", fold + 1, loop.n_folds, "corrected" if corrected else "raw")
        words = _overrides(loop, fold, corrected)
        folders.append(ensure_run(loop.compose(words), words))
    return folders


def _stored_runs(loop: Loop) -> list[RunFolder]:
    return [RunFolder(Path(path)) for path in read_json(loop.out / "before.json")]


def _take_earlier_rounds(loop: Loop) -> None:
    """Begin the file with the decisions that the experiment has already: all that led to its labels."""
    config = loop.compose(_overrides(loop, 0, corrected=False))
    said = config["dataset"].get("corrections")
    if said is not None:
        path = Corrections.of(said).path(Path(config["system"]["data_dir"]).expanduser())
        append_decisions(loop.file, read_decisions(path))


def _plant(loop: Loop) -> None:
    """Plant wrong labels everywhere but among the test events that are never reviewed."""
    config = loop.compose(_overrides(loop, 0, corrected=False))
    experiment = experiment_class(kind_of_config(config))(config, identify(config))
    experiment.load()
    data = experiment.data
    column, classes = next(((name, names) for name, names in data.class_names.items() if names), ("", []))
    if not classes:
        raise ConfigurationError("Errors are planted among classes; choose an experiment with a class output.")
    labels = config["dataset"]["labels"][column]
    values = [str(next(iter(labels[name]))) for name in classes]
    share = loop.wanted.test_share
    untouched = {name for name in data.parts["test"].source_ids if not is_reviewed_test(name, share)}
    n_planted = plant_errors(data.waveform_set, loop.file, column, values, untouched, loop.plant, config["seed"])
    log.info("%d labels planted wrong; the %d untouched test events are spared", n_planted, len(untouched))


def _n_open(loop: Loop, queue: Queue) -> int:
    """Labels of the queue that nobody has decided."""
    about = str(queue.about["set_fingerprint"])
    decisions = read_decisions(loop.file) if loop.file.exists() else []
    held = standing(one for one in decisions if one.set_fingerprint == about and one.reviewer != PLANTED)
    return sum((one["sample_id"], one["column"]) not in held for one in queue.items)


def _report(loop: Loop, queue: Queue, before: Sequence[RunFolder], after: Sequence[RunFolder]) -> Path:
    said = {"before": _tested(before), "after": _tested(after)}
    share = loop.wanted.test_share
    common = [name for name in said["before"].sample_ids if name in set(said["after"].sample_ids)]
    first, second = (one.select(common) for one in said.values())
    reviewed = np.array([is_reviewed_test(name, share) for name in first.source_ids], dtype=bool)
    level = 0.95
    tests = {
        "raw test": (reviewed, first.target),
        "cleaned test": (reviewed, second.target),
        "untouched test": (~reviewed, first.target),
    }
    rows = {}
    for name, (chosen, target) in tests.items():
        rows_of = np.flatnonzero(chosen)
        if not len(rows_of):
            continue
        pair = [replace(one, target=target).take(rows_of) for one in (first, second)]
        values = [one.measures(level)[one.headline] for one in pair]
        rows[name] = {
            "measure": pair[0].headline,
            "n": len(rows_of),
            "before": values[0].to_dict(),
            "after": values[1].to_dict(),
            "change": pair[1].difference(pair[0], level),
        }
    content = {"tests": rows, "review": _changes(loop, queue)}
    write_json(loop.out / "review.json", content)
    write_text(loop.out / REPORT, _text(content))
    return loop.out / REPORT


def _tested(folders: Sequence[RunFolder]) -> Predictions:
    """What the folds say together of the test samples, with the labels that they were given."""
    metrics = [read_json(folder.metrics_file) for folder in folders]
    said = [
        read_predictions(folder.predictions("test"), one["outputs"][0])
        for folder, one in zip(folders, metrics, strict=True)
    ]
    return average_predictions(said)


def _changes(loop: Loop, queue: Queue) -> dict[str, Any]:
    """What the review changed, by whom, and how right planted labels became."""
    everything = read_decisions(loop.file) if loop.file.exists() else []
    about = str(queue.about["set_fingerprint"])
    decisions = [one for one in everything if one.reviewer != PLANTED and one.set_fingerprint == about]
    config = loop.compose(_overrides(loop, 0, corrected=False))
    source = source_of(config["dataset"]["source"])
    waveform_set = WaveformSet(source.prepare(config["system"]["data_dir"]))
    replayed = replay(waveform_set, everything, loop.rule)
    held = standing(decisions)
    verdicts = Counter(one.verdict for said in held.values() for one in said.values())
    moves = Counter(
        f"{one.old} to {one.new if one.verdict == CORRECT else 'nothing'}"
        for said in held.values()
        for one in list(said.values())[-1:]
        if one.verdict in (CORRECT, DISCARD)
    )
    found: dict[str, Any] = {
        "labels_in_queue": len(queue.items),
        "likely_wrong": queue.about["n_suspect"],
        "labels": queue.about["n_labels"],
        "verdicts": dict(sorted(verdicts.items())),
        "moves": dict(moves.most_common()),
        "changed_share": sum(moves.values()) / max(1, int(queue.about["n_labels"])),
        "conflicts": sum(len(one.conflicts) for one in replayed.outcomes),
        "agreement": [describe(one) for one in agreements(decisions)],
        "set": {"before": queue.about["set_fingerprint"], "after": replayed.fingerprint},
    }
    if loop.plant:
        truth = truth_of(loop.file)
        shown = [(one["sample_id"], one["column"]) in truth for one in queue.items]
        suspects = [(one["sample_id"], one["column"]) in truth for one in queue.items if one[HIDDEN]["suspect"]]
        found["planted"] = {
            "n": len(truth),
            "in_queue": sum(shown),
            "precision_at_n": float(np.mean(_first(queue, truth))) if truth else None,
            "recall_of_likely_wrong": sum(suspects) / max(1, len(truth)),
            "precision_of_likely_wrong": float(np.mean(suspects)) if suspects else None,
            "left": sum(label in replayed.changes for label in truth),
        }
    return found


def _first(queue: Queue, truth: Mapping[tuple[str, str], str]) -> list[bool]:
    """Whether each of the first n labels by score was planted, n being the number planted."""
    ranked = sorted((one for one in queue.items if not one.get("control")), key=lambda one: one[HIDDEN]["score"])
    return [(one["sample_id"], one["column"]) in truth for one in ranked[: len(truth)]]


def _text(content: Mapping[str, Any]) -> str:
    lines = ["# Review of labels", "", "| test | labels | n | before | after | change |", "|---|---|---|---|---|---|"]
    labels = {"raw test": "as they were", "cleaned test": "reviewed", "untouched test": "never reviewed"}
    for name, row in content["tests"].items():
        cells = [
            format_measure(Measure(**{key: row[when][key] for key in ("value", "low", "high", "n")}))
            for when in ("before", "after")
        ]
        change = row["change"]
        low, high = change["low"], change["high"]
        told = "not tested" if change["value"] is None else f"{change['value']:+.3f} [{low:+.3f}, {high:+.3f}]"
        lines.append(f"| {name} | {labels[name]} | {row['n']} | {cells[0]} | {cells[1]} | {told} |")
    review = content["review"]
    lines += [
        "",
        f"Measure: {next(iter(content['tests'].values()))['measure']} of the mean of the folds. The reviewed tests "
        "flatter whatever the review agreed with; the untouched one decides.",
        "",
        f"{review['labels']} labels, {review['likely_wrong']} likely wrong, {review['labels_in_queue']} looked at.",
        f"Verdicts: {', '.join(f'{name} {n}' for name, n in review['verdicts'].items()) or 'none'}.",
        f"Changed: {100 * review['changed_share']:.1f} % of all labels"
        + (f" ({', '.join(f'{name} {n}' for name, n in review['moves'].items())})." if review["moves"] else "."),
        *(f"Agreement: {one}." for one in review["agreement"]),
        f"Conflicts of reviewers: {review['conflicts']}.",
        f"Set before {review['set']['before']}, after {review['set']['after']}.",
    ]
    if "planted" in review:
        one = review["planted"]
        lines.append(
            f"Planted: {one['n']}; precision at that number {one['precision_at_n']:.2f}, recall of those likely wrong "
            f"{one['recall_of_likely_wrong']:.2f}; {one['left']} left after the review."
        )
    return "\n".join(lines) + "\n"
