"""Generators shared by the synthesis tests; their tables are computed once."""

from pathlib import Path

import pytest

from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SOURCE_TYPES, SynthesisParameters


@pytest.fixture(scope="session")
def earth_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("earth")


@pytest.fixture(scope="session")
def clean(earth_cache) -> EventGenerator:
    """A radial Earth without noise, coda or faults, all source types."""
    settings = {"heterogeneity": 0, "coda": 0, "fault": 0, "noise_db": -300}
    return EventGenerator(SynthesisParameters(classes=SOURCE_TYPES, **settings), earth_cache)


@pytest.fixture(scope="session")
def real(earth_cache) -> EventGenerator:
    """The default set with all source types."""
    return EventGenerator(SynthesisParameters(classes=SOURCE_TYPES, noise_db=0), earth_cache)
