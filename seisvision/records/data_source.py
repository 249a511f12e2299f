"""Where the data of a configuration come from: the source that it names, with the corrections that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.data.samples.columns import check_target
from seisvision.data.splitting.words import WITHOUT_COLUMN, check_by, of_events
from seisvision.public import NAMES, OUTPUT, SOURCE, public_name
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


def refuse_columns(config: Mapping[str, Any], source: Any, data_dir: Path) -> None:
    """Refuse to split by, or to learn, a column that the set will not have, before it is made.

    Args:
        config: resolved configuration.
        source: of its data; one that does not tell the columns of its events is left to the reader of the set.
        data_dir: folder of all sets.

    Raises:
        DataError: says which columns there are.
    """
    told = getattr(source, "event_columns", None)
    columns = None if told is None else told(data_dir)
    if columns is None:
        return
    derived = list(config["dataset"].get("derive") or {})
    split = config.get("split") or {}
    if split.get("by") is not None and split.get("column") is None and split["by"] not in WITHOUT_COLUMN:
        check_by(str(split["by"]), [*of_events(columns), *derived])
    for output in (config.get("task") or {}).get("outputs") or []:
        # What the words of an output of one's own mean is not known.
        if public_name(str(output.get("_target_"))) in NAMES[OUTPUT] and isinstance(output.get("target"), str):
            check_target(f"task.outputs.{output.get('name')}.target", output["target"], [*columns, *derived])
