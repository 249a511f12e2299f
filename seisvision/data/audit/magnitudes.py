"""Checks of what kind of magnitudes a set holds: scales differ by half a unit and more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from seisvision.data.audit.findings import Finding
from seisvision.data.audit.table import AuditTable

TYPE_COLUMN, AUTHOR_COLUMN = "source_magnitude_type", "source_magnitude_author"
MIXED_SHARE = 0.05
"""From this share of other types on, magnitudes are not learnt without a word of consent."""
FAMILIES = (("mw", "Mw"), ("ml", "ML"), ("md", "Md"), ("mc", "Md"), ("ms", "Ms"), ("mblg", "mbLg"), ("mb", "mb"))
"""Beginnings of the names of types, as ComCat and QuakeML write them, and the scale they belong to."""


def check_magnitudes(table: AuditTable, learnt: bool, rows: np.ndarray | None = None) -> Iterator[Finding]:
    """Findings on mixed types and authors, of the traces ``rows`` (N,); ``learnt`` says whether magnitude is learnt."""
    wanted = np.ones(table.n_traces, dtype=bool) if rows is None else rows
    first = table.first_row[wanted[table.first_row] & np.isfinite(table.numbers("source_magnitude")[table.first_row])]
    types = magnitude_scales(table)[0][first]
    names = magnitude_scales(table)[1]
    counts = np.bincount(types[types >= 0], minlength=len(names))
    if np.count_nonzero(counts) > 1:
        others, total = int(counts.sum() - counts.max()), int(counts.sum())
        shown = tuple(f"{names[i]}: {counts[i]} events" for i in np.argsort(-counts, kind="stable")[:5] if counts[i])
        kept = names[int(counts.argmax())]
        remedy = (
            f"Scales differ by half a unit and more: keep one, as dataset.select={{{TYPE_COLUMN}: [{kept}]}} does, or "
            "convert them."
        )
        severity = "fatal" if learnt and others > MIXED_SHARE * total else "warning"
        title = f"magnitudes of {np.count_nonzero(counts)} types"
        yield Finding("magnitude_types_mixed", severity, title, others, total, "events", remedy, shown)
    codes, authors = table.codes(AUTHOR_COLUMN)
    counts = np.bincount(codes[first][codes[first] >= 0], minlength=len(authors))
    if np.count_nonzero(counts) > 1:
        shown = tuple(f"{authors[i]}: {counts[i]} events" for i in np.argsort(-counts, kind="stable")[:5] if counts[i])
        remedy = "Agencies calibrate their scales differently: compare events that both have."
        severity = "warning" if learnt else "note"
        title = f"magnitudes of {np.count_nonzero(counts)} authors"
        others, total = int(counts.sum() - counts.max()), int(counts.sum())
        yield Finding("magnitude_authors_mixed", severity, title, others, total, "events", remedy, shown)


def magnitude_scales(table: AuditTable) -> tuple[np.ndarray, list[str]]:
    """Number of the magnitude scale of each trace (N,), -1 for none, and the names; spellings of one scale are one."""
    codes, texts = table.codes(TYPE_COLUMN)
    scales = [_scale(str(text)) for text in texts]
    names = sorted({scale for scale in scales if scale})
    numbers = np.array([*(names.index(scale) if scale else -1 for scale in scales), -1])
    return numbers[codes], names


def _scale(text: str) -> str:
    plain = re.sub(r"[^a-z]", "", text.lower())
    if plain in ("", "nan", "none", "unknown", "m", "mag"):
        return ""
    return next((name for beginning, name in FAMILIES if plain.startswith(beginning)), text.strip())
