"""Tables of what experiments on waveform sets serve."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from seisvision import spreadsheets
from seisvision.data.serving.datamodule import Exclusion
from seisvision.files import write_text


def write_excluded(path: Path, excluded: Sequence[Exclusion]) -> None:
    """List the events and traces that no part serves, with reasons."""
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(["source_id", "trace_id", "part", "reason"])
    writer.writerows([one.source_id, one.trace_id, one.part, one.reason] for one in excluded)
    write_text(path, text.getvalue())
