"""Names that people's scripts import from where they lay before still come from there, and say where they are now."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("former", "now", "name"),
    [
        ("seisvision.data.waveform_set", "seisvision.data.sets.waveform_set", "WaveformSet"),
        ("seisvision.data.splits", "seisvision.data.splitting.splits", "make_split"),
    ],
)
def test_a_former_place_gives_the_same_thing_and_says_where_it_is(former, now, name):
    sys.modules.pop(former, None)
    with pytest.warns(DeprecationWarning, match=now):
        module = importlib.import_module(former)
    assert getattr(module, name) is getattr(importlib.import_module(now), name)


def test_source_cells_are_still_had_from_the_tables_of_imports():
    from seisvision.data.importing.tables import source_cell

    assert source_cell is importlib.import_module("seisvision.data.splitting.cells").source_cell
