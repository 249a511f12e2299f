"""Where the data of a configuration come from: the source that it names, with the corrections that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
