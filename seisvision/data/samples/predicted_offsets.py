"""Distances that a network predicted, in place of those that coordinates give."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seisvision import spreadsheets
from seisvision.data.samples.event_index import EventIndex
from seisvision.errors import DataError
from seisvision.files import write_text

COLUMNS = ("trace_id", "source_id", "offset_km", "sigma_km", "reason")


@dataclass(frozen=True)
class PredictedOffsets:
    """Predicted distance of every trace of a set.

    Attributes:
        source_ids: (N,) event of each row of the metadata table.
        offset_km: (N,) NaN where none could be predicted.
        sigma_km: (N,) half the width of the 68 % interval, NaN where the network states none.
        reasons: (N,) why no distance could be predicted, "" where one was.
    """

    source_ids: Sequence[str]
    offset_km: np.ndarray
    sigma_km: np.ndarray
    reasons: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> PredictedOffsets:
        """Read what :meth:`write` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(spreadsheets.DictReader(file))
            numbers = {name: [float(row[name] or "nan") for row in rows] for name in ("offset_km", "sigma_km")}
            if [row["trace_id"] for row in rows] != [str(number) for number in range(len(rows))]:
                raise ValueError("its rows are not numbered one by one")
            texts = {name: [row[name] for row in rows] for name in ("source_id", "reason")}
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise DataError(f"predicted offsets {path} cannot be read ({error}); delete the file") from error
        return cls(texts["source_id"], np.array(numbers["offset_km"]), np.array(numbers["sigma_km"]), texts["reason"])

    def write(self, path: Path) -> None:
        """Write one row a trace, numbered as the metadata table."""
        text = io.StringIO()
        writer = spreadsheets.Writer(text)
        writer.writerow(COLUMNS)
        for number, row in enumerate(zip(self.source_ids, self.offset_km, self.sigma_km, self.reasons, strict=True)):
            source_id, offset_km, sigma_km, reason = row
            writer.writerow([number, source_id, _cell(offset_km), _cell(sigma_km), reason])
        write_text(path, text.getvalue())

    def put_into(self, index: EventIndex) -> EventIndex:
        """Return the index with the predicted distances and nothing else that is known of the sources.

        Raises:
            DataError: the distances belong to another set.
        """
        if len(index.rows) and int(index.rows.max()) >= len(self.offset_km):
            raise DataError(
                f"trace {int(index.rows.max())} has no predicted offset: {len(self.offset_km)} were predicted; "
                "these offsets belong to another waveform set"
            )
        return replace(
            index,
            arrivals_after_start_s=np.full_like(index.arrivals_after_start_s, np.nan),
            offset_km=self.offset_km[index.rows],
            azimuth_deg=np.full_like(index.azimuth_deg, np.nan),
            back_azimuth_deg=np.full_like(index.back_azimuth_deg, np.nan),
            origin_s=np.full_like(index.origin_s, np.nan),
            source_depth_km=np.full_like(index.source_depth_km, np.nan),
        )


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
