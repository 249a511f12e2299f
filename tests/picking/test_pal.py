"""P and S of the rules after PAL: where they are, and where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest

from seisvision.archives.picking import PickJob, pick_archive
from seisvision.archives.settings import PickSettings
from seisvision.errors import ConfigurationError
from seisvision.picking.pal import pal_picks

RATE_HZ = 50.0


def _record(p: int, s: int, size: float = 20.0, n: int = 6000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((3, n))
    for at, motion, factor in ((p, (1.0, 0.2, 0.1), 1.0), (s, (0.2, 1.0, 0.8), 2.0)):
        length = 500
        wave = rng.standard_normal(length) * np.exp(-np.arange(length) / 60)
        samples[:, at : at + length] += factor * size * np.array(motion)[:, None] * wave
    return samples


def _found(samples: np.ndarray, known: np.ndarray | None = None) -> list[tuple[str, int]]:
    known = np.ones(samples.shape, bool) if known is None else known
    return [(pick.phase, pick.sample) for pick in pal_picks(samples, known, RATE_HZ)]


@pytest.mark.parametrize("seed", range(4))
def test_p_and_s_are_found_where_they_are(seed: int) -> None:
    found = _found(_record(2000, 2200, seed=seed))
    assert [phase for phase, _ in found] == ["P", "S"]
    assert abs(found[0][1] - 2000) <= 5 and abs(found[1][1] - 2200) <= 10


def test_noise_and_silence_have_no_picks() -> None:
    noise = np.random.default_rng(1).standard_normal((3, 20_000))
    assert _found(noise) == []
    assert _found(np.zeros((3, 6000))) == []
    assert _found(noise, np.zeros(noise.shape, bool)) == []
    assert _found(noise[:, :50]) == []


def test_the_end_of_a_gap_is_no_arrival() -> None:
    samples = _record(4000, 4200) + 300.0
    known = np.ones(samples.shape, bool)
    known[:, 1000:2000] = False
    samples[~known] = 0.0
    assert [phase for phase, _ in _found(samples, known)] == ["P", "S"]


def test_a_clearer_event_is_told_as_clearer() -> None:
    weak, strong = (
        next(pal_picks(_record(2000, 2200, size), np.ones((3, 6000), bool), RATE_HZ)) for size in (15.0, 60.0)
    )
    assert strong.clarity > 5 * weak.clarity >= 5


@pytest.fixture(scope="module")
def icequake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An event of a tenth of the usual length: P at 4 s, S 0.4 s behind it, at ten times the usual rate."""
    folder = tmp_path_factory.mktemp("icequake")
    header = {"network": "XX", "station": "ICE", "starttime": obspy.UTCDateTime(2024, 1, 1), "sampling_rate": 500.0}
    for letter, line in zip("ZNE", _record(2000, 2200), strict=True):
        trace = obspy.Trace(line.astype(np.float32), {**header, "channel": f"HH{letter}"})
        trace.write(str(folder / f"{letter}.mseed"), format="MSEED")
    return folder


def test_short_events_are_picked_with_stretched_recordings(icequake: Path, tmp_path: Path) -> None:
    settings = PickSettings(rate_hz=500.0, stretch=10.0)
    pick_archive(PickJob(None, (str(icequake),), tmp_path / "picks.csv", settings, rule="pal"))
    table = pd.read_csv(tmp_path / "picks.csv")
    late_s = (pd.to_datetime(table["time"]) - pd.Timestamp("2024-01-01T00:00:00Z")).dt.total_seconds()
    assert table["phase"].tolist() == ["P", "S"]
    np.testing.assert_allclose(late_s, [4.0, 4.4], atol=0.02)


def test_networks_are_not_stretched(icequake: Path, tmp_path: Path) -> None:
    job = PickJob(Path("none"), (str(icequake),), tmp_path / "picks.csv", PickSettings(stretch=10.0))
    with pytest.raises(ConfigurationError, match="--rate"):
        pick_archive(job)
