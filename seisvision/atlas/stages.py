"""Do the stages of a preset one after the other; what failed is recorded and stops nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seisvision.atlas.agreement import write_agreement
from seisvision.atlas.presets import Preset, Stage, point_overrides
from seisvision.errors import SeisvisionError
from seisvision.evaluation.tables import format_seconds
from seisvision.files import disk_fault
from seisvision.records.folder import FAILED, FINISHED, RunFolder, read_json, write_json

log = logging.getLogger(__name__)

HANDED_OVER = "its runs are handed over and not finished yet; repeat the command once they have ended"


@dataclass
class Done:
    """What became of a stage; kept beside the report, which is made of it.

    Attributes:
        state: ``finished`` or ``failed``.
        runs: folders by role: ``runs``, or ``compare``, ``tune`` and ``refit`` of a protocol.
        error: what went wrong, first.
        seconds: of this call.
        files: what was made of the runs, by name.
        decision: of a protocol.
        points: folder of the finished run of every point of a sweep, by its overrides.
    """

    state: str = FAILED
    runs: dict[str, list[str]] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    points: dict[str, str] = field(default_factory=dict)

    def add(self, point: Sequence[str], folder: Path) -> None:
        """Note the finished run of a point of a sweep."""
        self.runs.setdefault("runs", []).append(str(folder))
        self.points[" ".join(point)] = str(folder)


class Record:
    """What became of the stages of a preset, stored after every stage.

    Args:
        path: JSON file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        stored = read_json(path) if path.exists() else {}
        self.done = {name: Done(**values) for name, values in stored.get("stages", {}).items()}

    def put(self, stage: Stage, done: Done) -> None:
        """Store what became of a stage."""
        self.done[stage.name] = done
        write_json(self.path, {"stages": {name: asdict(values) for name, values in self.done.items()}})


def run_stages(
    preset: Preset, typed: Sequence[str], record: Record, out: Path, only: Sequence[str] | None = None
) -> None:
    """Do all stages; finished runs are found stored, so a second call costs nothing.

    Args:
        preset: the stages.
        typed: overrides that hold for every run, after those of the preset.
        record: filled stage by stage.
        out: folder of what is made of several runs or stages.
        only: names of the stages to do; None for all.

    Raises:
        KeyboardInterrupt: it was interrupted; the same call goes on where it was.
    """
    for number, stage in enumerate(preset.stages, start=1):
        if only and stage.name not in only:
            continue
        log.info("\nexperiment %d of %d: %s (%s mode)", number, len(preset.stages), stage.title, stage.mode)
        started, done = time.monotonic(), Done()
        try:
            _do(stage, [*preset.overrides, *stage.overrides, *typed, f"name=atlas/{stage.name}"], record, done, out)
            done.state = FINISHED if done.error is None else FAILED
        except KeyboardInterrupt:
            raise
        except Exception as error:
            if disk_fault(error) is not None:
                raise
            # One experiment that cannot be done says nothing of the others.
            done.error = done.error or _said(error)
            log.error("experiment %d of %d failed: %s", number, len(preset.stages), done.error)
        done.seconds = round(time.monotonic() - started, 1)
        record.put(stage, done)
        log.info("experiment %d of %d took %s", number, len(preset.stages), format_seconds(done.seconds))


def _do(stage: Stage, overrides: list[str], record: Record, done: Done, out: Path) -> None:
    _check_needs(stage, record)
    if stage.offset_from:
        overrides = [*overrides, f"offset_ckpt={_offset_network(stage, record)}"]
    if stage.kind == "protocol":
        _do_protocol(stage, overrides, done)
    elif stage.kind == "agreement":
        folders = {name: Path(record.done[name].runs["runs"][0]) for name in stage.needs}
        done.files["agreement"] = str(write_agreement(folders, out / "agreement"))
    else:
        _do_points(stage, overrides, done)
    if stage.kind == "clusters" and done.runs["runs"]:
        from seisvision.experiments.clustering.report.report import write_cluster_report

        page = write_cluster_report(done.runs["runs"], out / stage.name)
        done.files |= {"page": str(page)} if page else {}


def _do_points(stage: Stage, overrides: list[str], done: Done) -> None:
    """Do every point of a sweep; a failed one does not stop the others."""
    done.runs["runs"] = []
    points = stage.points()
    if composed(overrides)["launcher"]["kind"] != "local":
        _hand_over(overrides, points, done)
        return
    for number, point in enumerate(points, start=1):
        if point:
            log.info("\nrun %d of %d: %s", number, len(points), " ".join(point))
        try:
            done.add(point, run_one([*overrides, *point]))
        except Exception as error:
            if disk_fault(error) is not None:
                raise
            done.error = done.error or _said(error)
            log.error("run %d of %d failed: %s", number, len(points), _said(error))


def _hand_over(overrides: list[str], points: list[list[str]], done: Done) -> None:
    """Have the launcher do the points."""
    from seisvision.runs.ensure import identify
    from seisvision.sweeps.single import launch_runs

    runs = [(composed(asked), asked) for asked in ([*overrides, *point] for point in points)]
    folders = [identify(config) for config, _ in runs]
    try:
        launch_runs(runs, folders)
    except SeisvisionError as error:
        done.error = _said(error)
    for point, folder in zip(points, folders, strict=True):
        if folder.is_finished():
            done.add(point, folder.path)
    if len(done.points) < len(points):
        done.error = done.error or HANDED_OVER


def _do_protocol(stage: Stage, overrides: list[str], done: Done) -> None:
    from seisvision.sweeps.protocol import run_protocol

    stages: Mapping[str, Any] = stage.protocol or composed(overrides)["stages"]
    path = run_protocol(stages, overrides)
    if path is None:
        raise SeisvisionError(HANDED_OVER)
    stored = read_json(path)
    done.runs = {role: [str(path.parent / run_id) for run_id in ids] for role, ids in stored["runs"].items()}
    done.decision = stored["decision"]


def run_one(overrides: Sequence[str]) -> Path:
    """Do or find one run and return its folder."""
    from seisvision.runs.ensure import ensure_run

    return ensure_run(composed(overrides), list(overrides)).path


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """Resolved configuration of a run."""
    from hydra import compose

    from seisvision.records.configuration import to_plain

    return to_plain(compose("train", overrides=list(overrides)))


def _check_needs(stage: Stage, record: Record) -> None:
    missing = [name for name in stage.needs if not (name in record.done and record.done[name].runs.get("runs"))]
    if missing:
        raise SeisvisionError(f"it needs the runs of {', '.join(missing)}, of which none is finished")


def _offset_network(stage: Stage, record: Record) -> str:
    """Folder of the run that predicts the distances of a stage: the one it names, never another of the same stage."""
    assert stage.offset_from is not None
    point, done = " ".join(point_overrides(stage.offset_point)), record.done.get(stage.offset_from)
    folder = done.points.get(point) if done else None
    if folder is None or not RunFolder(Path(folder)).is_finished():
        asked = f"{stage.offset_from} with {point}" if point else stage.offset_from
        raise SeisvisionError(
            f"it needs the run of {asked}, which is not finished; do --only {stage.offset_from} first"
        )
    return folder


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, SeisvisionError) else f"{type(error).__name__}: {text}"
