"""Several networks as one: their predictions averaged, or each sample predicted by those that never saw it.

On the set the members were trained on, a member votes on the samples of its own test (or validation) part only. Where
all members have one test part, all vote on every sample; where every fold has a test part of its own, every sample is
predicted once, by the fold that did not train on it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seisvision.errors import CheckpointError, ConfigurationError, DataError
from seisvision.experiments.supervised.baselines.ensemble import averaged_baselines
from seisvision.experiments.supervised.baselines.foreign import Fitted
from seisvision.experiments.supervised.conformal import add_conformal
from seisvision.experiments.supervised.evaluation import (
    baselines_of,
    locate,
    predict_part,
    prepare_passes,
    write_asked,
    write_evaluation_report,
)
from seisvision.experiments.supervised.prediction import measure
from seisvision.experiments.supervised.reporting import report, samples_of
from seisvision.experiments.supervised.results import beside_baselines
from seisvision.experiments.supervised.single import SINGLE
from seisvision.experiments.waveforms.asked import ALL, AskedNetwork, ask_network, result_folder
from seisvision.experiments.waveforms.sets.sample_facts import sample_facts
from seisvision.outputs.averaging import average_predictions, count_votes
from seisvision.outputs.predictions import Predictions
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import write_metrics
from seisvision.records.known_events import KnownEvents, by_novelty
from seisvision.records.measures import describe_measure
from seisvision.records.prediction_table import write_predictions
from seisvision.records.settings import EvaluateSettings
from seisvision.records.trust.contents import built_from, check_content
from seisvision.runs.terminal import show

log = logging.getLogger(__name__)

OF_TRAINING_PART = ("mean", "deviation", "class_weights")
"""What descriptions of one output differ in between folds."""
OUT_OF_FOLD = "out_of_fold"
"""Name of the pooled predictions of validation parts in ``metrics.json``."""


@dataclass(frozen=True)
class Member:
    """What is kept of a network of the ensemble: its word, without its weights.

    Args:
        path: of its checkpoint.
        content: what the checkpoint says beside the weights.
        unit: what a sample is, ``event`` or ``trace``.
        said: predictions by part and output.
        ids: sample ids by part of its own set.
    """

    path: Path
    content: dict[str, Any]
    unit: str
    said: dict[str, dict[str, Predictions]]
    ids: dict[str, frozenset[str]]

    @property
    def name(self) -> str:
        """Run id, and fold where it has one."""
        fold = self.content["config"]["split"]["fold"]
        return self.content["run_id"] + ("" if fold is None else f" (fold {fold})")


def evaluate_ensemble(asked: EvaluateSettings, checkpoints: Sequence[Path]) -> Path:
    """Average what several networks predict, and write it as for one network; returns the folder written.

    Beside ``predictions.csv`` of the ensemble stand those of each member in ``members/``. Where the members are folds
    with a common test part, ``predictions_out_of_fold.csv`` has every other sample, each predicted by the fold that
    did not train on it. Tables and figures are those of one network; the last member draws the pictures.

    Raises:
        CheckpointError: a checkpoint cannot be used, or does not go with the others.
        ConfigurationError: the part asked for is one the members were trained on.
        DataError: the waveform set is not the one the checkpoints know.
    """
    part = _checked_part(asked)
    known = [_known_events(path) for path in checkpoints]
    members: list[Member] = []
    fitted: dict[Any, Fitted] = {}
    for path in checkpoints:
        network = ask_network(path, asked, known)
        _refuse_known_set(network)
        prepare_passes(network, asked, len(checkpoints))
        member = _ask(network, asked, part)
        _check_goes_with(member, members[0] if members else member)
        members.append(member)
        # Members of one split have one training part, and so the same baselines.
        trained_on = (member.content["split_hash"], member.content["config"]["split"].get("refit"))
        if trained_on not in fitted or not fitted[trained_on].is_whole:
            fitted[trained_on] = baselines_of(network, member.said[part], part, asked.level)
        log.info("member %d of %d: %s", len(members), len(checkpoints), member.name)
    waveform_set = network.data.waveform_set
    folder = result_folder(asked, checkpoints, "ensemble", waveform_set.fingerprint, part)
    metrics: dict[str, Any] = {
        "data": _about(members, waveform_set.fingerprint),
        "training_events": network.seen.describe(network.handling),
    }
    predictions = _average(members, part)
    _tell_votes(members, part)
    metrics["votes"] = votes_by_count(members, part)
    _report_members(members, part, network, asked)
    write_asked(folder, network, predictions)
    for member in members:
        path = folder / "members" / f"{member.content['run_id']}.csv"
        write_predictions(path, member.said[part], network.data.waveform_set.table)
    apart = by_novelty(predictions, part, network.seen, network.handling)
    validation = _validation(members, network, asked, part)
    for name, said in apart.items():
        metrics[name] = measure(said, network.outputs, asked.level, {})
        if validation is not None and said:
            facts = sample_facts(samples_of(network.data, next(iter(said.values()))))
            add_conformal(metrics, validation, said, name, facts, asked.level)
        report(metrics[name], said, f"{name}, ensemble of {len(members)}")
    # Of another set, samples that no member has seen come first.
    part, predictions = next(iter(apart.items()))
    beside = averaged_baselines(list(fitted.values()), predictions, part, asked.level)
    metrics |= beside.to_metrics(predictions, part, asked.level)
    for name in metrics["baselines"]:
        show(beside_baselines(f"ensemble of {len(members)}", metrics, part, name))
    reported = {part: predictions}
    if _are_folds(members, part):
        pooled = reported[OUT_OF_FOLD] = _average(members, "val")
        metrics[OUT_OF_FOLD] = measure(pooled, network.outputs, asked.level, {})
        write_predictions(folder / f"predictions_{OUT_OF_FOLD}.csv", pooled, network.data.waveform_set.table)
        report(
            metrics[OUT_OF_FOLD], pooled, "samples of the folds, each predicted by the fold that did not train on it"
        )
        log.info(
            "The epoch of each fold was chosen on these samples, so they look a little better than the test samples."
        )
    if asked.location is not None:
        metrics["location"] = locate(folder, asked, network, predictions, validation, part)
    write_metrics(folder / "metrics.json", metrics)
    for name, said in reported.items():
        write_evaluation_report(folder, network, name, said, metrics, asked.level)
    show(str(folder))
    return folder


def _validation(
    members: Sequence[Member], network: AskedNetwork, asked: EvaluateSettings, part: str
) -> dict[str, Predictions] | None:
    """What the members say together of validation events, of which none learnt; None where that is not wanted.

    Folds have no such events.
    """
    if asked.uncertainty is None and (asked.location or {}).get("mode") != SINGLE:
        return None
    if len({one.content["split_hash"] for one in members}) > 1:
        return None
    if network.is_own:
        return _average(members, "val") if all("val" in one.said for one in members) and part == "test" else None
    try:
        own = [ask_network(one.path, replace(asked, dataset=None, location=None)) for one in members]
    except DataError as error:
        log.warning("there are no conformal intervals, for the validation events cannot be had: %s", error)
        return None
    if any("val" not in one.data.parts for one in own):
        return None
    said = [predict_part(one, asked, "val") for one in own]
    return {name: average_predictions([one[name] for one in said]) for name in said[0]}


def _known_events(path: Path) -> KnownEvents:
    with built_from(path, "what it says of its events"):
        checkpoint = load_checkpoint(path)
        check_content(checkpoint, path)
        return KnownEvents.of_checkpoint(checkpoint["seisvision"])


def _about(members: Sequence[Member], fingerprint: str) -> dict[str, Any]:
    """What was asked about what, for the record."""
    return {
        "fingerprint": fingerprint,
        "training_fingerprint": members[0].content["data_fingerprint"],
        "unit": members[0].unit,
        "members": [
            {
                "checkpoint": str(one.path),
                "run_id": one.content["run_id"],
                "seed": one.content["config"]["seed"],
                "split_hash": one.content["split_hash"],
            }
            for one in members
        ],
    }


def votes_by_count(members: Sequence[Member], part: str) -> dict[str, int]:
    """How many samples so many members vote on, by the number of members."""
    votes = count_votes([next(iter(one.said[part].values())) for one in members])
    counts = sorted(set(votes.values()))
    return {str(count): sum(value == count for value in votes.values()) for count in counts}


def _checked_part(asked: EvaluateSettings) -> str:
    if asked.dataset is not None:
        return ALL
    if asked.part not in ("test", "val"):
        raise ConfigurationError(
            f"part={asked.part} of an ensemble is refused: it holds samples that members were trained on. Give "
            "part=test or part=val; every member then votes on its own part only."
        )
    return asked.part


def _ask(network: AskedNetwork, asked: EvaluateSettings, part: str) -> Member:
    """Let a network predict, and keep what it says."""
    data = network.data
    said = {part: predict_part(network, asked, part)}
    if network.is_own and part == "test" and "val" in data.parts:
        said["val"] = predict_part(network, asked, "val")
    ids = {name: frozenset(map(str, samples.sample_ids)) for name, samples in data.parts.items()}
    return Member(network.path, network.content, network.task.view.unit, said, ids if network.is_own else {})


def _check_goes_with(member: Member, first: Member) -> None:
    """Refuse a member that predicts something else, from other samples, or was trained on another set.

    Raises:
        CheckpointError: names both, and what differs.
    """
    differences: dict[str, list[Any]] = {
        "outputs": [_task_of(one) for one in (first, member)],
        "unit of samples": [one.unit for one in (first, member)],
        "data fingerprint": [one.content["data_fingerprint"] for one in (first, member)],
    }
    for what, (expected, found) in differences.items():
        if expected != found:
            raise CheckpointError(
                f"{member.path} does not go with {first.path}: their {what} differ, {found} and {expected}. Average "
                "runs of one task on one set."
            )
    derived = [one.content.get("derived") or {} for one in (member, first)]
    if derived[0] != derived[1] and _speak_of_the_same(member, first):
        raise CheckpointError(
            f"{member.path} does not go with {first.path}: they learnt from different training parts, so that "
            f"dataset.derive made other classes of the same names ({', '.join(derived[0])}). Average runs of one "
            "split, such as seeds, or evaluate each by itself."
        )


def _speak_of_the_same(member: Member, other: Member) -> bool:
    """Whether two members predict a sample in common."""

    def spoken_of(one: Member, part: str) -> set[str]:
        return {name for said in one.said[part].values() for name in said.ids.ids}

    return any(spoken_of(member, part) & spoken_of(other, part) for part in set(member.said) & set(other.said))


def _task_of(member: Member) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in output.items() if key not in OF_TRAINING_PART}
        for output in member.content["outputs"]
    ]


def _refuse_known_set(network: AskedNetwork) -> None:
    if not network.is_own and network.data.waveform_set.fingerprint == network.content["data_fingerprint"]:
        raise ConfigurationError(
            "dataset names the set that the members were trained on, so that they would vote on samples they know. "
            "Leave dataset out: every member then votes on its own test part only."
        )


def _average(members: Sequence[Member], part: str) -> dict[str, Predictions]:
    """Predictions of the ensemble by output, of what all members say of their own part."""
    names = list(members[0].said[part])
    return {name: average_predictions([member.said[part][name] for member in members]) for name in names}


def _tell_votes(members: Sequence[Member], part: str) -> None:
    """Say how many vote, and why some do not."""
    for count, n_samples in votes_by_count(members, part).items():
        log.info("%d samples are predicted by %s of %d members", n_samples, count, len(members))
    voted = frozenset().union(*(one.ids.get(part, frozenset()) for one in members))
    for member in members:
        refused = {name: len(ids & voted) for name, ids in member.ids.items() if name != part and ids & voted}
        if refused:
            reasons = ", ".join(f"{n} in its {name} part" for name, n in refused.items())
            log.info("%s has no vote on %d samples: %s", member.name, sum(refused.values()), reasons)


def _report_members(members: Sequence[Member], part: str, network: AskedNetwork, asked: EvaluateSettings) -> None:
    """The headline of every member alone."""
    for member in members:
        for name, measures in measure(member.said[part], network.outputs, asked.level, {}).items():
            headline = measures["headline"]
            show(f"{member.name}: {name} {headline} {describe_measure(headline, measures[headline])} on {part}")


def _are_folds(members: Sequence[Member], part: str) -> bool:
    """Whether the validation parts share no sample, as those of folds with a common test part."""
    if part != "test" or any("val" not in one.said for one in members):
        return False
    n_samples = len(frozenset().union(*(one.ids["val"] for one in members)))
    return n_samples == sum(len(one.ids["val"]) for one in members)
