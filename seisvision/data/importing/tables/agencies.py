"""Habits of single agencies and programs in their tables of events."""

from __future__ import annotations

from seisvision.data.importing.tables.columns import REPEATING, Column
from seisvision.data.importing.tables.event_columns import magnitude_kind
from seisvision.data.importing.tables.text_tables import TextTable

QUAKEMIGRATE = {"X": "source_longitude_deg", "Y": "source_latitude_deg", "Z": "source_depth_km"}
"""Places in the events of QuakeMigrate, beside DT and COA."""
MAGNITUDES = ("AUTHOR", "TYPE", "MAG")
"""Columns that the list of the ISC writes as often as an event has magnitudes, however often its header names them."""


def with_habits(columns: dict[str, Column], table: TextTable) -> dict[str, Column]:
    """Columns by meaning, where a list of an agency gives a name another meaning than most."""
    if {"ET", "GT", "MAG", "M"} <= set(table.columns):
        # The lists of the SCEDC.
        columns["source_magnitude_type"] = Column("M", table.columns.index("M"))
    if {"DT", "COA", *QUAKEMIGRATE} <= set(table.columns):
        columns |= {key: Column(name, table.columns.index(name)) for name, key in QUAKEMIGRATE.items()}
    kind = columns.get("source_type")
    if kind is not None and "source_magnitude_type" not in columns:
        # A column 'type' of ML, mb and Mw is no class of event.
        texts = {text for text in table.column(kind.index) if text}
        if texts and all(magnitude_kind(text) or text in ("M", "m") for text in texts):
            columns["source_magnitude_type"] = columns.pop("source_type")
    if {"AUTHOR.1", "TYPE.1", "MAG"} <= set(table.columns):
        # The list of the ISC repeats author and type for the magnitude.
        columns["source_magnitude_author"] = Column("AUTHOR.1", table.columns.index("AUTHOR.1"))
        columns["source_magnitude_type"] = Column("TYPE.1", table.columns.index("TYPE.1"))
    return columns


def fit_magnitudes(table: TextTable) -> None:
    """Bring the rows of a list of the ISC to the width of its header, in place: of magnitudes the first count."""
    if REPEATING not in table.columns or tuple(name.partition(".")[0] for name in table.columns[-3:]) != MAGNITUDES:
        return
    width, least = len(table.columns), table.columns.index(REPEATING) + 1
    rows = dict(zip(table.lines, table.rows, strict=True))
    fitting = [misfit for misfit in table.misfits if len(misfit[2]) >= least and (len(misfit[2]) - least) % 3 == 0]
    rows |= {line: (cells + [""] * width)[:width] for line, _, cells in fitting}
    table.misfits = [misfit for misfit in table.misfits if misfit not in fitting]
    table.lines, table.rows = sorted(rows), [rows[line] for line in sorted(rows)]
