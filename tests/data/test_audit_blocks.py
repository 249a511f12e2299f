"""Many recordings looked at in one block are judged as each by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from seisvision.data.audit.copies import Signatures
from seisvision.data.audit.faults import NAMES, look_at
from seisvision.data.audit.polarity import _correlations

RATE_HZ = 20.0


def quiet(_: np.ndarray) -> None:
    pass


def infinite(channel: np.ndarray) -> None:
    channel[40] = np.inf


def gap(channel: np.ndarray) -> None:
    channel[10:20] = np.nan


def dead(channel: np.ndarray) -> None:
    channel[:] = 7


def flat(channel: np.ndarray) -> None:
    channel[100:142] = channel[100]


def clipped(channel: np.ndarray) -> None:
    np.clip(channel, -0.5, 0.5, out=channel)


def offset(channel: np.ndarray) -> None:
    channel += 1000


def spike(channel: np.ndarray) -> None:
    channel[200] += 500


CHANGES: dict[str, Callable[[np.ndarray], None]] = {
    change.__name__: change for change in (quiet, infinite, gap, dead, flat, clipped, offset, spike)
}


@pytest.fixture(scope="module")
def block() -> np.ndarray:
    """Three traces for each change, which the second of three components of the first has, all of the second."""
    smooth = np.cumsum(np.random.default_rng(0).normal(size=(3 * len(CHANGES), 3, 600)), axis=-1) / 10
    made = (smooth - smooth.mean(axis=-1, keepdims=True)).astype(np.float32)
    for number, change in enumerate(CHANGES.values()):
        change(made[3 * number, 1])
        for channel in made[3 * number + 1]:
            change(channel)
    made[-1, :, :30] = made[-1, :, -11:] = 0
    return made


def test_each_change_is_found_where_it_is(block: np.ndarray) -> None:
    look = look_at(block, np.full(len(block), RATE_HZ))
    for number, name in enumerate(CHANGES):
        if name in NAMES:
            found = look.faults[name].reshape(-1, 3)
            assert found[number].tolist() == [True, True, False], name
            others = [i for i, other in enumerate(CHANGES) if other not in (name, "clipped", "gap", "infinite")]
            assert not found[[i for i in others if i != number]].any(), name
    assert look.still.tolist() == [False] * 10 + [True] + [False] * 13
    assert look.n_padding.tolist() == [0] * 23 + [41]


def test_a_block_is_judged_as_each_trace_by_itself(block: np.ndarray) -> None:
    together = look_at(block, np.full(len(block), RATE_HZ))
    for number, trace in enumerate(block):
        alone = look_at(trace[None], np.array([RATE_HZ]))
        for name in NAMES:
            assert together.faults[name][number] == alone.faults[name][0], (number, name)
        assert together.still[number] == alone.still[0] and together.peak[number] == alone.peak[0]
        assert together.n_padding[number] == alone.n_padding[0]


def test_signatures_of_a_block_are_those_of_its_traces(block: np.ndarray) -> None:
    together, alone = Signatures(), Signatures()
    together.add_block(np.arange(len(block)), block[:, 0])
    for row, trace in enumerate(block):
        alone.add(row, trace)
    assert len(alone.rows) == len(block) - 1
    np.testing.assert_array_equal(together.rows, alone.rows)
    np.testing.assert_array_equal(together.peaks, alone.peaks)
    np.testing.assert_array_equal(together.shapes, alone.shapes)


def test_candidates_are_the_same_however_many_shapes_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    traces = np.cumsum(rng.normal(size=(120, 400)), axis=1)
    copies = [5 * traces[:9], -traces[3:6], traces[20:30] + rng.normal(size=(10, 400)) * 1e-3]
    signatures = Signatures()
    signatures.add_block(np.arange(142), np.concatenate([traces, *copies]))
    all_at_once = signatures.candidates()
    assert len(all_at_once) >= 22 and [0, 120] in all_at_once.tolist()
    for n in (1, 7, 50):
        monkeypatch.setattr("seisvision.data.audit.copies.AT_ONCE", n)
        np.testing.assert_array_equal(signatures.candidates(), all_at_once)


def test_correlations_are_those_of_all_lags() -> None:
    rng = np.random.default_rng(1)
    sections = [rng.normal(size=n) for n in (50, 64, 30, 64)]
    sections = [section / np.linalg.norm(section) for section in sections]
    sections[3] = -np.roll(sections[1], 5)
    one, other = np.array([0, 1, 2, 3, 1]), np.array([1, 0, 3, 1, 3])
    up, down = _correlations(sections, one, other)
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        lags = np.correlate(sections[a], sections[b], "full")
        assert up[place] == pytest.approx(max(lags.max(), 0)) and down[place] == pytest.approx(max(-lags.min(), 0))
    assert down[3] > 0.8 > up[3]
