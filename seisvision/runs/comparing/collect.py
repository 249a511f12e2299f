"""Find run folders and read of each what a comparison needs; what cannot be compared keeps its reason."""

from __future__ import annotations

import glob
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.runs.comparing.clusterings import ClusterRun, cluster_row, is_clustering
from seisvision.runs.configuration import scientific_part
from seisvision.runs.folder import (
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
from seisvision.runs.results import stored_measures
from seisvision.runs.sweeps.folder import SweepFolder

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MARKS = ("status.json", "metrics.json")
"""A folder with one of these is a run folder, and nothing below it is."""
NOT_LEARNT = ("run", "stages", "evaluation")
"""Sections of the scientific configuration that say what is measured, not what a network learns or says."""
REPEATS = ("seed", "split.fold")
"""Settings in which the repetitions of one configuration differ."""
NEEDED = {
    "training": ("model", "parameters", "seed", "seconds", "monitor"),
    "data": ("name", "fingerprint", "split_hash", "unit", "events"),
}
"""What ``metrics.json`` must hold, by section."""


class NotComparableError(SeisvisionError):
    """A run folder cannot be compared; the message says why."""


@dataclass(frozen=True)
class LeftOut:
    """A folder that is listed but not compared."""

    path: Path
    reason: str
    state: str = ""


@dataclass(frozen=True)
class ComparedRun:
    """A finished run as its files describe it."""

    folder: RunFolder
    metrics: dict[str, Any]
    settings: dict[str, Any]
    """Scientific settings by dotted key, as they make the run id: without the machine, the data named by ``dataset.fingerprint``."""
    seed: int
    fold: int | None
    overrides: list[str]
    environment: dict[str, Any]
    ended: str = ""
    """When it ended (UTC, sorts as text)."""

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def training(self) -> dict[str, Any]:
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
    def task(self) -> tuple[tuple[str, ...], ...]:
        """What is predicted: equal for runs whose measures mean the same."""
        names = ("name", "kind", "target", "unit", "period_deg", "class_names")
        return tuple(tuple(str(about.get(name, "")) for name in names) for about in self.outputs)

    @property
    def n_measured(self) -> int:
        """How much was measured: validation, test, epicentres."""
        return sum(bool(self.metrics.get(part)) for part in ("val", "test", "location"))

    @property
    def commit(self) -> str:
        """Git commit of the code, with ``+`` where it had uncommitted changes; empty if unknown."""
        git = self.environment.get("git") or {}
        return f"{str(git.get('commit', ''))[:10]}{'+' if git.get('dirty') else ''}"


Cache = dict[Path, tuple[Any, "ComparedRun | ClusterRun | LeftOut"]]
"""Runs that were read before, with the times of their files."""


class Collected(NamedTuple):
    """What lies in the folders that were asked for, each in the order of its paths."""

    runs: list[ComparedRun]
    left_out: list[LeftOut]
    clusterings: list[ClusterRun]


def collect(asked: Sequence[str], cache: Cache | None = None) -> Collected:
    """Read the runs of all folders asked for.

    Of runs with different tasks, those with the most frequent task are compared and the others are left out.

    Args:
        asked: run folders, folders of sweeps, folders of runs at any depth, or patterns such as ``runs/sweep*``.
        cache: filled, and used for runs whose files did not change.

    Raises:
        ConfigurationError: nothing lies under a name.
    """
    cache = {} if cache is None else cache
    found = [_read_cached(path, cache) for path in find_run_folders(asked)]
    runs = [one for one in found if isinstance(one, ComparedRun)]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    clusterings = [one for one in found if isinstance(one, ClusterRun)]
    if not runs:
        return Collected([], left_out, clusterings)
    task = Counter(run.task for run in runs).most_common(1)[0][0]
    names = ", ".join(row[0] for row in task)
    for run in runs:
        if run.task != task:
            own = ", ".join(f"{row[0]} ({row[1]})" for row in run.task)
            left_out.append(LeftOut(run.path, f"another task: it predicts {own}, most runs predict {names}", FINISHED))
    runs = [run for run in runs if run.task == task]
    return Collected(runs, sorted(left_out, key=lambda one: one.path), clusterings)


def find_run_folders(asked: Sequence[str]) -> list[Path]:
    """Run folders at or below the given folders or patterns, each once, sorted.

    Raises:
        ConfigurationError: a folder does not exist or a pattern matches nothing.
    """
    folders: set[Path] = set()
    for name in asked:
        matches = [name] if Path(name).exists() else glob.glob(name, recursive=True)  # noqa: PTH207 (absolute patterns)
        if not matches:
            raise ConfigurationError(f"'{name}' does not exist. Give run folders, folders of runs, or a pattern.")
        folders |= {path for match in matches for path in _below(Path(match))}
    return sorted({path.resolve(): path for path in sorted(folders)}.values())


def _below(top: Path) -> Iterator[Path]:
    sweep = SweepFolder(top)
    if sweep.file.is_file():
        yield from (folder.path for folder in map(sweep.run_folder, sweep.points()) if folder and folder.path.exists())
        return
    for path, folders, files in os.walk(top):
        if any(mark in files for mark in MARKS) or {"config.yaml", "overrides.yaml"} <= set(files):
            folders.clear()
            yield Path(path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _read_cached(path: Path, cache: Cache) -> ComparedRun | ClusterRun | LeftOut:
    times = tuple(file.stat().st_mtime_ns for file in (path / mark for mark in MARKS) if file.exists())
    if path not in cache or cache[path][0] != times:
        cache[path] = (times, _read_or_reason(path))
    return cache[path][1]


def _read_or_reason(path: Path) -> ComparedRun | ClusterRun | LeftOut:
    folder = RunFolder(path)
    state = ""
    try:
        state = _check_state(folder)
        return _read_clustering(folder) or read_run(folder)
    except NotComparableError as error:
        return LeftOut(path, str(error), state or _state(folder))
    except SeisvisionError as error:
        return LeftOut(path, f"broken: {error}", state or _state(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        return LeftOut(path, f"broken: {type(error).__name__}: {error}", state or _state(folder))


def _state(folder: RunFolder) -> str:
    try:
        return str(folder.status()["state"]) if folder.status_file.exists() else ""
    except (SeisvisionError, KeyError, TypeError):
        return ""


def _check_state(folder: RunFolder) -> str:
    """The state of a finished run.

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
    return state


def _read_clustering(folder: RunFolder) -> ClusterRun | None:
    """The run where it is one of clustering; a KeyError, TypeError or ValueError tells of damage."""
    metrics = read_json(folder.metrics_file)
    if not is_clustering(metrics):
        return None
    run = ClusterRun(folder.path, metrics, _overrides(folder))
    cluster_row(run)
    float(metrics["training"]["seconds"]), str(metrics["data"]["name"])
    return run


def _overrides(folder: RunFolder) -> list[str]:
    """What was typed."""
    if not folder.overrides_file.exists():
        return []
    return [str(one) for one in yaml.load(folder.overrides_file.read_text(encoding="utf-8"), Loader=Loader) or []]


def read_run(folder: RunFolder) -> ComparedRun:
    """Read a finished run.

    Raises:
        SeisvisionError: a file is damaged, or the run was written by another version.
    """
    metrics = read_json(folder.metrics_file)
    _check_metrics(metrics)
    config = yaml.load(folder.config_file.read_text(encoding="utf-8"), Loader=Loader)
    # Older runs lack sections; what they lack is no setting of theirs.
    complete = {"dataset": {}, "trainer": {}, **config, "run": {"test": None}}
    scientific = scientific_part(complete, str(metrics["data"]["fingerprint"]))
    settings = flatten({key: value for key, value in scientific.items() if key not in NOT_LEARNT})
    return ComparedRun(
        folder,
        metrics,
        {key: value for key, value in settings.items() if key not in REPEATS},
        int(metrics["training"]["seed"]),
        (config.get("split") or {}).get("fold"),
        _overrides(folder),
        read_json(folder.environment_file) if folder.environment_file.exists() else {},
        str(
            folder.status().get("ended") or time.strftime(TIME_FORMAT, time.gmtime(folder.metrics_file.stat().st_mtime))
        ),
    )


def _check_metrics(metrics: Any) -> None:
    """Refuse metrics that lack something; a TypeError or ValueError tells of a value that is no number.

    Raises:
        NotComparableError: says what is missing.
    """
    if not isinstance(metrics, Mapping):
        raise NotComparableError("broken: metrics.json does not hold a mapping")
    missing = [f"{section}.{name}" for section, names in NEEDED.items() for name in names
               if name not in (metrics.get(section) or {})]  # fmt: skip
    missing += [] if metrics.get("outputs") else ["outputs"]
    if missing:
        raise NotComparableError(
            f"written by another version: metrics.json has no {missing[0]}; run it again with this version"
        )
    for part in ("val", "test"):
        for output, measured in (metrics.get(part) or {}).items():
            if "headline" not in measured or measured["headline"] not in measured:
                raise NotComparableError(f"written by another version: {part}.{output} names no headline measure")
            if not isinstance(measured.get("table_columns"), Mapping):
                raise NotComparableError(f"written by another version: {part}.{output} has no table_columns")
            stored_measures(measured)
    float(metrics["training"]["seconds"]), int(metrics["training"]["parameters"])
    if not any(metrics.get(part) for part in ("val", "test")):
        raise NotComparableError("no validation or test sample was measured")


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
