"""Windows of events: how many are held in memory, and which tell a magnitude."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seisvision.cataloguing.magnitude import _amplitudes_mm
from seisvision.cataloguing.windows import Kept

RATE_HZ = 50.0


def test_what_is_held_is_bounded_by_bytes_and_what_was_used_last_stays() -> None:
    held, made = Kept(100), []

    def get(name: str, size: int = 40) -> None:
        held.get(name, lambda: made.append(name) or name, lambda _: size)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"] and held.n_bytes == 80
    get("large", 101)
    get("large", 101)
    get("a")
    assert made[4:] == ["large", "large"]
    held.clear()
    get("a")
    assert made[-1] == "a" and held.n_bytes == 40


@pytest.mark.parametrize("s_s", [20.0, 32.0, 34.0, 60.0])
def test_stations_whose_s_lies_beyond_the_window_are_left_out_with_the_reason(s_s: float) -> None:
    """S is twenty times as large as P; a window of 40 s ends before the later ones, and fades out before that."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(80 * RATE_HZ)) / RATE_HZ
    samples = 1e-9 * rng.standard_normal((2, len(time_s)))
    for start_s, size in ((6.0, 1e-6), (s_s, 2e-5)):
        since_s = time_s - start_s
        wave = size * np.sin(2 * np.pi * 3 * since_s) * np.exp(-since_s.clip(0) / 2)
        samples += np.where(since_s >= 0, wave, 0.0)
    arrival_s, known = np.array([6.0, s_s]), np.ones(2, bool)
    whole, _ = _amplitudes_mm(samples, known, "m/s", RATE_HZ, arrival_s, 3.0)
    cut, reason = _amplitudes_mm(samples[:, : round(40 * RATE_HZ)], known, "m/s", RATE_HZ, arrival_s, 3.0)
    if s_s + 5 <= 38:
        np.testing.assert_allclose(cut, whole, rtol=0.02)
        assert reason == ""
    else:
        assert len(cut) == 0 and "beyond the window" in reason
        length_s = int(re.findall(r"cut.length_s=(\d+)", reason)[0])
        held, _ = _amplitudes_mm(samples[:, : round(length_s * RATE_HZ)], known, "m/s", RATE_HZ, arrival_s, 3.0)
        np.testing.assert_allclose(held, whole, rtol=0.02)


@pytest.mark.parametrize(
    ("unit", "known", "said"),
    [("counts", True, "what a count is"), ("m/s", False, "without a gap"), ("m/s", True, "stand out of the noise")],
    ids=["unit", "gap", "noise"],
)
def test_why_a_station_tells_nothing_is_said(unit: str, known: bool, said: str) -> None:
    noise = np.random.default_rng(1).standard_normal((2, 2000))
    found, reason = _amplitudes_mm(noise, np.full(2, known), unit, RATE_HZ, np.array([6.0, 9.0]), 3.0)
    assert len(found) == 0 and said in reason
