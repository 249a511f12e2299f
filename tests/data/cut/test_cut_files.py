"""Files cut anywhere, as an interrupted copy leaves them: refused, told, or nothing lost; never less without a word."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from damaged_inputs import sound_files
from test_archives_formats import write_asdf_by_hand
from test_readers_segy import file_header, one_trace

from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.picks import read_picks
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.errors import SeisvisionError

CUTS = 200
HYPODD = """# 2004  6 29  7  0  0.60 35.8000 -120.5000  5.00 1.20 0.00 0.00 0.10    101
AAA    1.200  1.000   P
BBB    2.300  0.500   P
BBB    4.100  0.500   S
# 2004  6 30  8  0  0.60 35.8000 -120.5000  5.00 1.20 0.00 0.00 0.10    102
AAA    1.500  1.000   P
"""
HYPO71 = """AAA IPU0 040629070001.20
BBB EP 1 040629070002.30       04.10ES 2
                 10
"""
OBSERVATIONS = """AAA    ?    ?    ? P      ? 20040629 0700   01.2000 GAU  2.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
BBB    ?    ?    ? S      ? 20040629 0700   04.1000 GAU  2.00e-02 -1.00e+00 -1.00e+00 -1.00e+00

"""

Read = Callable[[Path], tuple[Counter, list[Any]]]
"""What a file holds, and what is said of it."""


def events(path: Path) -> tuple[Counter, list[Any]]:
    catalogue = read_events(str(path))
    # Of a number with fewer digits nothing is lost but those.
    found = Counter((name, str(event)) for name, event in catalogue.events.items())
    return found, [*catalogue.notes, *catalogue.refused]


def picks(path: Path) -> tuple[Counter, list[Any]]:
    return Counter((pick.station, pick.phase, pick.time_ns) for pick in read_picks(str(path))), []


def stations(path: Path) -> tuple[Counter, list[Any]]:
    table = read_stations(str(path))
    channels = Counter((*key, str(epochs)) for key, epochs in table.epochs.items())
    return channels, [*table.notes, *table.problems.values()]


def segments(path: Path) -> tuple[Counter, list[Any]]:
    losses: list[Refusal] = []
    found = read_segments(path, losses=losses)
    samples = Counter((one.trace_id, None if one.flaw else one.n_samples, one.start_ns) for one in found)
    return samples, [*losses, *(one.flaw for one in found if one.flaw)]


def nordic(folder: Path) -> bytes:
    import obspy

    path = folder / "made.out"
    catalogue = obspy.read_events(io.BytesIO(sound_files()["events.xml"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        catalogue.write(str(path), format="NORDIC", userid="TEST", evtype="L", wavefiles=["a"] * len(catalogue))
    return path.read_bytes()


def asdf(folder: Path) -> bytes:
    for name, content in sound_files().items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return write_asdf_by_hand(folder / "x.h5", folder / "tree").read_bytes()


KINDS: dict[str, tuple[str, Read, Callable[[Path], bytes]]] = {
    "QuakeML": ("x.xml", events, lambda _: sound_files()["events.xml"]),
    "picks of QuakeML": ("x.xml", picks, lambda _: sound_files()["events.xml"]),
    "StationXML": ("x.xml", stations, lambda _: sound_files()["stations.xml"]),
    "HypoDD": ("x.pha", events, lambda _: HYPODD.encode()),
    "picks of HypoDD": ("x.pha", picks, lambda _: HYPODD.encode()),
    "NORDIC": ("x.out", events, nordic),
    "picks of NORDIC": ("x.out", picks, nordic),
    "table of events": ("x.csv", events, lambda _: sound_files()["events.csv"]),
    "table of stations": ("x.csv", stations, lambda _: sound_files()["stations.csv"]),
    "table of picks": ("x.csv", picks, lambda _: sound_files()["picks.csv"]),
    "miniSEED": ("x.mseed", segments, lambda _: sound_files()["waveforms/ev0.mseed"]),
    "SAC": ("x.sac", segments, lambda _: sound_files()["sac/ev0.XX.AAA..HHZ.sac"]),
    "SEG-Y": ("x.sgy", segments, lambda _: file_header() + one_trace() * 5),
    "ASDF": ("x.h5", segments, asdf),
}
"""Name of the file, what reads it, and what it holds."""


def at_an_end(name: str, content: bytes, cut: int) -> bool:
    """Whether what is left is a whole file of its kind: nothing in it tells that there was more."""
    if name == "miniSEED":
        return cut % 512 == 0
    if name == "SEG-Y":
        return (cut - 3600) % (len(one_trace())) == 0
    lines = content[:cut].endswith((b"\n", b"\r"))
    return lines and not name.endswith("NORDIC") and not content.startswith(b"<")


@pytest.fixture
def said() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("seisvision")
    log.addHandler(handler)
    yield found
    log.removeHandler(handler)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_cut_file_is_lost_without_a_word(kind: str, tmp_path: Path, said: list[str]) -> None:
    name, read, make = KINDS[kind]
    content = make(tmp_path)
    path = tmp_path / name
    path.write_bytes(content)
    whole, notes = read(path)
    assert whole and not said
    rng = np.random.default_rng(len(content))
    became: Counter[str] = Counter()
    for cut in np.unique(rng.integers(0, len(content), CUTS + CUTS // 10)).tolist():
        path.write_bytes(content[:cut])
        said.clear()
        try:
            found, told = read(path)
        except (SeisvisionError, Refusal) as error:
            assert len(str(error).splitlines()) == 1 and str(error), error
            became["refused"] += 1
            continue
        if found == whole or len(told) > len(notes) or said:
            became["told" if found != whole else "whole"] += 1
            continue
        assert at_an_end(kind, content, cut), f"cut to {cut} of {len(content)}: {whole - found} went without a word"
        became["at an end"] += 1
    assert became["refused"] + became["told"] > 20, became


def test_events_in_files_that_lack_their_end_are_told_with_the_line(tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "x.pha"
    path.write_text(HYPODD[: HYPODD.index("S\n") + 1])
    assert any("x.pha: line 4, the last, does not end" in note for note in read_events(str(path)).notes)
    assert read_picks(str(path)) and any("line 4, the last, does not end" in text for text in said)
    path.write_text(HYPODD)
    assert not read_events(str(path)).notes


@pytest.mark.parametrize(("name", "text"), [("x.pha", HYPO71), ("x.obs", OBSERVATIONS), ("x.arc", "H71\n" + HYPO71)])
@pytest.mark.parametrize("read", [events, picks])
def test_formats_that_are_not_read_are_refused_by_name(name: str, text: str, read: Read, tmp_path: Path) -> None:
    for cut in (len(text), *range(1, len(text), 7)):
        (tmp_path / name).write_text(text[:cut])
        with pytest.raises(SeisvisionError) as refused:
            read(tmp_path / name)
        assert name in str(refused.value) and "/tmp/obspy-" not in str(refused.value)
