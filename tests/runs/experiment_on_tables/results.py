"""What is said of stored runs on tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.tables import render_table
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.measures import describe_measure
from seisvision.records.results import Result


class TableResult(Result):
    """The headline in one line, and one row a run."""

    def text(self, metrics: Mapping[str, Any]) -> str:
        (output, measured), *_ = metrics["test"].items()
        headline = measured["headline"]
        return f"{output} of cells: {headline} {describe_measure(headline, measured[headline])}"

    def table(self, names: Sequence[str], folders: Sequence[RunFolder]) -> str:
        rows = [[name, self.text(read_json(folder.metrics_file))] for name, folder in zip(names, folders, strict=True)]
        return render_table(["cells", ""], rows, "text")
