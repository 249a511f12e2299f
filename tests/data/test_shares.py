"""A share of the events to learn from."""

from __future__ import annotations

import pytest

from seisvision.data.splitting.shares import with_share
from seisvision.data.splitting.split import Split
from seisvision.errors import ConfigurationError

EVENTS = [f"event{number}" for number in range(40)]
CLASS_OF = {name: "rare" if number % 10 == 0 else "common" for number, name in enumerate(EVENTS)}
WHOLE = Split({"train": tuple(EVENTS[:20]), "val": tuple(EVENTS[20:30]), "test": tuple(EVENTS[30:])})


def test_every_class_keeps_an_event_and_the_test_stays() -> None:
    small = with_share(WHOLE, 0.1, 1, {}, CLASS_OF)
    assert small.parts["test"] == WHOLE.parts["test"]
    assert [CLASS_OF[one] for one in small.parts["train"]].count("rare") == 1
    assert len(small.parts["train"]) == 3 and len(small.parts["val"]) == 2


def test_smaller_shares_lie_in_larger_ones_and_seeds_draw_others() -> None:
    parts = [set(with_share(WHOLE, share, 1, {}, {}).parts["train"]) for share in (0.1, 0.5, 1)]
    assert parts[0] < parts[1] < parts[2] == set(WHOLE.parts["train"])
    assert with_share(WHOLE, 0.3, 2, {}, {}).hash != with_share(WHOLE, 0.3, 1, {}, {}).hash


def test_traces_of_an_event_stay_together() -> None:
    traces = Split({"train": tuple(map(str, range(20))), "val": (), "test": ("20",)}, "trace", "trace")
    event_of = {str(number): f"event{number // 4}" for number in range(21)}
    kept = with_share(traces, 0.4, 1, event_of, {}).parts["train"]
    assert len(kept) == 8 and len({event_of[one] for one in kept}) == 2


@pytest.mark.parametrize("share", [0, 1.1, True])
def test_other_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match=r"split\.share"):
        with_share(WHOLE, share, 1, {}, {})
