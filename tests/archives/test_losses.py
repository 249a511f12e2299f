"""Everything of a bad day is in the table of losses, with its reason and its seconds, and the rest is picked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ricker_archives import DAY_NS, RickerNetwork, pick_folder, record, sds_path, times, write_mseed

from seisvision.archives.day_picking import DayResult
from seisvision.archives.losses import LossBook
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import plan_days
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.data.importing.tables.times import NS

RATE_HZ = 20.0
ONSETS_S = (100.0, 1000.0, 2000.0, 3500.0)
ONSETS = [DAY_NS + round(at * NS) for at in ONSETS_S]
HOUR = round(3600 * RATE_HZ)


def lost(result: DayResult, reason: str) -> float:
    """Seconds of a reason."""
    found = [loss for loss in result.losses if loss.reason == reason]
    assert found, (reason, [loss.reason for loss in result.losses])
    return sum(loss.seconds or 0.0 for loss in found)


def line(onsets: list[int] = ONSETS, seed: int = 0) -> np.ndarray:
    return record(RATE_HZ, DAY_NS, HOUR, onsets, seed)


def piece(samples: np.ndarray, begin_s: float, end_s: float) -> tuple[int, float, np.ndarray]:
    """The part of an hour between two times."""
    cut = samples[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)]
    return DAY_NS + round(begin_s * NS), RATE_HZ, cut


def channel(letter: str, station: str = "AAA") -> tuple[str, str, str, str]:
    return "XX", station, "", f"HH{letter}"


def test_thousands_of_gaps_are_listed_and_what_is_between_them_is_picked(tmp_path: Path) -> None:
    samples = line()
    edges = np.arange(0, 3601, 6.0)
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(samples, at, at + 5.5) for at in edges[:-1]])
    result = pick_folder(tmp_path)
    gaps = [loss for loss in result.losses if loss.reason == "gap"]
    assert len(gaps) == 599
    assert sum(loss.seconds for loss in gaps) == pytest.approx(599 * 0.5)
    assert times(result, "P") == times(pick_folder(_whole(tmp_path / "whole")), "P")
    assert result.picked_s == pytest.approx(600 * 5.5)


def _whole(folder: Path) -> Path:
    write_mseed(folder / "Z.mseed", channel("Z"), [piece(line(), 0, 3600)])
    return folder


def test_a_piece_too_short_to_tell_an_onset_is_told(tmp_path: Path) -> None:
    samples = line()
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(samples, 0, 990), piece(samples, 999.5, 1000.5)])
    result = pick_folder(tmp_path)
    # Nothing comes after it, so that it ends the day's recording but is short all the same.
    assert lost(result, "short_piece") == pytest.approx(1.0)
    assert len(times(result, "P")) == 1


def test_a_dead_channel_is_told_and_the_others_are_picked(tmp_path: Path) -> None:
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(line(), 0, 3600)])
    write_mseed(tmp_path / "E.mseed", channel("E"), [piece(np.full(HOUR, 17, np.int32), 0, 3600)])
    result = pick_folder(tmp_path)
    assert lost(result, "dead_channel") == pytest.approx(3600)
    assert {loss.channels for loss in result.losses if loss.reason == "dead_channel"} == {"HHE"}
    assert {loss.channels for loss in result.losses if loss.reason == "missing_component"} == {"HHN", "HHE"}
    assert len(times(result, "P")) == 4


def test_two_rates_are_told_and_both_are_used(tmp_path: Path) -> None:
    late = record(50.0, DAY_NS + 1800 * NS, 1800 * 50, ONSETS)
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(line(), 0, 1800), (DAY_NS + 1800 * NS, 50.0, late)])
    result = pick_folder(tmp_path)
    assert [loss.detail for loss in result.losses if loss.reason == "two_rates"] == ["HHZ 20, 50 Hz"]
    assert len(times(result, "P")) == 4


def test_overlaps_that_agree_are_one_and_those_that_do_not_are_not_believed(tmp_path: Path) -> None:
    samples = line()
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(samples, 0, 1500), piece(samples, 900, 3600)])
    result = pick_folder(tmp_path)
    assert "overlap_differs" not in {loss.reason for loss in result.losses}
    assert len(times(result, "P")) == 4
    other = line(seed=5)
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(samples, 0, 1500), piece(other, 900, 3600)])
    result = pick_folder(tmp_path)
    assert lost(result, "overlap_differs") == pytest.approx(600, abs=1)
    assert len(times(result, "P")) == 3


def test_a_truncated_file_is_told_and_what_is_left_of_it_is_picked(tmp_path: Path) -> None:
    path = write_mseed(tmp_path / "a name with blanks.mseed", channel("Z"), [piece(line(), 0, 3600)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3 // 512 * 512 + 200])
    result = pick_folder(tmp_path)
    told = [loss for loss in result.losses if loss.reason == "truncated"]
    assert [loss.file for loss in told] == ["a name with blanks.mseed"]
    assert lost(result, "no_recording") > 82800 + 600
    assert 2 <= len(times(result, "P")) < 4


def test_files_that_cannot_be_read_are_told_without_stopping_the_rest(tmp_path: Path) -> None:
    _whole(tmp_path)
    (tmp_path / "broken.mseed").write_bytes(b"000001D " + b"\x01" * 300)
    (tmp_path / "empty.mseed").write_bytes(b"")
    (tmp_path / "text.dat").write_text("no recording")
    extents, losses = list_archive([str(tmp_path)])
    assert len(extents) == 1
    assert {loss.file: loss.reason for loss in losses}.keys() == {"broken.mseed", "empty.mseed", "text.dat"}
    assert all(loss.detail for loss in losses)


def test_a_damaged_file_of_an_sds_is_told_when_its_day_is_picked(tmp_path: Path) -> None:
    codes = ("XX", "AAA", "", "HHZ")
    path = write_mseed(sds_path(tmp_path, codes), codes, [piece(line(), 0, 3600)])
    content = bytearray(path.read_bytes())
    content[512 * 20 : 512 * 21] = b"\x07" * 512
    path.write_bytes(content)
    result = pick_folder(tmp_path)
    assert [loss.file for loss in result.losses if loss.reason == "damaged_block"] == [str(path.relative_to(tmp_path))]
    assert len(times(result, "P")) >= 3


def test_a_file_of_an_sds_that_holds_another_channel_is_told(tmp_path: Path) -> None:
    path = sds_path(tmp_path, ("XX", "AAA", "", "HHZ"))
    write_mseed(path, ("XX", "BBB", "", "HHZ"), [piece(line(), 0, 3600)])
    result = pick_folder(tmp_path)
    assert [loss.reason for loss in result.losses if loss.file] == ["other_channels"]
    assert "XX.BBB..HHZ" in next(loss.detail for loss in result.losses if loss.file)


def test_samples_that_stand_for_a_gap_are_told(tmp_path: Path) -> None:
    samples = line()
    samples[40000:41000] = -12345
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(samples, 0, 3600)])
    assert lost(pick_folder(tmp_path), "filler") == pytest.approx(50.0)


def test_a_channel_too_slow_for_the_network_is_told(tmp_path: Path) -> None:
    write_mseed(tmp_path / "Z.mseed", channel("Z"), [piece(line(), 0, 3600)])
    slow = np.arange(3600, dtype=np.int32)
    write_mseed(tmp_path / "E.mseed", channel("E"), [(DAY_NS, 1.0, slow)])
    assert lost(pick_folder(tmp_path), "slow_rate") == pytest.approx(3600, abs=1)


def test_channels_1_and_2_are_turned_where_their_angles_are_known(tmp_path: Path) -> None:
    """S on east alone, recorded by horizontals that point to 30 and 120 degrees."""
    east, north = line(seed=1) - 500.0, record(RATE_HZ, DAY_NS, HOUR, [], 2) - 500.0
    angle = np.radians(30.0)
    one, two = np.cos(angle) * north + np.sin(angle) * east, -np.sin(angle) * north + np.cos(angle) * east
    for letter, samples in (("1", one), ("2", two), ("Z", record(RATE_HZ, DAY_NS, HOUR, [], 3))):
        write_mseed(tmp_path / f"{letter}.mseed", channel(letter), [piece(np.rint(samples).astype(np.int32), 0, 3600)])
    table = ChannelTable()
    for letter, azimuth_deg, dip_deg in (("1", 30.0, 0.0), ("2", 120.0, 0.0), ("Z", 0.0, -90.0)):
        span = (DAY_NS - NS, DAY_NS + 10**15)
        table.add("XX", "AAA", "", f"HH{letter}", span, azimuth_deg=azimuth_deg, dip_deg=dip_deg)
    turned = pick_folder(tmp_path, table=table)
    assert len(times(turned, "S")) == 4
    assert "not_turned" not in {loss.reason for loss in turned.losses}
    plain = pick_folder(tmp_path)
    assert [loss.channels for loss in plain.losses if loss.reason == "not_turned"] == ["HH1", "HH2"]
    turned_heights = [pick.amplitude for pick in turned.picks if pick.phase == "S"]
    plain_heights = [pick.amplitude for pick in plain.picks if pick.phase == "S"]
    assert min(turned_heights) > 1.1 * max(plain_heights)


def test_one_sensor_of_a_station_is_picked_and_the_others_are_told(tmp_path: Path) -> None:
    for band, letters in (("HH", "Z"), ("BH", "ZNE"), ("LO", "G")):
        for letter in letters:
            codes = ("XX", "AAA", "", band + letter)
            write_mseed(tmp_path / f"{band}{letter}.mseed", codes, [piece(line(), 0, 3600)])
    extents, _ = list_archive([str(tmp_path)])
    days, losses = plan_days(extents)
    assert [(one.band, one.letters) for one in days] == [("BH", "ZNE")]
    assert {loss.channels: loss.reason for loss in losses} == {"HHZ": "other_sensor", "LOG": "not_used"}
    both, losses = plan_days(extents, all_sensors=True)
    assert [one.band for one in both] == ["BH", "HH"]
    only, losses = plan_days(extents, bands=["HH"])
    assert [one.band for one in only] == ["HH"]
    assert {loss.channels for loss in losses} == {"BHZ", "BHN", "BHE", "LOG"}


def test_a_loss_that_goes_on_in_the_next_piece_is_one_line() -> None:
    book = LossBook(("XX", "AAA", ""), DAY_NS, RATE_HZ)
    for letter in "ZN":
        book.add(f"HH{letter}", "gap", [(100, 200)])
        book.add(f"HH{letter}", "gap", [(200, 240), (300, 310)])
    losses = book.losses()
    assert [(loss.channels, loss.seconds) for loss in losses] == [("HHN HHZ", 7.0), ("HHN HHZ", 0.5)]


def test_other_kinds_of_files_are_read(tmp_path: Path) -> None:
    import obspy

    header = {"network": "XX", "station": "AAA", "channel": "HHZ", "sampling_rate": RATE_HZ}
    trace = obspy.Trace(line().astype(np.float32), {**header, "starttime": obspy.UTCDateTime(ns=DAY_NS)})
    trace.write(str(tmp_path / "one.sac"), format="SAC")
    assert len(times(pick_folder(tmp_path, RickerNetwork()), "P")) == 4
