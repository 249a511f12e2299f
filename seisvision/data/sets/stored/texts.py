"""Words for "none", spellings of ids and texts among numbers, as metadata tables of other programs hold them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)

TEXT_SUFFIXES = ("_id", "_code", "_name", "_type", "_cell", "_time", "_order", "_unit", "_channel", "_category")
TEXT_COLUMNS = frozenset({"split", "trace_chunk", "trace_component_rates_hz"})
NUMBER_SUFFIXES = ("_deg", "_km", "_m", "_s", "_hz", "_db", "_sample", "_magnitude", "_npts")
NO_CODE = frozenset({"", "NaN", "nan", "None", "null", "NULL", "N/A", "n/a", "<NA>", "#N/A", "NaT", "-", "--"})
"""Network NA is one, as are stations NAN and NONE."""
NO_VALUE = NO_CODE | {"NA"}
"""A class called none is one."""
NOTHING = NO_VALUE | {"none", "NONE", "NAN", "na"}
NO_EVENT = NOTHING | {"unknown", "Unknown", "UNKNOWN", "undefined", "-1", "-1.0", "-999", "-9999", "-12345"}
"""Associators give -1 to what belongs to no event."""


def is_text(column: str) -> bool:
    """Tell whether a column holds texts: ids, codes, names and times, even where all look like numbers."""
    return column in TEXT_COLUMNS or column.endswith(TEXT_SUFFIXES)


def tidy_texts(table: pd.DataFrame, path: Path) -> None:
    """Make words for "none" missing, in place, in all columns of texts but ``trace_name``."""
    for column in [name for name in table if is_text(str(name)) and name != "trace_name"]:
        codes, texts = pd.factorize(table[column])
        none = _none_words(str(column))
        tidy = [text.strip() for text in texts]
        kept = np.array([None if text in none else text for text in tidy] + [None], dtype=object)
        if kept[:-1].tolist() == list(texts):
            continue
        table[column] = pd.Series(kept[codes], dtype=table[column].dtype, index=table.index)
        words = sorted({text for text in tidy if text in none and text})
        if column == "source_id" and words:
            n_rows = int(np.isin(codes, [i for i, text in enumerate(tidy) if text in words]).sum())
            log.warning(
                "%s: %d traces name no event (source_id %s); each is an event of its own",
                path, n_rows, ", ".join(f"'{word}'" for word in words),
            )  # fmt: skip


def _none_words(column: str) -> frozenset[str]:
    if column == "source_id":
        return NO_EVENT
    if column.endswith(("_code", "_channel")):
        return NO_CODE
    return NO_VALUE if column.endswith(("_type", "_category", "_name", "_unit")) else NOTHING


def one_spelling(ids: pd.Series) -> pd.Series:
    """Return ids where ``7.0`` is ``7``, if both are there: tables with and without gaps spell numbers so."""
    codes, texts = pd.factorize(ids)
    there = set(texts)
    whole = {text: text.partition(".")[0] for text in texts if re.fullmatch(r"\d+\.0+", text)}
    if not any(short in there for short in whole.values()):
        return ids
    spelt = np.array([whole.get(text, text) for text in texts], dtype=object)
    return pd.Series(spelt[codes], dtype=ids.dtype, index=ids.index)


def tell_texts_among_numbers(table: pd.DataFrame, path: Path) -> None:
    """Warn of texts where numbers are meant, such as ``[56.8 55.4]`` or ``3,1``: they count as missing."""
    found = []
    for column in [str(name) for name in table if str(name).endswith(NUMBER_SUFFIXES) and not is_text(str(name))]:
        values = table[column]
        if pd.api.types.is_numeric_dtype(values):
            continue
        strange = values.notna() & pd.to_numeric(values, errors="coerce").isna()
        if strange.any():
            found.append(f"{column} ('{values[strange].iloc[0]}' and so on, {int(strange.sum())} rows)")
    if found:
        log.warning("%s holds texts where numbers are meant, which count as missing: %s", path, "; ".join(found[:10]))
