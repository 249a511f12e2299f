"""What the whole Seismic Atlas consists of: a list of stages, read from ``conf/atlas``."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean

KINDS = ("runs", "protocol", "clusters", "agreement")
MODES = ("paper", "careful")


@dataclass(frozen=True)
class Stage:
    """One experiment of the report, made of ordinary runs.

    Attributes:
        name: under which its runs are stored, below ``atlas/``.
        title: what it is, for people.
        mode: ``paper`` (as published, warts included) or ``careful``.
        statements: of the report that it answers, such as ``A-24``.
        kind: ``runs`` (every point of ``sweep`` and ``seeds``), ``protocol`` (compare, tune, refit, see
            :mod:`seisvision.sweeps.protocol`), ``clusters`` (runs, then the number of clusters is chosen) or
            ``agreement`` (of the clusters that other stages found).
        overrides: of every run.
        sweep: setting to the values it takes; all combinations are run.
        protocol: ``models``, ``tune`` and ``seeds`` in place of those of the experiment.
        needs: stages that must have finished runs.
        offset_from: stage with the run that gives the offset network (``offset_ckpt``).
        offset_point: which of its runs, as values of its ``sweep``; empty where it has one only.
    """

    name: str
    title: str
    mode: str
    statements: Sequence[str] = ()
    kind: str = "runs"
    overrides: Sequence[str] = ()
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    protocol: Mapping[str, Any] | None = None
    needs: Sequence[str] = ()
    offset_from: str | None = None
    offset_point: Mapping[str, Any] = field(default_factory=dict)

    def points(self) -> list[list[str]]:
        """Overrides of every point of the sweep."""
        return [
            point_overrides(dict(zip(self.sweep, values, strict=True)))
            for values in itertools.product(*self.sweep.values())
        ]


def point_overrides(point: Mapping[str, Any]) -> list[str]:
    """Values of a point of a sweep as they are typed."""
    return [f"{key}={value}" for key, value in point.items()]


@dataclass(frozen=True)
class Preset:
    """A named list of stages.

    Attributes:
        name: of the file in ``conf/atlas``.
        note: what a reader of the report must know of it, such as what was reduced.
        overrides: of every run of every stage.
        stages: in the order in which they are done.
    """

    name: str
    note: str
    overrides: Sequence[str]
    stages: Sequence[Stage]


@contextlib.contextmanager
def configurations(folder: Path) -> Iterator[None]:
    """Let configurations be composed from a folder ``conf``.

    Raises:
        ConfigurationError: it is no such folder.
    """
    from hydra import initialize_config_dir

    if not (folder / "train.yaml").is_file():
        raise ConfigurationError(
            f"{folder.absolute()} holds no train.yaml. Run the command in the folder of the project, or give --conf."
        )
    with initialize_config_dir(str(folder.absolute()), version_base="1.3"):
        yield


def load_preset(name: str, folder: Path) -> Preset:
    """Read a preset; to be called within :func:`configurations` of the same folder.

    Raises:
        ConfigurationError: there is no such preset, or it does not describe stages.
    """
    from hydra import compose
    from omegaconf import OmegaConf

    known = sorted(path.stem for path in (folder / "atlas").glob("*.yaml"))
    if name not in known:
        raise ConfigurationError(f"preset='{name}' is not known. {did_you_mean(name, known)}")
    read: Any = OmegaConf.to_container(compose(f"atlas/{name}"), resolve=True)
    stages = [_stage(stage_name, settings) for stage_name, settings in read["stages"].items() if settings]
    names = [stage.name for stage in stages]
    for number, stage in enumerate(stages):
        for needed in _needed(stage):
            if needed not in names[:number]:
                raise ConfigurationError(f"stage '{stage.name}' needs '{needed}', which is no stage before it")
        if stage.offset_from:
            _check_offset_point(stage, stages[names.index(stage.offset_from)])
    return Preset(name, " ".join(str(read["note"]).split()), read["overrides"] or (), stages)


def _check_offset_point(stage: Stage, source: Stage) -> None:
    """Refuse to leave open which of several networks gives the distances."""
    points = [" ".join(point) for point in source.points()]
    asked = " ".join(point_overrides(stage.offset_point))
    if asked not in points:
        raise ConfigurationError(
            f"offset_point='{asked}' of stage '{stage.name}' is no run of '{source.name}'. "
            f"{did_you_mean(asked, points)}"
        )


def _stage(name: str, settings: dict[str, Any]) -> Stage:
    # A preset that reduces another adds to its overrides and leaves the rest as it is.
    overrides = [*(settings.pop("overrides", None) or ()), *(settings.pop("reduce", None) or ())]
    try:
        stage = Stage(name=name, overrides=overrides, **settings)
    except TypeError as error:
        raise ConfigurationError(f"stage '{name}' of the preset is not understood: {error}") from error
    for setting, value, allowed in (("kind", stage.kind, KINDS), ("mode", stage.mode, MODES)):
        if value not in allowed:
            raise ConfigurationError(f"{setting}='{value}' of stage '{name}'. {did_you_mean(value, list(allowed))}")
    return stage


def _needed(stage: Stage) -> list[str]:
    return [*stage.needs, *([stage.offset_from] if stage.offset_from else [])]
