"""Folders that strangers send and the commands that are given on them, for ``hostile_folders.py``."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.append(str(Path(__file__).resolve().parents[2] / "data"))

import numpy as np
import yaml
from fake_cluster_runs import make_run
from fake_runs import fake_clustering, fake_run
from hostile_structures import write_set
from hydra import compose, initialize_config_dir
from recorded_trees import write_tree
from tiny_runs import ROOT, tiny_config

from seisvision.base import figure_files
from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.importing.shards import merge_shards
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis.source import GeneratedSource
from seisvision.errors import DataError
from seisvision.evaluation.baselines import learners
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.history import read_history
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.records.trust.composing import guard_composition
from seisvision.runs.callbacks import ReportProgress
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.terminal import guarded

REAL = ("trainer.max_epochs=1", "model.name=test_resnet", "evaluation.baselines=true")


@dataclass(frozen=True)
class Attack:
    """A folder, what is done with it, and what must hold where that is accepted.

    Args:
        name: of the command.
        template: folder that is copied and changed.
        run: given the changed copy and an empty folder for results, returns an exit code.
        part: folder within the copy whose files are changed; all of it where empty.
        lost: given both folders after a success, says what was lost without a word, if anything.
        weight: how often, beside the others.
        only: pattern of the files that are changed; all of them where empty.
    """

    name: str
    template: Path
    run: Callable[[Path, Path], int]
    part: str = ""
    lost: Callable[[Path, Path], str] = field(default=lambda given, out: "")
    weight: int = 1
    only: str = ""


def all_attacks(base: Path, data_dir: Path) -> list[Attack]:
    """Every command with a folder that it accepts, made below ``base`` unless they lie there from an earlier call."""
    return [*comparing(base), *_real(base, data_dir), *_data(base), *_configured(base)]


def comparing(base: Path) -> Iterator[Attack]:
    """Commands that compare and list runs, which need no network."""
    runs, sweep, clusters = (base / name for name in ("runs", "sweep", "clusters"))
    if not clusters.exists():
        _fake(runs, sweep, clusters)
    yield Attack("compare", runs, _compare, lost=_runs_left_out_in_silence, weight=6)
    yield Attack("sweep status", sweep, lambda given, out: main(["sweep", "status", str(given / SWEEP)]), weight=2)
    yield Attack(
        "sweep status", sweep, lambda given, out: main(["sweep", "status", str(given / SWEEP)]), SWEEP, weight=2
    )
    yield Attack("sweep best", sweep, lambda given, out: main(["sweep", "best", str(given / SWEEP)]), SWEEP, weight=2)
    yield Attack("compare", sweep, _compare, SWEEP)
    yield Attack("clusters", clusters, lambda given, out: main(["clusters", str(given), "--out", str(out)]), weight=8)


def _fake(runs: Path, sweep: Path, clusters: Path) -> None:
    for number in range(3):
        fake_run(runs / f"run{number}", {"optimizer.lr": number + 1}, n=12, located_km=30.0)
    fake_clustering(runs / "clustering")
    for number in range(2):
        fake_run(sweep / f"run{number}", {"optimizer.lr": number + 1}, n=12)
    folder = SweepFolder(sweep / SWEEP)
    points = [StoredPoint(n + 1, [f"optimizer.lr={n}"], f"../../run{n}", None, ["val/loss", "min"], 3) for n in (0, 1)]
    folder.describe({"kind": "grid", "over": {}}, points)
    (folder.path / "best.yaml").write_text(yaml.safe_dump(BEST))
    events = np.random.default_rng(0).normal(size=(42, 6)) + 6 * np.repeat(np.eye(3, 6), 14, axis=0)
    for k, seed in ((2, 1), (2, 2), (3, 1), (3, 2)):
        make_run(clusters / f"k{k}s{seed}", events, k, seed)


SWEEP = "sweeps/0123456789"
BEST = {"point": 1, "objective": {"name": "val/loss", "mode": "min", "value": 0.1, "note": "x"}, "of_points": 2,
        "expected_on_other_events": 0.2, "run": "../../run0", "command": "python train.py",
        "overrides": ["seed=1"]}  # fmt: skip


def _compare(given: Path, out: Path) -> int:
    return main(["compare", str(given), "--out", str(out / "report.html")])


def _runs_left_out_in_silence(given: Path, out: Path) -> str:
    page = (out / "report.html").read_text()
    # What holds no file of a run any more is no run folder.
    runs = [path for path in given.iterdir() if (path / "config.yaml").is_file() and (path / "metrics.json").is_file()]
    lost = [path.name for path in runs if path.name not in page]
    return f"{lost} are not in the report" if lost else ""


def _real(base: Path, data_dir: Path) -> Iterator[Attack]:
    runs = base / "trained"
    configs = [tiny_config(data_dir, runs, *REAL, f"seed={seed}") for seed in (1, 2)]
    folders = [ensure_run(config, []) for config in configs]
    name, one = folders[0].path.parent.relative_to(runs), folders[0].path.relative_to(runs)
    n_test = read_json(folders[0].metrics_file)["data"]["events"]["test"]
    asked = [f"system.data_dir={data_dir}", "system.num_workers=0", "accelerator=cpu"]

    def evaluate(given: Path, out: Path, which: Path = one) -> int:
        words = [*asked, f"ckpt='{given / which}'", f"system.runs_dir={out}"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            composed = compose("evaluate", overrides=words)
        with _no_sets():
            return guarded(lambda: evaluate_checkpoint(composed), "evaluate")

    def lost(given: Path, out: Path) -> str:
        tables = list(out.glob("evaluate/*/predictions.csv"))
        n_rows = len(tables[0].read_text().splitlines()) - 1 if tables else 0
        return "" if n_rows == n_test and (tables[0].parent / "metrics.json").is_file() else f"{n_rows} of {n_test}"

    def resume(given: Path, out: Path) -> int:
        config = {**configs[0], "system": {**configs[0]["system"], "runs_dir": str(given)}}
        assert identify(config).path == given / one
        return guarded(lambda: ensure_run(config, []))

    def unfinished(given: Path, out: Path) -> str:
        return "" if RunFolder(given / one).is_finished() else "it is not finished"

    def explain(given: Path, out: Path) -> int:
        with _no_sets():
            return main(["explain", str(given / one), "--samples", "2", "--data-dir", str(data_dir)])

    def check(given: Path, out: Path) -> int:
        code = main(["runs", "check", str(given)])
        (out / "found").write_text("changes" if code else "")
        return 0 if code == 1 else code

    def unseen(given: Path, out: Path) -> str:
        listed = ["manifest.json", *read_json(runs / one / "manifest.json")["files"]]
        changed = [each for each in listed if not _same(runs / one / each, given / one / each)]
        said = (out / "found").read_text() or "manifest.json" in changed
        return f"{changed} were changed, and nothing was said" if changed and not said else ""

    yield Attack("evaluate a run", runs, evaluate, str(one), lost, weight=8)
    yield Attack(
        "evaluate its baselines", runs, evaluate, str(one), lost, weight=5, only=r"baselines\.npz|known_events"
    )
    yield Attack("evaluate an ensemble", runs, lambda given, out: evaluate(given, out, name), str(name), weight=7)
    yield Attack("explain", runs, explain, str(one), weight=7)
    yield Attack("compare trained", runs, _compare, weight=2)
    yield Attack("runs check", runs, check, str(one), unseen, weight=3)
    yield Attack("sweep status below", runs, lambda given, out: main(["sweep", "status", str(given)]))
    stopped = base / "stopped"
    if not stopped.exists():
        shutil.copytree(runs / one, stopped / one)
        (stopped / one / "metrics.json").unlink()
        (stopped / one / "status.json").write_text('{"state": "interrupted", "attempts": 1}')
    yield Attack("resume", stopped, resume, str(one), unfinished, weight=3)
    yield Attack("show again", runs, resume, str(one), unfinished, weight=2)
    yield _resume_training(base / "interrupted", data_dir)


def _resume_training(runs: Path, data_dir: Path) -> Attack:
    """A run of two epochs of which the first is stored."""
    config = tiny_config(data_dir, runs, *REAL, "trainer.max_epochs=2", "evaluation.baselines=false")
    one = identify(config).path.relative_to(runs)

    def stop(self: ReportProgress, trainer: Any, *_: Any) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    if not runs.exists():
        stopping = mock.patch.object(ReportProgress, "on_train_epoch_end", stop)
        with stopping, contextlib.suppress(KeyboardInterrupt):
            ensure_run(config, [])

    def resume(given: Path, out: Path) -> int:
        here = {**config, "system": {**config["system"], "runs_dir": str(given)}}
        return guarded(lambda: ensure_run(here, []))

    def lost(given: Path, out: Path) -> str:
        is_whole = RunFolder(given / one).is_finished() and len(read_history(given / one / "metrics.csv"))
        return "" if is_whole else "it is not finished, or has no history"

    return Attack("resume training", runs, resume, str(one), lost, weight=4, only=r"^[^/]*$|checkpoints")


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


@contextlib.contextmanager
def quickly(draws: bool) -> Iterator[None]:
    """Fit few trees, and write figures without drawing them unless it ``draws``: most of the time of a small run."""

    def leave_blank(figure: Any, path: Path, dpi: int) -> None:
        path.write_bytes(b"\x89PNG\r\n\x1a\n")

    with contextlib.ExitStack() as patched:
        patched.enter_context(mock.patch.dict(learners.BOOSTING, max_iter=10))
        patched.enter_context(mock.patch.dict(learners.FOREST, n_estimators=10))
        if not draws:
            patched.enter_context(mock.patch.object(figure_files, "write_png", leave_blank))
        yield


def _no_sets() -> Any:
    return mock.patch.object(GeneratedSource, "make", side_effect=DataError("sets are not made here"))


def _data(base: Path) -> Iterator[Attack]:
    small, tree, shards, whole = (base / name for name in ("small", "tree", "shards", "merged"))
    if not whole.exists():
        write_set(small / "set")
        _import(write_tree(tree, n_events=2, stations=("AAA",)), shards / "set")
        merge_shards(shards / "set.shards", whole / "set")

    def audit(given: Path, out: Path) -> int:
        return main(
            ["data", "audit", str(given / "set"), "--thorough", *(["--out", str(out)] if len(given.name) % 2 else [])]
        )

    def merge(given: Path, out: Path) -> int:
        return main(["data", "merge", str(given / "set.shards"), "--out", str(out / "set")])

    def lost(given: Path, out: Path) -> str:
        merged, shards = WaveformSet(out / "set"), sorted((given / "set.shards").glob("*-of-*"))
        n_rows = sum(len(WaveformSet(shard).metadata) for shard in shards if (shard / "metadata.csv").is_file())
        shutil.rmtree(given)
        for row in range(len(merged.metadata)):
            merged.read_trace(row)
        return "" if len(merged.metadata) == n_rows else f"{len(merged.metadata)} of {n_rows} traces"

    def card(given: Path, out: Path) -> int:
        return main(["data", "card", str(given / "set")])

    yield Attack("card", whole, card, weight=2)
    yield Attack("audit", small, audit)
    yield Attack("audit", whole, audit, weight=3)
    yield Attack("merge", shards, merge, lost=lost, weight=4)


def _import(tree: Path, out: Path) -> None:
    words = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv")]
    words += ["--stations", str(tree / "stations.csv"), "--out", str(out), "--workers", "1"]
    for index in (1, 2):
        assert main(["data", "import", *words, "--shard", f"{index}/2"]) == 0


def _configured(base: Path) -> Iterator[Attack]:
    guard_composition(ROOT / "conf")
    folder = base / "configured"
    (folder / "experiment").mkdir(parents=True, exist_ok=True)
    experiment = {"defaults": [{"override /model": "resnet18"}, "_self_"], "seed": 3, "trainer": {"max_epochs": 3},
                  "view": {"height": 64}, "optimizer": {"lr": 0.01},
                  "dataset": {"samples": {"min_stations": 3}}}  # fmt: skip
    (folder / "experiment" / "own.yaml").write_text("# @package _global_\n" + yaml.safe_dump(experiment))
    tree = base / "tree"
    source = {"name": "a", "waveforms": "${root}/waveforms", "events": "${root}/events.csv",
              "stations": "${root}/stations.csv", "association": {"by": "name"}}  # fmt: skip
    recipe = {"name": "own", "description": "x", "sources": [source], "processing": {"components": "Z"},
              "quality": {"min_nyquist_hz": 5}, "window": {"reference": "origin", "before_s": 10,
                                                          "length_s": 60}}  # fmt: skip
    (folder / "import.yaml").write_text(yaml.safe_dump(recipe))
    shutil.copy(tree / "events.csv", tree / "exotic_events.csv")
    shutil.copy(ROOT / "conf" / "fetch" / "pnw_exotic.yaml", folder / "fetch.yaml")

    def train(given: Path, out: Path) -> int:
        return guarded(lambda: to_plain(_composed(given)), "train")

    def take(given: Path, out: Path) -> int:
        words = ["--root", str(tree), "--out", str(out / "set"), "--workers", "1"]
        return main(["data", "import", str(given / "import.yaml"), *words])

    def plan(given: Path, out: Path) -> int:
        from seisvision.data.fetching.recipe import load_recipe

        return guarded(lambda: load_recipe(given / "fetch.yaml", str(tree)))

    yield Attack("compose an experiment", folder, train, "experiment", weight=4)
    for name, run in (("import a recipe", take), ("fetch a recipe", plan)):
        part = base / f"{name.split()[0]}ed"
        part.mkdir(exist_ok=True)
        shutil.copy(folder / f"{name.split()[0]}.yaml", part)
        yield Attack(name, part, run, weight=4)


def _composed(given: Path) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        path = f"hydra.searchpath=[file://{given}]"
        return compose("train", overrides=[path, "experiment=own"], return_hydra_config=False)
