"""Where the data of a configuration come from: the source that it names, with the corrections that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.data.splitting.words import WITHOUT_COLUMN, check_by, of_events
from seisvision.public import SOURCE
from seisvision.records.configuration import instantiate


def source_of(source: Mapping[str, Any], corrections: Any = None) -> Any:
    """The source of a group ``dataset``.

    Args:
        source: ``dataset.source``.
        corrections: ``dataset.corrections``; None leaves the set as it is.

    Raises:
        ConfigurationError: a setting is not allowed.
    """
    found = instantiate(source, SOURCE)
    if corrections is None:
        return found
    from seisvision.data.corrections.source import CorrectedSource

    return CorrectedSource(found, corrections)


def refuse_split(config: Mapping[str, Any], source: Any, data_dir: Path) -> None:
    """Refuse to split by a column that the set will not have, before it is made.

    Args:
        config: resolved configuration.
        source: of its data; one that does not tell the columns of its events is left to the reader of the set.
        data_dir: folder of all sets.

    Raises:
        DataError: says which columns there are.
    """
    told = getattr(source, "event_columns", None)
    split = config.get("split") or {}
    if told is None or split.get("by") is None or split.get("column") is not None or split["by"] in WITHOUT_COLUMN:
        return
    columns = told(data_dir)
    if columns is not None:
        check_by(str(split["by"]), [*of_events(columns), *(config["dataset"].get("derive") or {})])
