"""Damaged inputs end in a reason or one clear error: none crashes, hangs, executes, climbs out or goes missing."""

from pathlib import Path

import numpy as np
import pytest
from damage import executed
from damaged_inputs import check_input, damaged_inputs, sound_files, sound_input

from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal

PARTS = 12
PER_PART = 36


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_inputs_end_in_a_reason(part: int, tmp_path: Path) -> None:
    for i, damaged in enumerate(damaged_inputs(PER_PART, seed=part)):
        try:
            check_input(damaged, tmp_path / str(i))
        except Exception as error:
            raise AssertionError(f"{damaged.name} ended in {error!r}") from error


@pytest.mark.parametrize("kind", ["mseed", "mseed_time", "sac", "picks", "xml", "set"])
def test_sound_inputs_are_taken(kind: str, tmp_path: Path) -> None:
    # Otherwise everything above could be refused for no reason.
    assert check_input(sound_input(kind), tmp_path) == "taken"


def test_what_obspy_would_unpickle_is_not_executed(tmp_path: Path) -> None:
    import obspy

    bomb = next(item for item in damaged_inputs(200, seed=0) if item.name.endswith("ev0.mseed-a_pickle"))
    file = tmp_path / "x.mseed"
    file.write_bytes(bomb.files["waveforms/ev0.mseed"])
    with pytest.raises(Refusal):
        read_segments(file)
    assert not executed
    # The danger is real: obspy itself runs it.
    with pytest.raises(Exception):  # noqa: B017
        obspy.read(str(file))
    assert executed
    executed.clear()


def test_a_file_cut_within_a_record_is_told(tmp_path: Path) -> None:
    content = sound_files()["waveforms/ev0.mseed"]
    file = tmp_path / "x.mseed"
    file.write_bytes(content)
    assert read_segments(file)
    file.write_bytes(content[: 512 * 7 + 300])
    with pytest.raises(Refusal, match=f"cut it to {512 * 7} bytes"):
        read_segments(file)


def test_records_of_several_lengths_are_whole(tmp_path: Path) -> None:
    import obspy

    file = tmp_path / "x.mseed"
    with file.open("wb") as out:
        for length in (4096, 512):
            obspy.Trace(np.arange(300, dtype=np.int32)).write(out, format="MSEED", reclen=length)
    assert sum(segment.n_samples for segment in read_segments(file)) >= 300


def test_an_endless_longitude_does_not_hang(tmp_path: Path) -> None:
    content = bytearray(sound_files()["sac/ev0.XX.AAA..HHZ.sac"])
    content[144:148] = np.float32(-1e38).tobytes()
    file = tmp_path / "x.sac"
    file.write_bytes(content)
    with pytest.raises(Refusal, match="EVLO"):
        read_segments(file)
