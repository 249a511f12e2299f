"""Damaged recordings, catalogues, tables and waveform sets, made from a seed, and what must hold for each.

python tests/data/damaged_inputs.py --inputs 2000 --seed 7     a longer search than the tests make
"""

from __future__ import annotations

import argparse
import io
import pickle
import signal
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import recorded_trees
from obspy import Catalog, Stream, UTCDateTime
from obspy.core.event import Event, Magnitude, Origin, Pick, ResourceIdentifier, WaveformStreamID
from obspy.core.inventory import Channel, Inventory, Network, Site, Station

from seisvision.data.audit.audit import audit_set
from seisvision.data.importing.importer import NothingLeftError, run_import
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import SeisvisionError

Files = dict[str, bytes]
"""Content by path below the folder of the input."""
Damage = Callable[[bytes, np.random.Generator], bytes]
STATIONS = ("AAA", "BBB")
EVENTS = ("ev0", "ev1")
TIME_LIMIT_S = 20
NASTY_TEXTS = (
    "../../climbed", "/tmp/climbed", "..\\..\\climbed", "", " ", "\x00", "nan", "1e999", "-1e308", "ev0", "a" * 70_000,
    "é",
    "=1+1", '"', "'; DROP TABLE", "${root}", "{event_id}", "9999-12-31T23:59:59Z", "0001-01-01", "2020-13-45",
    "91", "-181",
    "1677-01-01T00:00:00Z", "2262-12-31T00:00:00Z", "inf", "\n", ",,,,", "\ufeff", "\u202e",
)  # fmt: skip
NASTY_FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e38, -1e38, 1e-38, 12345.0, -12345.0, 1e6, 1e-6)
NASTY_INTS = (0, -1, 1, 2**31 - 1, -(2**31), 9999, 100_000_000, -12345)


class TooSlow(BaseException):
    """An input took longer than the limit; no error, so that it passes through every ``except Exception``."""


@dataclass(frozen=True)
class Input:
    """One damaged input: its files and how these are used."""

    name: str
    kind: str
    files: Files


def _trace(event: int, station: str, channel: str) -> Any:
    return recorded_trees.trace(event, station, channel, rate=20.0, length_s=75.0)


@cache
def sound_files() -> Files:
    """An undamaged tree: two events, two stations, three components, every format."""
    files: Files = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i, event in enumerate(EVENTS):
            stream = Stream([_trace(i, station, f"HH{c}") for station in STATIONS for c in "ZNE"])
            stream.write(str(folder / f"{event}.mseed"), format="MSEED", reclen=512)
            files[f"waveforms/{event}.mseed"] = (folder / f"{event}.mseed").read_bytes()
            for trace in stream:
                files[f"sac/{event}.{trace.id}.sac"] = _sac(trace, event)
        recorded_trees.write_events(folder / "events.csv", list(EVENTS))
        recorded_trees.write_stations(folder / "stations.csv", list(STATIONS))
        for table in ("events.csv", "stations.csv"):
            files[table] = (folder / table).read_bytes()
    rows = [
        f"{event},{station},P,{recorded_trees.origin(i) + 6}" for i, event in enumerate(EVENTS) for station in STATIONS
    ]
    files["picks.csv"] = "\n".join(["event_id,station,phase,time", *rows, ""]).encode()
    files["events.xml"], files["stations.xml"] = _quakeml(), _stationxml()
    return files | _set_files(files)


def _sac(trace: Any, event: str) -> bytes:
    trace = trace.copy()
    trace.stats.sac = {
        "kevnm": event, "evla": 46.0, "evlo": -122.0, "evdp": 5.0, "stla": 46.1, "stlo": -121.0, "b": 0.0, "o": 40.0,
    }  # fmt: skip
    content = io.BytesIO()
    trace.write(content, format="SAC")
    return content.getvalue()


def _quakeml() -> bytes:
    events = []
    for i, name in enumerate(EVENTS):
        origin = Origin(time=recorded_trees.origin(i), latitude=46.0, longitude=-122.0, depth=5000.0)
        picks = [
            Pick(time=origin.time + 6, phase_hint="P", waveform_id=WaveformStreamID("XX", station))
            for station in STATIONS
        ]
        resource = ResourceIdentifier(f"smi:local/event/{name}")
        events.append(
            Event(
                resource_id=resource,
                event_type="earthquake",
                origins=[origin],
                magnitudes=[Magnitude(mag=1.5)],
                picks=picks,
            )
        )
    content = io.BytesIO()
    Catalog(events).write(content, format="QUAKEML")
    return content.getvalue()


def _stationxml() -> bytes:
    stations = []
    for i, code in enumerate(STATIONS):
        place = {"latitude": 46.0, "longitude": -121.9 + 0.1 * i, "elevation": 100.0}
        channels = [
            Channel(f"HH{c}", "", depth=0.0, azimuth=azimuth, dip=dip, sample_rate=20.0, **place)
            for c, azimuth, dip in (("Z", 0.0, -90.0), ("N", 0.0, 0.0), ("E", 90.0, 0.0))
        ]
        stations.append(
            Station(code, channels=channels, site=Site("site"), creation_date=UTCDateTime(2000, 1, 1), **place)
        )
    content = io.BytesIO()
    Inventory([Network("XX", stations=stations)], source="test").write(content, format="STATIONXML")
    return content.getvalue()


def _set_files(files: Files) -> Files:
    """The waveform set that the tree makes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, files)
        run_import(recorded_trees.recipe(folder, processing={"components": "Z"}), folder / "set")
        return {f"set/{path.name}": path.read_bytes() for path in (folder / "set").iterdir()}


def write_files(folder: Path, files: Files) -> None:
    """Write the content below ``folder``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut anywhere."""
    return content[: int(rng.integers(0, max(len(content), 1)))]


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Turn one to twenty bits over."""
    damaged = bytearray(content)
    for at in rng.integers(0, len(damaged), int(rng.integers(1, 21))):
        damaged[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(damaged)


def overwrite(content: bytes, rng: np.random.Generator) -> bytes:
    """Write noise, zeros or ones over a stretch."""
    damaged = bytearray(content)
    at, length = int(rng.integers(0, len(damaged))), int(rng.integers(1, 200))
    piece = [rng.bytes(length), b"\x00" * length, b"\xff" * length][int(rng.integers(0, 3))]
    damaged[at : at + length] = piece[: len(damaged) - at]
    return bytes(damaged)


def replace_all(content: bytes, rng: np.random.Generator) -> bytes:
    """Something else altogether."""
    others = (
        b"",
        b"\x00" * 5000,
        rng.bytes(3000),
        b"<html>404</html>",
        b"\x89HDF\r\n\x1a\n",
        content * 2,
        content[::-1],
    )
    return others[int(rng.integers(0, len(others)))]


def drop_and_repeat(content: bytes, rng: np.random.Generator) -> bytes:
    """Lose a stretch, or have it twice."""
    first, last = sorted(int(at) for at in rng.integers(0, len(content), 2))
    return content[:first] + content[last:] if rng.random() < 0.5 else content[:last] + content[first:]


def record_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one field of a miniSEED record: count, rate, time, offset, encoding, record length."""
    damaged = bytearray(content)
    start = 512 * int(rng.integers(0, len(damaged) // 512))
    at, width = ((30, 2), (32, 2), (34, 2), (20, 2), (22, 2), (44, 2), (46, 2), (52, 1), (54, 1), (8, 12))[
        int(rng.integers(0, 10))
    ]
    values = (b"\xff" * width, b"\x00" * width, rng.bytes(width), b"../../../../../.."[:width])
    damaged[start + at : start + at + width] = values[int(rng.integers(0, len(values)))]
    return bytes(damaged)


def sac_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one number or text of a SAC header."""
    damaged = bytearray(content)
    if rng.random() < 0.5:
        number = struct.pack("<f", NASTY_FLOATS[int(rng.integers(0, len(NASTY_FLOATS)))])
        at = 4 * int(rng.choice([0, 1, 2, 5, 6, 7, 31, 32, 33, 35, 36, 38, 39, 51, 52, 53, 57, 58]))
    elif rng.random() < 0.7:
        number = struct.pack("<i", NASTY_INTS[int(rng.integers(0, len(NASTY_INTS)))])
        at = 4 * int(rng.integers(70, 110))
    else:
        number = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))].encode()[:8].ljust(8)
        at = 440 + 8 * int(rng.integers(0, 24))
    damaged[at : at + len(number)] = number
    return bytes(damaged)


def cells(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one or more cells of a table, or in its header."""
    lines = [line.split(",") for line in content.decode("latin-1").splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        line = lines[int(rng.integers(0, len(lines)))]
        line[int(rng.integers(0, len(line)))] = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))]
    return "\n".join(",".join(line) for line in lines).encode()


def reshape_table(content: bytes, rng: np.random.Generator) -> bytes:
    """Rows twice, too long or too short, columns gone, other encodings."""
    lines = content.splitlines()
    row = lines[-1]
    others = (
        [*lines, row], [*lines, row + b",1,2,3"], [*lines[:-1], row.rpartition(b",")[0]], lines[:1], lines[1:],
        [line.partition(b",")[2] for line in lines], [line + b",9" for line in lines[1:]], [lines[0], *lines],
        [lines[0], *(line + b",9" for line in lines[1:])],
    )  # fmt: skip
    text = b"\n".join(others[int(rng.integers(0, len(others)))])
    encoding = ("latin-1", "latin-1", "latin-1", "utf-16", "utf-32", "utf-8-sig")[int(rng.integers(0, 6))]
    return text.decode("latin-1").encode(encoding)


def xml_values(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense between two tags or in an attribute."""
    opening, closing = ((b">", b"<"), (b'="', b'"'))[int(rng.integers(0, 2))]
    pieces = content.split(opening)
    at = int(rng.integers(1, len(pieces)))
    text = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))].encode()
    pieces[at] = text + closing + pieces[at].partition(closing)[2]
    return opening.join(pieces)


def xml_entities(content: bytes, rng: np.random.Generator) -> bytes:
    """Entities: of another file, of the network, or that grow without end."""
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    declared = (
        '<!ENTITY a11 SYSTEM "file:///etc/passwd">', '<!ENTITY a11 SYSTEM "http://127.0.0.1:9/x">',
        f'<!ENTITY a0 "ha">{laughs}', '<!ENTITY a11 "&a11;">', '<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;',
    )[int(rng.integers(0, 5))]  # fmt: skip
    head, _, body = content.partition(b"?>")
    pieces = body.split(b">")
    at = int(rng.integers(1, len(pieces) - 1))
    pieces[at] = b"&a11;" + pieces[at]
    return head + b"?><!DOCTYPE x [" + declared.encode() + b"]>" + b">".join(pieces)


def card_text(content: bytes, rng: np.random.Generator) -> bytes:
    """A card that is no card, or whose fingerprint climbs out."""
    others = (
        b"[]",
        b"null",
        b"{",
        b'{"fingerprint": "a/../../../climbed"}',
        b'{"fingerprint": 5, "files": []}',
        b"\xff\xfe",
    )
    return others[int(rng.integers(0, len(others)))]


class _Executes:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (_leave_trace, ("obspy.core.stream",))


def _leave_trace(_: str) -> None:
    executed.append(True)


executed: list[bool] = []
"""Filled by the pickle among the inputs, if it is ever loaded."""


def a_pickle(_: bytes, rng: np.random.Generator) -> bytes:
    """What obspy takes for a pickled stream, and would execute."""
    return pickle.dumps(_Executes(), protocol=int(rng.integers(0, 5)))


def hdf5_content(content: bytes, rng: np.random.Generator) -> bytes:
    """A readable HDF5 file whose content is not that of a set."""
    stored = io.BytesIO(content)
    with h5py.File(stored, "a") as file:
        bucket = next(iter(file["data"]))
        samples = file["data"][bucket][()]
        choice = int(rng.integers(0, 9))
        if choice == 0:
            del file["data"]
            file["data"] = samples
        elif choice == 1:
            del file["data_format"]
            file["data_format"] = 1.0
        elif choice == 2:
            file["data_format"]["dimension_order_"] = "x"
            del file["data_format"]["dimension_order"]
            file["data_format"]["dimension_order"] = b"\xff\xfe"
        elif choice == 3:
            del file["data_format"]["sampling_rate"]
            file["data_format"]["sampling_rate"] = "fast"
        else:
            del file["data"][bucket]
            replacements = (
                samples[:, :, :10], samples[:1], samples[0, 0], np.full(samples.shape, np.nan), np.array([b"text"])
            )  # fmt: skip
            file["data"][bucket] = replacements[choice - 4]
    return stored.getvalue()


def trace_names(content: bytes, rng: np.random.Generator) -> bytes:
    """Addresses of samples that are not there."""
    others = (
        b"bucket0$999,:1,:1500", b"../../data$0,:1,:9", b"bucket0$0,:99,:9999999999", b"/etc/passwd",
        b"bucket0$-1,:1,:5", b"bucket0$99999999999999999999999,:1,:5", b"bucket0", b"$", b"..$0,:1,:5",
        b"bucket0$0,:0,:0",
    )  # fmt: skip
    name = others[int(rng.integers(0, len(others)))]
    head, _, tail = content.partition(b"bucket0$0,:1,:1500")
    return head + name + tail


ANY: tuple[Damage, ...] = (truncate, flip, overwrite, replace_all, drop_and_repeat)
TABLE: tuple[Damage, ...] = (*ANY, cells, cells, reshape_table)
XML: tuple[Damage, ...] = (*ANY, xml_values, xml_values, xml_entities)
TARGETS: tuple[tuple[str, str, tuple[Damage, ...]], ...] = (
    ("mseed", "waveforms/ev0.mseed", (*ANY, record_header, record_header, a_pickle)),
    ("mseed_time", "waveforms/ev1.mseed", (*ANY, record_header, record_header, a_pickle)),
    ("sac", "sac/ev0.XX.AAA..HHZ.sac", (*ANY, sac_header, sac_header, sac_header, a_pickle)),
    ("mseed", "events.csv", TABLE),
    ("mseed_time", "events.csv", TABLE),
    ("mseed", "stations.csv", TABLE),
    ("picks", "picks.csv", TABLE),
    ("xml", "events.xml", XML),
    ("xml", "stations.xml", XML),
    ("set", "set/waveforms.hdf5", (*ANY, hdf5_content)),
    ("set", "set/metadata.csv", (*TABLE, trace_names)),
    ("set", "set/card.json", (*ANY, card_text)),
)
"""How the input is used, the file that is damaged, and how it may be damaged."""
NEEDED = {
    "mseed": ("waveforms/", "events.csv", "stations.csv"),
    "mseed_time": ("waveforms/", "events.csv", "stations.csv"),
    "sac": ("sac/",),
    "picks": ("waveforms/", "events.csv", "stations.csv", "picks.csv"),
    "xml": ("waveforms/", "events.xml", "stations.xml"),
    "set": ("set/",),
}
SOURCES: dict[str, dict[str, Any]] = {
    "mseed": {},
    "mseed_time": {"association": {"by": "time", "before_s": 30, "after_s": 30}},
    "sac": {"waveforms": "{}/sac", "events": "sac", "stations": "sac", "association": {"by": "sac"}},
    "picks": {"picks": "{}/picks.csv"},
    "xml": {"events": "{}/events.xml", "stations": "{}/stations.xml", "picks": "events"},
}


def sound_input(kind: str) -> Input:
    """What the damaged inputs of that kind were before."""
    files = {path: content for path, content in sound_files().items() if path.startswith(NEEDED[kind])}
    return Input("sound", kind, files)


def damaged_inputs(number: int, seed: int) -> Iterator[Input]:
    """Yield ``number`` inputs, the same for the same seed."""
    for i in range(number):
        rng = np.random.default_rng([seed, i])
        kind, name, damages = TARGETS[i % len(TARGETS)]
        damage = damages[(i // len(TARGETS)) % len(damages)]
        files = sound_input(kind).files
        files[name] = damage(files[name], rng)
        yield Input(f"{seed}-{i}-{name}-{damage.__name__}", kind, files)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the main thread."""

    def stop(*_: Any) -> None:
        raise TooSlow(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_input(damaged: Input, folder: Path) -> str:
    """Use one input as a person would, and return what became of it: ``refused`` or ``taken``.

    Raises:
        AssertionError: something was executed, written elsewhere, or went missing without a reason.
        Exception: whatever crashed; a clear refusal does not.
    """
    room = folder / "room" / "inner"
    write_files(room / "in", damaged.files)
    use = _use_set if damaged.kind == "set" else _use_tree
    before = _listing(folder)
    try:
        with time_limit(TIME_LIMIT_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use(damaged, room)
        verdict = "taken"
    except SeisvisionError as error:
        assert str(error).strip()
        verdict = "refused"
    assert not executed, "code in the input was executed"
    written = [path for path in _listing(folder) - before if not path.startswith("room/inner/out")]
    assert not written, f"written outside the output folder: {written}"
    assert not list(room.glob("**/*partial*")), "an unfinished file was left behind"
    return verdict


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _use_tree(damaged: Input, room: Path) -> None:
    source = {
        key: value.format(room / "in") if isinstance(value, str) and "/" in value else value
        for key, value in SOURCES[damaged.kind].items()
    }
    recipe = recorded_trees.recipe(room / "in", source, processing={"rate_hz": 20.0, "band_hz": [1, 8]})
    out = room / "out"
    try:
        report = run_import(recipe, out)
    except NothingLeftError as error:
        _check_counts(error.report, pd.read_csv(error.rejections, keep_default_na=False), n_files=_n_files(damaged))
        raise
    _check_counts(report, pd.read_csv(out / "rejected.csv", keep_default_na=False), n_files=_n_files(damaged))
    made = WaveformSet(out)
    assert len(made) == report.n_events
    assert len(made.metadata) == report.n_traces.total()
    for source_id in made.source_ids:
        assert all(np.isfinite(waveform).all() for waveform in made.read_event(source_id).waveforms)


def _n_files(damaged: Input) -> int:
    return sum(name.startswith(("waveforms/", "sac/")) for name in damaged.files)


def _check_counts(report: Any, listed: pd.DataFrame, n_files: int) -> None:
    """Whatever came in is in the set or has a line with a reason."""
    assert (listed["reason"].str.len() > 0).all()
    assert len(listed) == len(report.rejections)
    kinds = [rejection.kind for rejection in report.rejections]
    assert report.n_files.total() == n_files
    assert report.n_recordings.total() == report.n_components.total() + kinds.count("recording")
    assert report.n_catalogue.total() == report.n_events + kinds.count("event")


def _use_set(damaged: Input, room: Path) -> None:
    waveform_set = WaveformSet(room / "in" / "set")
    assert len(Path(waveform_set.fingerprint).parts) == 1
    for source_id in waveform_set.source_ids:
        read = waveform_set.read_event(source_id)
        assert len(read.waveforms) == len(waveform_set.rows(source_id))
        assert all(np.isfinite(waveform).all() for waveform in read.waveforms)
    assert audit_set(waveform_set).findings is not None


def main() -> None:
    """Go through many inputs and print what crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    verdicts: dict[str, int] = {}
    for damaged in damaged_inputs(args.inputs, args.seed):
        with tempfile.TemporaryDirectory() as folder:
            print(damaged.name, end="\r", flush=True)
            try:
                verdict = check_input(damaged, Path(folder))
            except (Exception, TooSlow) as error:
                executed.clear()
                where = error.__traceback__
                while where is not None and where.tb_next is not None:
                    where = where.tb_next
                place = "" if where is None else f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}"
                verdict = f"{type(error).__name__}"
                print(f"{damaged.name}: {type(error).__name__}: {str(error)[:300]!r} at {place}")
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
    print("\n", verdicts)


if __name__ == "__main__":
    main()
