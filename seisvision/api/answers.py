"""What a network said of some recordings, and what it could not be asked about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from seisvision.api.shown import facts_html, rows_html
from seisvision.data.importing.rejections import Rejection
from seisvision.data.serving.datamodule import Exclusion
from seisvision.outputs.predictions import Predictions
from seisvision.records.prediction_table import write_columns

REFUSED = ("source_id", "what", "reason")


class Answers:
    """Predictions of all outputs for the same samples.

    Args:
        columns: what ``predictions.csv`` of an evaluation would hold, unrounded.
        outputs: predictions by output name.
        refused: rows of :attr:`refused`.
    """

    def __init__(
        self, columns: Mapping[str, Any], outputs: Mapping[str, Predictions], refused: Sequence[tuple[str, str, str]]
    ) -> None:
        self._columns = dict(columns)
        self.outputs = dict(outputs)
        """By name: ``decoded`` (N, ...) in physical units, ``target``, ``ids`` and, by kind, ``classes``, ``value``."""
        self._refused = list(refused)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a sample: event, station, then by output what is predicted and how sure the network is.

        The columns are those of ``predictions.csv`` (docs/outputs.md): ``<output>_prediction``, probabilities of
        classes, standard deviations of numbers. ``seen`` is there where any event was learnt from or validated with.
        """
        return pd.DataFrame(self._columns)

    @cached_property
    def refused(self) -> pd.DataFrame:
        """One row for whatever the network was not asked about: ``source_id``, ``what`` it is, and the ``reason``."""
        return pd.DataFrame(self._refused, columns=list(REFUSED))

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as ``evaluate.py`` does, whole or not at all; returns the path."""
        write_columns(Path(path), self._columns)
        return Path(path)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.table)

    def __repr__(self) -> str:
        lost = f", {len(self._refused)} refused (see .refused)" if self._refused else ""
        return f"Answers about {len(self)} samples{lost}\n{self.table.to_string(max_rows=20)}"

    def _repr_html_(self) -> str:
        facts = {"samples": len(self), "refused": len(self._refused), "outputs": ", ".join(self.outputs)}
        rows = rows_html(list(self.table), self.table.itertuples(index=False), len(self))
        lost = rows_html(REFUSED, self._refused, len(self._refused)) if self._refused else ""
        return facts_html("Answers", facts) + rows + lost


class Picks:
    """Arrivals that a network found in recordings of any length.

    Args:
        table: one row a pick, see docs/picking_archives.md.
        refused: what was not picked and why, one row a stretch of time.
    """

    def __init__(self, table: pd.DataFrame, refused: pd.DataFrame) -> None:
        self.table = table
        self.refused = refused

    def to_csv(self, path: str | Path) -> Path:
        """Write the table of picks, whole or not at all; returns the path."""
        write_columns(Path(path), {name: self.table[name].tolist() for name in self.table})
        return Path(path)

    def __len__(self) -> int:
        """Return the number of picks."""
        return len(self.table)

    def __repr__(self) -> str:
        return f"{len(self)} picks, {len(self.refused)} losses (see .refused)\n{self.table.to_string(max_rows=20)}"

    def _repr_html_(self) -> str:
        rows = rows_html(list(self.table), self.table.itertuples(index=False), len(self))
        return facts_html("Picks", {"picks": len(self), "losses": len(self.refused)}) + rows


def told_rejections(rejections: Iterable[Rejection]) -> list[tuple[str, str, str]]:
    """Rows of what an import refused."""
    return [(one.event_id, one.trace_id or one.file or one.kind, one.reason) for one in rejections]


def told_exclusions(exclusions: Iterable[Exclusion]) -> list[tuple[str, str, str]]:
    """Rows of what could not be cut as the network needs it."""
    return [(one.source_id, f"trace {one.trace_id}" if one.trace_id else "event", one.reason) for one in exclusions]
