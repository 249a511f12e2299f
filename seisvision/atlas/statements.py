"""Which stored value answers which statement of the Seismic Atlas (reference numbers A-01 to A-61)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from seisvision.atlas.lines import Line
from seisvision.atlas.presets import Preset, Stage
from seisvision.atlas.stages import Done
from seisvision.errors import CheckpointError, SeisvisionError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure
from seisvision.experiments.clustering.report.runs import read_cluster_runs
from seisvision.records.checkpoint import checkpoint_hash, load_checkpoint
from seisvision.records.folder import RunFolder, read_json

ARCHITECTURES = {
    "resnet18": "83 %",
    "resnet34": "84 %",
    "resnet50": "87 %",
    "resnet101": "80 %",
    "resnet152": "78 %",
}
"""Validation accuracies of the table (A-18)."""
READINGS = ("headline", "median_ae_km", "one_minus_mape", "r2", "bin_acc")
FOOTNOTES = {
    "resnet151": "The report says resnet151; there is no such network, and ResNet152 is meant (A-19).",
    "regression": (
        "A regression has no accuracy. Shown are the readings that were fixed beforehand: the share within the "
        "tolerance that the name of the measure states, one minus the mean relative error, R2, the share in the right "
        "one of ten bins, and the median error (A-34, A-42)."
    ),
    "order": (
        "The report gives 89 % and 91 % for depth and azimuth and leaves open which is which; either is accepted. "
        '"More than 90 %" in its abstract is contradicted by the 89 % (A-07, A-39).'
    ),
    "force": "Azimuth is read as that of the force of a glacial quake (A-40).",
    "truncated": "162/177 is 91.53 % when rounded; the report truncates. Its Wilson interval is 86.5 to 94.8 % (A-24).",
    "drawing": "Drawn by our rasteriser; the report had ObsPy draw (docs/atlas.md, what paper mode does not share).",
    "W1": "Titles and labels, which would give network and time away, are not drawn in either mode (W1, W2).",
    "W3": "Traces of one event lie on both sides of the split, which leaks (W3).",
    "W4": "Repeating sources lie on both sides of the split, which leaks; careful mode splits by source cell (W4).",
    "W5": "In paper mode the azimuth is one number, so 359 and 1 degrees are far apart for the loss (W5).",
    "W6": "Both losses move one way with the number of clusters, so the smallest loss picks an end of the range (W6).",
    "W7": "No flips and no crops in either mode: they would turn time or distance round (W7).",
    "W8": (
        "One seed and few validation events: the differences below speak of these trained networks, not of the "
        "architectures (W8)."
    ),
    "chosen": (
        "Its epoch, and of several the best, were chosen on these validation events: it looks better than on others."
    ),
    "W9": "The report gives neither class balance nor a baseline; ours stand in the run folder and below (W9).",
    "W11": "Errors of predicted distances enter the sections and hence the clusters (W11).",
    "seen": "Its distances were predicted for events the network was trained on, so their errors are too small (W11).",
    "lost": "The network of its distances is gone or another now, so what it was trained on cannot be told (W11).",
    "known": (
        "Origin times and distances are known here, which unlabelled events do not have, and the training tells more "
        "clusters apart than are wanted; what the report did, without them and once per number, is clusters_paper."
    ),
    "W12": "Refit on train and validation for as many epochs as were best before, without a stopping rule (W12).",
    "website": "That the categories agree with a website cannot be checked: it is not named (A-53).",
}

Found = Mapping[str, Done]
Builder = Callable[[Stage, Done], Iterator[Line]]


def lines_of(preset: Preset, done: Found) -> list[Line]:
    """All lines of the report, stage by stage; a stage without runs gets a line that says why."""
    lines: list[Line] = []
    for stage in preset.stages:
        result = done.get(stage.name)
        statements = ", ".join(stage.statements)
        if result is None or not (any(result.runs.values()) or result.files):
            reason = "not done yet" if result is None else f"failed: {result.error}"
            lines.append(Line(statements, stage.title, stage.mode, "", reason))
            continue
        try:
            lines += BUILDERS[stage.name.removesuffix("_paper").removesuffix("_careful")](stage, result)
        except (SeisvisionError, OSError, KeyError, TypeError, ValueError, IndexError) as error:
            # A damaged run folder costs its own lines only.
            lines.append(Line(statements, stage.title, stage.mode, "", f"cannot be read: {error}"))
    return lines


def run_notes(stage: Stage, folder: Path) -> tuple[str, ...]:
    """Footnotes on what the split of a run leaks, and on pictures that only careful mode would draw so."""
    config = RunFolder(folder).config()
    leaks: tuple[str, ...] = {"trace": ("W3",), "event": ("W4",)}.get(config["split"]["by"], ())
    drawn_by_us = stage.mode == "paper" and not config["view"]["_target_"].endswith("Obspy")
    return (*leaks, "drawing") if drawn_by_us else leaks


def source_type(stage: Stage, done: Done) -> Iterator[Line]:
    """Sizes, architectures, epochs, choice and the final test."""
    compared = [Path(folder) for folder in done.runs["compare"]]
    notes = ("W1", *run_notes(stage, compared[0]))
    data = read_json(RunFolder(compared[0]).metrics_file)["data"]
    sizes = "/".join(str(data["samples"][part]) for part in ("train", "val", "test"))
    size_line = Line("A-14", "events in train/validation/test", stage.mode, "495/213/177 (of 885, inferred)")
    yield size_line.of_run(compared[0]).said(sizes, "events")
    for folder in compared:
        model = read_json(RunFolder(folder).metrics_file)["training"]["model"]
        extra = ("resnet151",) if model == "resnet152" else ()
        notes_on = ("W8", "chosen", *extra)
        line = Line("A-18", f"{model} on validation", stage.mode, ARCHITECTURES.get(model, ""), notes=notes_on)
        yield line.measured(folder, ["val", "*", "accuracy"])
    config = RunFolder(compared[0]).config()
    epochs = Line("A-21", "epochs of the comparison", stage.mode, "1000")
    yield epochs.of_run(compared[0]).said(str(config["trainer"]["max_epochs"]), "epochs")
    decision = done.decision or {}
    chosen = f"{decision.get('model')}, {' '.join(decision.get('point', []))}, {decision.get('epochs')} epochs"
    yield Line("A-23", "chosen network", stage.mode, "resnet50").of_run(compared[0]).said(chosen, "best on validation")
    for folder in map(Path, done.runs["refit"]):
        final = Line("A-24", "final test", stage.mode, "162/177 = 91.52 %", notes=("truncated", "W9", "W12", *notes))
        yield final.measured(folder, ["test", "*", "accuracy"])
    first = Path(done.runs["refit"][0])
    for measure in ("balanced_accuracy", "roc_auc"):
        yield Line("A-25", "final test", stage.mode, "").measured(first, ["test", "*", measure])
    baseline = ["baselines", "*", "majority", "test", "accuracy"]
    yield Line("A-25", "always the commonest class", stage.mode, "").measured(first, baseline, "test accuracy")


def offset(stage: Stage, done: Done) -> Iterator[Line]:
    """All readings of "accuracy" for the distance, for every picture or network."""
    for folder in map(Path, done.runs["runs"]):
        run = RunFolder(folder)
        metrics, config = read_json(run.metrics_file), run.config()
        part = "test" if "test" in metrics else "val"
        notes = ("regression", *(("chosen",) if part == "val" else ()), *run_notes(stage, folder))
        published = "92 %" if "A-34" in stage.statements and config["view"]["_target_"].endswith("TraceView") else ""
        view = config["view"]["_target_"].rpartition(".")[2]
        what = f"distance, {metrics['training']['model']}, {view}"
        for reading in READINGS:
            given = published if reading == "headline" else ""
            yield Line("A-34", what, stage.mode, given, notes=notes).measured(folder, [part, "offset", reading])


def locate(stage: Stage, done: Done) -> Iterator[Line]:
    """Distances and epicentre errors."""
    yield from offset(stage, done)
    for folder in map(Path, done.runs["runs"]):
        for measure in ("median_error_km", "mean_error_km", "p90_error_km", "unlocated"):
            line = Line("A-38", "epicentre", stage.mode, "")
            yield line.measured(folder, ["location", "network", "measures", measure], f"test {measure}")


def depth(stage: Stage, done: Done) -> Iterator[Line]:
    """All readings of "accuracy" for the depth."""
    for folder in map(Path, done.runs["runs"]):
        for reading in READINGS:
            published = "89 or 91 %" if reading == "headline" else ""
            notes = ("regression", "order", *run_notes(stage, folder))
            line = Line("A-39", "depth of earthquakes", stage.mode, published, notes=notes)
            yield line.measured(folder, ["test", "depth", reading])


def azimuth(stage: Stage, done: Done) -> Iterator[Line]:
    """All readings of "accuracy" for the force azimuth."""
    for folder in map(Path, done.runs["runs"]):
        scalar = ("W5",) if stage.mode == "paper" else ()
        notes = ("regression", "order", "force", *scalar, *run_notes(stage, folder))
        for reading in ("acc_tol_15deg", "median_ae_deg", "r2", "bin_acc", "flips_180"):
            published = "89 or 91 %" if reading == "acc_tol_15deg" else ""
            line = Line("A-39", "azimuth of the force of glacial quakes", stage.mode, published, notes=notes)
            yield line.measured(folder, ["test", "force_azimuth", reading])


def clusters(stage: Stage, done: Done) -> Iterator[Line]:
    """The number of clusters by the smallest loss as published, and by the report on it; agreement with the truth."""
    folders = [Path(folder) for folder in done.runs["runs"]]
    if stage.mode == "paper":
        yield from smallest_losses(folders)
        notes = ("W7", "W11", *offset_notes(folders[0]))
    else:
        notes = ("W7", "known")
    if recommendation := _recommended(done):
        line = Line("A-52", "number of kinds, recommended", stage.mode, "", notes=("website", *notes[1:]))
        yield line.of_run(folders[0]).said(recommendation, "see the report on the number of clusters")
    for folder in folders:
        k = read_json(RunFolder(folder).metrics_file)["clustering"]["k"]
        for measure in ("ari", "nmi"):
            line = Line("A-51", f"agreement with the true types, K = {k}", stage.mode, "", notes=notes)
            yield line.measured(folder, ["clustering", "agreement", "*", measure], measure.upper())


def smallest_losses(folders: list[Path]) -> Iterator[Line]:
    """Both losses by the number of clusters, and the number each would choose: the report does not say which it is."""
    runs, _ = read_cluster_runs(folders)
    tried = ", ".join(str(k) for k in sorted({run.k for run in runs}))
    for statement, loss in (("A-48", "cross_entropy"), ("A-47", "kmeans_loss")):
        known = [run for run in runs if math.isfinite(getattr(run, loss))]
        name = {"cross_entropy": "cross-entropy", "kmeans_loss": "k-means loss"}[loss]
        for run in known:
            line = Line(statement, f"{name} in the end, K = {run.k}", "paper", "")
            yield line.of_run(run.path).said(f"{getattr(run, loss):.4g}", name)
        if known:
            smallest = min(known, key=lambda run: getattr(run, loss))
            notes = ("W6", "W11", *offset_notes(smallest.path))
            line = Line("A-50, A-52", "number of kinds, smallest loss", "paper", "6", notes=notes)
            yield line.of_run(smallest.path).said(f"{smallest.k} (tried {tried})", f"{name}, smallest")


def offset_notes(folder: Path) -> tuple[str, ...]:
    """Footnotes on the network that predicted the distances of a run: whether it knew the events."""
    run = RunFolder(folder)
    config = run.config()
    if not config.get("offset_ckpt"):
        return ()
    try:
        trained_on = _trained_on(config["offset_ckpt"], config["offset_hash"])
    except CheckpointError:
        return ("lost",)
    return ("seen",) if trained_on == read_json(run.metrics_file)["data"]["fingerprint"] else ()


@functools.lru_cache
def _trained_on(checkpoint: str, digest: str) -> str:
    """Fingerprint of the set that a checkpoint of known content was trained on."""
    if checkpoint_hash(checkpoint) != digest:
        raise CheckpointError(f"{checkpoint} has changed: its hash is not {digest}")
    return str(load_checkpoint(checkpoint)["seisvision"]["data_fingerprint"])


def _recommended(done: Done) -> str:
    """What the report on the number of clusters says in its headline; "" where it was not made."""
    if "page" not in done.files:
        return ""
    path = Path(done.files["page"]).with_suffix(".md")
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") if path.exists() else ""


def unlabelled(stage: Stage, done: Done) -> Iterator[Line]:
    """Agreement of the clusters of unlabelled events with their classes, which were not used."""
    for folder in map(Path, done.runs["runs"]):
        notes = ("W11", "W7", *offset_notes(folder))
        for measure in ("ari", "nmi"):
            line = Line("A-45", f"{stage.title}: agreement with the true types", stage.mode, "", notes=notes)
            yield line.measured(folder, ["clustering", "agreement", "*", measure], measure.upper())


def agreement(stage: Stage, done: Done) -> Iterator[Line]:
    """Agreement between clusterings of the same events."""
    stored = read_json(Path(done.files["agreement"]))
    for pair in stored["pairs"]:
        found = Measure.from_dict(pair["ari"])
        folders = [Path(stored["runs"][pair[side]]) for side in ("a", "b") if pair[side] in stored["runs"]]
        notes = ("W11", "website", *dict.fromkeys(note for folder in folders for note in offset_notes(folder)))
        line = Line("A-45", f"clusters of {pair['a']} against {pair['b']}", stage.mode, "", notes=notes)
        line = line.of_run(folders[0])
        yield replace(line, ours=format_measure(found), metric="ARI", measure=found)


BUILDERS: dict[str, Builder] = {
    "source_type": source_type,
    "offset": offset,
    "offset_scale": offset,
    "offset_models": offset,
    "offset_pictures": offset,
    "locate": locate,
    "depth": depth,
    "azimuth": azimuth,
    "clusters": clusters,
    "unlabelled": unlabelled,
    "unlabelled_true": unlabelled,
    "unlabelled_arrival": unlabelled,
    "unlabelled_spectrogram": unlabelled,
    "agreement": agreement,
}
"""What makes the lines of each stage, by its name without the mode."""
