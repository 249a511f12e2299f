"""How the stored result of a run is read: what every kind of experiment says of its own ``metrics.json``.

Nothing here needs a network, so that results are shown, tabulated and compared where none could be built.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from seisvision.records.folder import RunFolder


class Result(ABC):
    """What can be said of stored results of one kind of experiment; found by :mod:`seisvision.records.kinds`."""

    predicts: ClassVar[bool] = True
    """Whether ``predictions.csv`` holds what outputs say of samples, by which runs are compared in pairs. Runs of other
    kinds have a section of their own in a comparison."""
    heading: ClassVar[str] = ""
    """Of that section."""

    @abstractmethod
    def text(self, metrics: Mapping[str, Any]) -> str:
        """The result of a run as a person reads it, such as a table beside its baselines.

        Args:
            metrics: what ``metrics.json`` holds.
        """

    @abstractmethod
    def table(self, names: Sequence[str], folders: Sequence[RunFolder]) -> str:
        """The results of several runs, one row a run.

        Args:
            names: what sets each run apart.
            folders: of the finished runs.
        """

    def compare_key(self, metrics: Mapping[str, Any]) -> tuple[Any, ...]:
        """What is equal for runs whose measures mean the same: by default what their outputs predict."""
        said = ("name", "kind", "target", "unit", "period_deg", "class_names")
        return tuple(tuple(str(about.get(name, "")) for name in said) for about in metrics.get("outputs", []))

    def measures(self, metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What dashboards show of a result: by part, then by what was measured, the stored measures."""
        return {part: metrics[part] for part in ("val", "test") if metrics.get(part)}

    def values(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Plain values for dashboards, beside the measures."""
        return {}

    def check(self, metrics: Mapping[str, Any]) -> None:  # noqa: B027 (outputs are checked for all)
        """Refuse a ``metrics.json`` that :meth:`section` and :meth:`row` could not read.

        Raises:
            SeisvisionError: says what is missing.
        """

    def section(self, runs: Sequence[StoredRun]) -> str:
        """Of a kind that predicts nothing: its runs as HTML, for the page of a comparison."""
        return ""

    def row(self, run: StoredRun) -> dict[str, Any]:
        """Of a kind that predicts nothing: what programs want of a run, by column."""
        return {"run": str(run.path)}

    def write_sweep_report(self, folders: Sequence[Path], place: Path) -> None:  # noqa: B027 (nothing for most)
        """Write, at the end of a sweep, what only several runs together can tell.

        Args:
            folders: of the runs of the sweep.
            place: the folder of the sweep.
        """


class StoredRun:
    """A finished run of a kind that predicts nothing, as its files describe it."""

    def __init__(self, path: Path, metrics: dict[str, Any], overrides: list[str], result: Result) -> None:
        self.path = path
        self.metrics = metrics
        self.overrides = overrides
        self.result = result
