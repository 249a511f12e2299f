"""Whatever odd habit a recording was written with, an import gives the true ground motion back, or refuses it."""

from pathlib import Path

import pytest
from habits import HABITS
from odd_habits import check_tree, odd_tree

from seisvision.data.sets.waveform_set import WaveformSet

PARTS = 8
PER_PART = 23


@pytest.mark.parametrize("part", range(PARTS))
def test_the_true_motion_comes_back_or_is_refused(part: int, tmp_path: Path) -> None:
    for number in range(part * PER_PART, (part + 1) * PER_PART):
        name, tree = odd_tree(2026, number)
        try:
            check_tree(tree, tmp_path / str(number))
        except Exception as error:
            raise AssertionError(f"{name} ended in {error!r}") from error


def test_the_check_sees_what_is_untrue(tmp_path: Path) -> None:
    # Otherwise everything above could pass for no reason.
    _, tree = odd_tree(0, HABITS.index(next(habit for habit in HABITS if habit.__name__ == "upside_down")))
    check_tree(tree, tmp_path)
    made = WaveformSet(tmp_path / "set")
    assert len(made.metadata) == 2
    tree.event["depth_km"] += 1
    from odd_habits import check_row

    with pytest.raises(AssertionError, match="source_depth_km"):
        check_row(tree, made, 0)
