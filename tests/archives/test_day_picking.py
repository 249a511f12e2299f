"""A day of one sensor: every onset once, at its time, whatever rate, gaps and the pieces in which it is read."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from ricker_archives import DAY_NS, RickerNetwork, pick_folder, record, sds_path, write_mseed

from seisvision.archives.day_picking import DayPicker
from seisvision.archives.reading.channel_grid import Span
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import plan_days
from seisvision.archives.settings import PickSettings
from seisvision.archives.stacking import stack_curves
from seisvision.archives.windows import cut_windows
from seisvision.data.importing.tables.times import NS

HOUR_NS = 3600 * NS


def write_sensor(
    folder: Path,
    onsets_ns: list[int],
    rate_hz: float = 20.0,
    start_ns: int = DAY_NS,
    hours: float = 1.0,
    later_ns: int | None = 3 * NS,
) -> None:
    """Z with P, E with S three seconds later (or none), N with noise alone."""
    n_samples = round(hours * 3600 * rate_hz)
    for seed, (letter, late) in enumerate({"Z": 0, "N": None, "E": later_ns}.items()):
        own = [] if late is None else [onset + late for onset in onsets_ns]
        samples = record(rate_hz, start_ns, n_samples, own, seed)
        write_mseed(folder / f"{letter}.mseed", ("XX", "AAA", "", f"HH{letter}"), [(start_ns, rate_hz, samples)])


def seconds_after(picks: list, phase: str, onsets_ns: list[int]) -> np.ndarray:
    found = [pick.time_ns for pick in picks if pick.phase == phase]
    assert len(found) == len(onsets_ns), (phase, len(found))
    return (np.array(found) - np.array(onsets_ns)) / NS


@pytest.mark.parametrize("rate_hz", [20.0, 40.0, 50.0, 100.0, 99.99, 19.998, 31.25], ids="{:g}".format)
@pytest.mark.parametrize("odd_ns", [0, 1_234_567], ids=["whole", "odd"])
def test_times_are_right_to_a_sample_whatever_rate_and_start(tmp_path: Path, rate_hz: float, odd_ns: int) -> None:
    onsets = [DAY_NS + round(at * NS) for at in (35.0, 333.33, 1801.017, 3500.5)]
    write_sensor(tmp_path, onsets, rate_hz, DAY_NS + odd_ns)
    result = pick_folder(tmp_path)
    assert np.abs(seconds_after(result.picks, "P", onsets)).max() <= 0.5 / 20 + 1e-3
    assert np.abs(seconds_after(result.picks, "S", [one + 3 * NS for one in onsets])).max() <= 0.5 / 20 + 1e-3


def test_a_recording_of_the_rate_of_the_network_keeps_its_own_times(tmp_path: Path) -> None:
    """Its samples lie between those of the grid; the pick has the time of the sample."""
    odd_ns = 17_000_000
    onset = DAY_NS + odd_ns + 400 * NS
    write_sensor(tmp_path, [onset], start_ns=DAY_NS + odd_ns)
    assert [pick.time_ns for pick in pick_folder(tmp_path).picks if pick.phase == "P"] == [onset]


def test_an_onset_on_the_end_of_a_window_a_piece_or_a_day_is_picked_once(tmp_path: Path) -> None:
    network = RickerNetwork()
    step_s = network.n_samples / 2 / network.sampling_rate_hz
    ends = [k * step_s for k in range(30, 60, 5)] + [600.0, 1200.0, 1800.0]
    onsets = sorted({DAY_NS + round(at * NS) for at in ends})
    write_sensor(tmp_path, onsets, later_ns=None)
    for piece_s in (600.0, 7200.0):
        result = pick_folder(tmp_path, piece_s=piece_s)
        assert np.abs(seconds_after(result.picks, "P", onsets)).max() == 0


def test_days_share_their_border_and_no_pick(tmp_path: Path) -> None:
    """An onset a sample before, at and after midnight is in one of the two days."""
    for number, off in enumerate((-0.05, 0.0, 0.05)):
        folder = tmp_path / str(number)
        onset = DAY_NS + 24 * HOUR_NS + round(off * NS)
        write_sensor(folder, [onset], start_ns=DAY_NS + 23 * HOUR_NS, hours=2.0)
        days, _ = plan_days(list_archive([str(folder)])[0])
        picker = DayPicker(RickerNetwork(), PickSettings(thresholds={"P": 0.8, "S": 0.8}))
        by_day = [[pick.time_ns for pick in picker.pick(one).picks if pick.phase == "P"] for one in days]
        assert [*by_day[0], *by_day[1]] == [onset]
        assert len(by_day[0]) == (off < 0)


def test_the_curve_is_that_of_one_pass_over_the_whole(tmp_path: Path) -> None:
    """With gaps, in pieces of ten minutes and of two hours, and by hand over everything at once."""
    rng = np.random.default_rng(3)
    onsets = [DAY_NS + round(at * NS) for at in rng.uniform(60, 7100, 40)]
    cuts = np.sort(rng.choice(np.arange(200, 7000), 60, replace=False)) * NS + DAY_NS
    for seed, letter in enumerate("ZNE"):
        samples = record(20.0, DAY_NS, 2 * 3600 * 20, onsets, seed)
        edges = [DAY_NS, *cuts.tolist(), DAY_NS + 2 * HOUR_NS]
        pieces = [
            (begin, 20.0, samples[round((begin - DAY_NS) * 20 / NS) : round((end - DAY_NS) * 20 / NS) - 37])
            for begin, end in pairwise(edges)
            if end - begin > 5 * NS
        ]
        write_mseed(tmp_path / f"{letter}.mseed", ("XX", "AAA", "", f"HH{letter}"), pieces)
    days, _ = plan_days(list_archive([str(tmp_path)])[0])
    n_samples, whole = 2 * 3600 * 20, {}
    for piece_s in (600.0, 1800.0, 86400.0):
        picker = DayPicker(RickerNetwork(), PickSettings(piece_s=piece_s))
        curve = np.zeros((2, n_samples), dtype=np.float32)
        for owned, grid in picker.grids(days[0]):
            if owned[0] >= n_samples:
                break
            found = picker.curves(grid, grid.known.any(axis=0), owned, days[0].day)
            end = min(owned[1], n_samples)
            curve[:, owned[0] : end] = found.stacked[:, owned[0] - found.begin : end - found.begin]
        whole[piece_s] = curve
    np.testing.assert_allclose(whole[600.0], whole[86400.0], atol=1e-6)
    np.testing.assert_allclose(whole[1800.0], whole[86400.0], atol=1e-6)
    assert (whole[600.0] > 0.45).any(axis=1).all()
    assert (whole[600.0].sum(axis=0) <= 1).all()


def test_a_gap_is_bridged_within_a_window_and_leaves_no_step() -> None:
    samples = np.full((3, 400), 1000.0)
    known = np.ones((3, 400), dtype=bool)
    known[0, 100:150] = known[1, :30] = known[2, :] = False
    samples[~known] = 0.0
    windows = cut_windows(samples, known, [0, 120], 200, [2, 1, 0])
    assert windows.shape == (2, 3, 200)
    np.testing.assert_array_equal(windows, 0.0)


def test_amplitude_channels_and_residual_are_told(tmp_path: Path) -> None:
    onset = DAY_NS + 500 * NS
    write_sensor(tmp_path, [onset])
    pick = next(pick for pick in pick_folder(tmp_path).picks if pick.phase == "P")
    assert pick.channels == "HHZ HHN HHE"
    # From the trough after the peak to the peak of a wavelet of 2,000 counts.
    assert 1400 < pick.amplitude < 1550
    assert pick.amplitude_unit == "counts"
    assert (pick.window_residual_s, pick.windows) == (0.0, 2)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_probabilities_add_up_to_no_more_than_one(how: str) -> None:
    """Of windows that say P, and such that say S, of the same samples."""
    rng = np.random.default_rng(0)
    curves = [(start, rng.dirichlet([0.1, 0.1, 0.1], 100).T[:2].astype(np.float32)) for start in range(0, 500, 25)]
    stacked, seen = stack_curves(curves, 2, 0, 600, 10, how)
    assert stacked.sum(axis=0).max() <= 1
    assert how == "mean" or (stacked.sum(axis=0)[100:400] > 0.99).any()
    assert seen[100:400].min() >= 3
    assert not stacked[:, seen == 0].any()


def test_only_windows_with_samples_are_computed(tmp_path: Path) -> None:
    asked: list[int] = []

    class Counting(RickerNetwork):
        def curves(self, windows: torch.Tensor) -> torch.Tensor:
            asked.append(len(windows))
            return super().curves(windows)

    write_sensor(tmp_path, [DAY_NS + 100 * NS], hours=0.25)
    pick_folder(tmp_path, Counting())
    # Fifteen minutes in windows of 30 s that overlap by half, of a day.
    assert 60 <= sum(asked) <= 62


def test_an_sds_is_planned_by_its_names_and_reads_the_neighbouring_days(tmp_path: Path) -> None:
    onset = DAY_NS + 24 * HOUR_NS - round(0.1 * NS)
    for letter in "ZNE":
        codes = ("XX", "AAA", "00", f"HH{letter}")
        for day, begin in (("2020.061", DAY_NS + 23 * HOUR_NS), ("2020.062", DAY_NS + 24 * HOUR_NS)):
            samples = record(20.0, begin, 3600 * 20, [onset] if letter == "Z" else [])
            write_mseed(sds_path(tmp_path, codes, day), codes, [(begin, 20.0, samples)])
    days, losses = plan_days(list_archive([str(tmp_path)])[0])
    assert [one.name for one in days] == ["XX.AAA.00.HH.2020-03-01", "XX.AAA.00.HH.2020-03-02"]
    assert not losses
    picker = DayPicker(RickerNetwork(), PickSettings(thresholds={"P": 0.8, "S": 0.8}))
    found = [[pick.time_ns for pick in picker.pick(one).picks if pick.phase == "P"] for one in days]
    assert found == [[onset], []]


def test_span_times_are_those_of_its_samples() -> None:
    assert Span(-20, 40, 20.0, DAY_NS).times_ns == (DAY_NS - NS, DAY_NS + NS)
