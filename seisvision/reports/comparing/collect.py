"""Find run folders and read of each what a comparison needs; what cannot be compared keeps its reason."""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seisvision.errors import SeisvisionError
from seisvision.records.finding import MARKS, UNFIT, LeftOut, find_runs
from seisvision.records.folder import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    PENDING,
    PRUNED,
    RUNNING,
    TIME_FORMAT,
    RunFolder,
    read_json,
)
from seisvision.records.identity import scientific_part
from seisvision.records.integrity.manifest import COMPARED, altered_files
from seisvision.records.kinds import kind_of_metrics, result_of
from seisvision.records.results import StoredRun
from seisvision.reports.comparing.checks import (
    NotComparableError,
    check_config,
    check_environment,
    check_metrics,
)
from seisvision.reports.comparing.kept import Row, Shared, digest, kept_metrics
from seisvision.yaml_files import FAST_LOADER, read_sections, read_yaml

NOT_LEARNT = ("run", "stages", "evaluation")
"""Sections of the scientific configuration that say what is measured, not what a network learns or says."""
LEVEL = 0.95
"""Confidence level of the intervals of runs whose configuration names none."""
REPEATS = ("seed", "split.fold")
"""Settings in which the repetitions of one configuration differ."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A finished run: of what its files hold, what a comparison of thousands keeps (:mod:`kept`)."""

    path: Path
    """The run folder."""
    metrics: dict[str, Any]
    task: tuple[Any, ...]
    """What is predicted: equal for runs whose measures mean the same."""
    settings: Row
    """Scientific settings by dotted key, as they make the run id; ``dataset.fingerprint`` names the data."""
    configuration: bytes
    """The same for runs with the same settings."""
    seed: int
    fold: int | None
    overrides: tuple[str, ...]
    commit: str
    """Git commit of the code, with ``+`` where it had uncommitted changes; empty if unknown."""
    ended: str = ""
    """When it ended (UTC, sorts as text)."""
    level: float = LEVEL
    """Confidence level of its intervals."""
    altered: tuple[str, ...] = ()
    """Files that are not what they were when it ended."""

    @property
    def folder(self) -> RunFolder:
        """Where its files lie."""
        return RunFolder(self.path)

    def baselines(self, output: str) -> dict[str, Any]:
        """Baselines of an output by name, read again: a page shows those of one run.

        Raises:
            SeisvisionError: they cannot be read.
        """
        baselines: dict[str, Any] = read_json(self.folder.metrics_file)["baselines"][output]
        return baselines

    @property
    def training(self) -> Mapping[str, Any]:
        """Model, parameters, monitor, epochs, seconds."""
        return self.metrics["training"]

    @property
    def samples_per_s(self) -> float:
        """Training samples a second, reading, drawing and validation included; NaN where that is not known."""
        samples, seconds = self.metrics["data"].get("samples"), float(self.training["seconds"])
        if not isinstance(samples, Mapping) or "train" not in samples or not seconds or "epochs" not in self.training:
            return math.nan
        return float(samples["train"]) * float(self.training["epochs"]) / seconds

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Plain descriptions of the outputs, the main one first."""
        return self.metrics["outputs"]

    @property
    def fingerprint(self) -> str:
        """Of the waveform set."""
        return str(self.metrics["data"]["fingerprint"])

    @property
    def split_hash(self) -> str:
        """Of the parts."""
        return str(self.metrics["data"]["split_hash"])

    @property
    def n_measured(self) -> int:
        """How much was measured: validation, test, epicentres."""
        return sum(bool(self.metrics.get(part)) for part in ("val", "test", "location"))

    @property
    def code(self) -> str:
        """What measured the run: the hash of the sources where it is known, else the commit."""
        code = self.metrics.get("code")
        measured_by = code.get("measured_by") if isinstance(code, Mapping) else None
        return str(measured_by or self.commit)


Cache = dict[Path, tuple[Any, "ComparedRun | StoredRun | LeftOut"]]
"""Runs that were read before, with the times of their files."""


class Collected(NamedTuple):
    """What lies in the folders that were asked for, each in the order of its paths."""

    runs: list[ComparedRun]
    left_out: list[LeftOut]
    others: list[StoredRun]
    """Of kinds that predict nothing."""


def collect(asked: Sequence[str], cache: Cache | None = None) -> Collected:
    """Read the runs of all folders asked for.

    Of runs with different tasks, those with the most frequent task are compared and the others are left out; the same
    goes for the confidence level of their intervals.

    Args:
        asked: run folders, folders of sweeps, folders of runs at any depth, or patterns such as ``runs/sweep*``.
        cache: filled, and used for runs whose files did not change.

    Raises:
        ConfigurationError: nothing lies under a name.
    """
    cache, shared = {} if cache is None else cache, Shared()
    found = [one if isinstance(one, LeftOut) else _read_cached(one, cache, shared) for one in find_runs(asked)]
    runs = [one for one in found if isinstance(one, ComparedRun)]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    others = [one for one in found if isinstance(one, StoredRun)]
    if not runs:
        return Collected([], left_out, others)
    task = Counter(run.task for run in runs).most_common(1)[0][0]
    usual = next(run for run in runs if run.task == task)
    names = ", ".join(str(about["name"]) for about in usual.outputs)
    for run in runs:
        if run.task != task:
            own = ", ".join(f"{about['name']} ({about['kind']})" for about in run.outputs)
            left_out.append(LeftOut(run.path, f"another task: it predicts {own}, most runs predict {names}", FINISHED))
    runs = [run for run in runs if run.task == task]
    levels = Counter(run.level for run in runs)
    level = max(levels, key=lambda one: (levels[one], one))
    for run in runs:
        if run.level != level:
            reason = f"its intervals are of level {run.level:g} (evaluation.level), those of most runs of {level:g}"
            left_out.append(LeftOut(run.path, f"{reason}: evaluate it again with that level", FINISHED))
    runs = [run for run in runs if run.level == level]
    return Collected(runs, sorted(left_out, key=lambda one: one.path), others)


def _read_cached(path: Path, cache: Cache, shared: Shared) -> ComparedRun | StoredRun | LeftOut:
    times = tuple(file.stat().st_mtime_ns for file in (path / mark for mark in MARKS) if file.exists())
    if path not in cache or cache[path][0] != times:
        cache[path] = (times, _read_or_reason(path, shared))
    return cache[path][1]


def _read_or_reason(path: Path, shared: Shared) -> ComparedRun | StoredRun | LeftOut:
    folder = RunFolder(path)
    state = ""
    try:
        status = _finished(folder)
        state = str(status["state"])
        metrics = read_json(folder.metrics_file)
        return _read_other(folder, metrics) or read_run(folder, metrics, status, shared)
    except NotComparableError as error:
        return LeftOut(path, str(error), state or _state(folder))
    except SeisvisionError as error:
        return LeftOut(path, f"broken: {error}", state or _state(folder))
    except UNFIT as error:
        return LeftOut(path, f"broken: {type(error).__name__}: {error}", state or _state(folder))


def _state(folder: RunFolder) -> str:
    try:
        return str(folder.status()["state"]) if folder.status_file.exists() else ""
    except (SeisvisionError, KeyError, TypeError):
        return ""


def _finished(folder: RunFolder) -> dict[str, Any]:
    """The status of a finished run.

    Raises:
        NotComparableError: it is not finished.
    """
    if not folder.status_file.exists() and folder.metrics_file.exists():
        raise NotComparableError("not a training run: it has no status.json, such as the evaluation of a checkpoint")
    status = folder.status()
    state = str(status["state"])
    if state == FAILED:
        raise NotComparableError(f"failed: {status.get('error') or 'no reason was stored'}")
    if state == INTERRUPTED:
        raise NotComparableError("interrupted: the same command goes on with it")
    if state == PRUNED:
        raise NotComparableError(f"pruned by a search: {status.get('error') or 'no reason was stored'}")
    if state in (RUNNING, PENDING):
        since = f" since {status['started']}" if status.get("started") else ""
        raise NotComparableError(f"{state}{since}: no result yet")
    if state != FINISHED:
        raise NotComparableError(f"broken: status.json says '{state}'")
    if not folder.metrics_file.exists():
        raise NotComparableError("broken: finished, but metrics.json is missing")
    return status


def _read_other(folder: RunFolder, metrics: Any) -> StoredRun | None:
    """The run where it is of a kind that predicts nothing, and is compared by what it is itself."""
    if not isinstance(metrics, Mapping):
        return None
    result = result_of(metrics)
    if result.predicts:
        return None
    result.check(metrics)
    return StoredRun(folder.path, dict(metrics), _overrides(folder), result)


def _overrides(folder: RunFolder) -> list[str]:
    """What was typed."""
    if not folder.overrides_file.exists():
        return []
    typed = read_yaml(folder.overrides_file, FAST_LOADER) or []
    if not isinstance(typed, list):
        raise NotComparableError(f"broken: {folder.overrides_file.name} does not hold a list")
    return [str(one) for one in typed]


def read_run(folder: RunFolder, metrics: Any, status: Mapping[str, Any], shared: Shared) -> ComparedRun:
    """Read a finished run.

    Args:
        folder: of the run.
        metrics: what ``metrics.json`` holds.
        status: what ``status.json`` holds.
        shared: what it has in common with other runs.

    Raises:
        SeisvisionError: a file is damaged, or the run was written by another version.
    """
    check_metrics(metrics)
    config = read_sections(folder.config_file)
    check_config(config)
    environment = read_json(folder.environment_file) if folder.environment_file.exists() else {}
    check_environment(environment)
    written = time.strftime(TIME_FORMAT, time.gmtime(folder.metrics_file.stat().st_mtime))
    # Older runs lack sections; what they lack is no setting of theirs.
    complete = {"dataset": {}, "trainer": {}, **config, "run": {"test": None}}
    scientific = scientific_part(complete, str(metrics["data"]["fingerprint"]))
    flat = flatten({key: value for key, value in scientific.items() if key not in NOT_LEARNT})
    settings = {sys.intern(key): value for key, value in flat.items() if key not in REPEATS}
    return ComparedRun(
        folder.path,
        kept_metrics(metrics, shared),
        shared.one((kind_of_metrics(metrics), *result_of(metrics).compare_key(metrics))),
        Row(settings, shared),
        digest(json.dumps(settings, sort_keys=True, default=str)),
        int(metrics["training"]["seed"]),
        (config.get("split") or {}).get("fold"),
        tuple(map(sys.intern, _overrides(folder))),
        _commit(environment),
        str(status.get("ended") or written),
        float((config.get("evaluation") or {}).get("level", LEVEL)),
        tuple(altered_files(folder, COMPARED)),
    )


def _commit(environment: Mapping[str, Any]) -> str:
    git = environment.get("git") or {}
    return f"{str(git.get('commit', ''))[:10]}{'+' if git.get('dirty') else ''}"


def flatten(node: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Settings by dotted key; lists of plain values stay one setting, written as JSON."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            value = {str(number): one for number, one in enumerate(value)}
        if isinstance(value, Mapping):
            flat |= flatten(value, name)
        else:
            flat[name] = json.dumps(value) if isinstance(value, list) else value
    return flat
