"""A set of local or regional seismograms as a source of data: made when it is first needed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from seisvision.data.synthesis.source import EVENT_COLUMNS, GeneratedSource
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters

log = logging.getLogger(__name__)

WORTH_PROCESSES = 200
"""Events from which it is."""


class LocalSyntheticSource(GeneratedSource):
    """A synthetic waveform set of local or regional scale.

    Args:
        processes: Worker processes that make it; by default one per core, or none beside this one for sets so small
            that starting them would take longer. Does not change the content.
        **parameters: Fields of :class:`LocalSynthesisParameters`.

    Raises:
        ConfigurationError: A parameter is unknown or not allowed.
    """

    event_columns_made = EVENT_COLUMNS

    def __init__(self, *, processes: int | None = None, **parameters: Any) -> None:
        self.parameters: LocalSynthesisParameters = LocalSynthesisParameters.from_mapping(parameters)
        self.processes = processes

    def make(self, folder: Path) -> None:
        """Write the set to ``folder``."""
        from seisvision.data.synthesis_local.synthesise import synthesise_local

        log.info("Making the local synthetic waveform set %s (%d events), once", folder, self.parameters.n_events)
        processes = self.processes or (1 if self.parameters.n_events < WORTH_PROCESSES else None)
        synthesise_local(self.parameters, folder, processes)
