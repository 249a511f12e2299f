"""Damaged recordings, catalogues, tables and waveform sets, made from a seed, and what must hold for each.

python tests/data/damaged_inputs.py --inputs 2000 --seed 7     a longer search than the tests make
"""

from __future__ import annotations

import argparse
import io
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import recorded_trees
from damage import (
    ANY,
    TABLE,
    XML,
    Damage,
    a_pickle,
    card_text,
    executed,
    hdf5_content,
    record_header,
    sac_header,
    trace_names,
)
from obspy import Catalog, Stream, UTCDateTime
from obspy.core.event import Event, Magnitude, Origin, Pick, ResourceIdentifier, WaveformStreamID
from obspy.core.inventory import Channel, Inventory, Network, Site, Station

from seisvision.data.audit.audit import audit_set
from seisvision.data.importing.importer import NothingLeftError, run_import
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import SeisvisionError

Files = dict[str, bytes]
"""Content by path below the folder of the input."""
STATIONS = ("AAA", "BBB")
EVENTS = ("ev0", "ev1")
TIME_LIMIT_S = 20


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
    # The import goes on after a crash in one event, but there should be none.
    assert "program_error" not in set(listed["cause"])
    kinds = [rejection.kind for rejection in report.rejections]
    assert report.n_files.total() == n_files
    assert report.n_recordings.total() == report.n_components.total() + kinds.count("recording")
    assert report.n_catalogue.total() == report.n_events + kinds.count("event")
    assert report.n_picks.total() == report.n_picks_used.total() + kinds.count("pick")


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
