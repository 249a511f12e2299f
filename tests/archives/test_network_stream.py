"""Day files of a network become windows about triggers, with gaps, late stations and sensitivities as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy
import pytest

from seisvision.archives.network_reading import NetworkArchive
from seisvision.archives.streaming import Heard, declared_events, network_triggers_ns
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import DataError
from seisvision.evaluation.warning.one_source import TriedPlaces
from seisvision.evaluation.warning.replay import replayed
from seisvision.evaluation.warning.said import Truth
from seisvision.experiments.waveforms.early_warning import NetworkEstimator

RATE_HZ = 20.0
BEGIN = obspy.UTCDateTime(2020, 5, 1, 23, 58, 0)
MINUTES = 4
ONSET_S = 150.0
NAMES = tuple(f"XX.N{number}" for number in range(5))
EAST_KM = np.arange(5) * 6.0
TIMES = TravelTimes.constant(6.0, 3.5)
ALL_HEARD = Heard(np.zeros(1, np.int64), np.ones((1, 5), bool))
PLACES = TriedPlaces.about(np.zeros(5), EAST_KM / 111.19, TIMES)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Day files across midnight: one station begins late, one has a gap, one is not of the network."""
    folder = tmp_path_factory.mktemp("days")
    rng = np.random.default_rng(4)
    n = round(MINUTES * 60 * RATE_HZ)
    midnight = obspy.UTCDateTime(2020, 5, 2)
    for number, code in enumerate(["N0", "N1", "N2", "N3", "N4", "OTHER"]):
        samples = rng.normal(5000, 10, (3, n))
        onset = round((ONSET_S + number) * RATE_HZ)
        samples[:, onset : onset + 200] += rng.normal(0, 800, (3, 200))
        for letter, row in zip("ZNE", samples, strict=True):
            header = {"network": "XX", "station": code, "channel": f"HH{letter}", "sampling_rate": RATE_HZ}
            whole = obspy.Trace(row.astype(np.int32), header | {"starttime": BEGIN})
            parts = obspy.Stream([whole])
            if code == "N1":
                parts = obspy.Stream([whole.slice(BEGIN + 100)])
            if code == "N2":
                parts = obspy.Stream([whole.slice(BEGIN, BEGIN + 60), whole.slice(BEGIN + 80)])
            for day, part in (("122", parts.slice(BEGIN, midnight - 1 / RATE_HZ)), ("123", parts.slice(midnight))):
                if len(part):
                    part.write(str(folder / f"XX.{code}..HH{letter}.2020.{day}"), format="MSEED", reclen=512)
    return folder


def test_day_files_are_one_recording_with_gaps_and_late_stations(archive: Path) -> None:
    read = NetworkArchive([str(archive)], NAMES, RATE_HZ, ChannelTable())
    n = round(MINUTES * 60 * RATE_HZ)
    samples, known = read.read(BEGIN._ns, n)
    assert known[[0, 3, 4]].all() and samples[known].mean() == pytest.approx(5000, abs=5)
    assert not known[1, :, : round(100 * RATE_HZ) - 1].any() and known[1, :, round(100 * RATE_HZ) :].all()
    in_gap = slice(round(61 * RATE_HZ), round(79 * RATE_HZ))
    assert not known[2, :, in_gap].any() and not samples[2, :, in_gap].any()
    assert read.delay_s == 0.0
    part, _ = read.read(BEGIN._ns + round(110e9), 400)
    assert np.array_equal(part, samples[:, :, 2200:2600])


def test_gaps_and_late_beginnings_trigger_nothing_and_an_onset_declares_one_event(archive: Path) -> None:
    read = NetworkArchive([str(archive)], NAMES, RATE_HZ, ChannelTable())
    triggers_ns, heard = network_triggers_ns(read)
    assert heard.is_heard.tolist() == [[True] * 5]
    after_s = [(one - BEGIN._ns) / 1e9 - ONSET_S for one in triggers_ns]
    assert [len(one) for one in after_s] == [1] * 5
    assert np.concatenate(after_s) == pytest.approx(np.arange(5), abs=0.4)
    (event,) = declared_events(triggers_ns, PLACES, 20.0, heard)
    assert event.first_ns == triggers_ns[0][0] and event.told_ns == triggers_ns[3][0]
    assert not list(declared_events([*triggers_ns[:3], np.array([]), np.array([])], PLACES, 20.0, heard))


def test_an_archive_of_other_stations_is_refused(archive: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 1 stations.*XX\.N0"):
        NetworkArchive([str(archive)], ["ZZ.NONE"], RATE_HZ, ChannelTable())


def test_a_quiet_archive_is_replayed_in_silence() -> None:
    nothing = np.zeros(0)
    truth = Truth([], nothing, nothing, nothing, nothing, 30.0, np.zeros(0, bool))
    assert not list(replayed([NetworkEstimator("net", None, list)], truth, [], 1.0))


def test_no_event_is_declared_later_than_anybody_could_be_asked() -> None:
    triggers_ns = [np.array([number * 10**9]) for number in range(5)]
    assert list(declared_events(triggers_ns, PLACES, 20.0, ALL_HEARD))
    assert not list(declared_events(triggers_ns, PLACES, 2.0, ALL_HEARD))


SQUARE_KM = np.stack(np.meshgrid(np.linspace(-30, 30, 5), np.linspace(-30, 30, 5)), -1).reshape(-1, 2)
SQUARE_PLACES = TriedPlaces.about(SQUARE_KM[:, 1] / 111.19, SQUARE_KM[:, 0] / 111.19, TIMES)
SQUARE_HEARD = Heard(np.zeros(1, np.int64), np.ones((1, 25), bool))


def _square_triggers_ns(place_km: np.ndarray) -> np.ndarray:
    return np.round((100 + np.hypot(np.linalg.norm(SQUARE_KM - place_km, axis=1), 8.0) / 6.0) * 1e9).astype(np.int64)


def test_a_stray_trigger_before_an_event_does_not_begin_its_window() -> None:
    rng = np.random.default_rng(0)
    early = 0
    for _ in range(20):
        triggers_ns = _square_triggers_ns(rng.uniform(-25, 25, 2))
        strays = [[]] * 25
        strays[rng.integers(25)] = [triggers_ns.min() - round(rng.uniform(2, 12) * 1e9)]
        told = [np.array([*stray, at]) for stray, at in zip(strays, triggers_ns, strict=True)]
        (event,) = declared_events(told, SQUARE_PLACES, 25.0, SQUARE_HEARD)
        early += event.first_ns < triggers_ns.min()
        assert event.told_ns <= np.sort(triggers_ns)[7]
    # By the time between triggers alone all 20 would be early; three true ones may fit a stray one by chance.
    assert early <= 3


def test_triggers_of_no_common_source_declare_nothing_and_absent_stations_hold_nothing_up() -> None:
    rng = np.random.default_rng(1)
    far = [np.array([round(at * 1e9)]) for at in rng.permutation(25) * 2.5]
    assert not list(declared_events(far, SQUARE_PLACES, 25.0, SQUARE_HEARD))
    triggers_ns = _square_triggers_ns(np.array([5.0, 3.0]))
    recorded = rng.random(25) < 0.4
    told = [np.array([at] if there else []) for at, there in zip(triggers_ns, recorded, strict=True)]
    silent = Heard(np.zeros(1, np.int64), recorded[None])
    assert list(declared_events(told, SQUARE_PLACES, 25.0, silent))
