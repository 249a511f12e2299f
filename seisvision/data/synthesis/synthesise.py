"""Makes a whole synthetic waveform set, in several processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from seisvision.base.interrupts import postponed_interrupt
from seisvision.data.samples.arrivals import PHASES, THEORETICAL
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.synthesis.card import card
from seisvision.data.synthesis.generator import EventGenerator, SyntheticEvent
from seisvision.data.synthesis.geometry import NETWORK_CODE
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.tables import earth_tables
from seisvision.earth.constants import KM_PER_DEG
from seisvision.errors import ConfigurationError, DataError
from seisvision.processes import begin_worker, packed

log = logging.getLogger(__name__)

COMPRESSION: Final = "gzip"
"""Brings samples rounded to digital steps down to 1.1 bytes; lzf reads a fifth faster but takes 1.5 bytes."""
_EVENTS_AHEAD = 8
_RAYLEIGH_KM_S = 3.5
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def synthesise(
    parameters: SynthesisParameters, path: str | Path, cache_dir: str | Path, processes: int | None = None
) -> Path:
    """Write the set that ``parameters`` describe; its content does not depend on the number of processes.

    Args:
        parameters: What to make.
        path: Folder of the new set; it appears when it is complete.
        cache_dir: Folder for the tables of the Earth model.
        processes: Worker processes; by default one per core. 1 works in this process.

    Returns:
        ``path``.

    Raises:
        ConfigurationError: ``processes`` is below 1.
        DataError: The set exists already, or a worker process died.
    """
    if processes is not None and processes < 1:
        raise ConfigurationError(f"processes={processes} is not allowed: give 1 or more, or nothing for one per core.")
    # More processes than events would only cost their start.
    n_workers = min(processes or available_cores(), parameters.n_events)
    _warn_of_short_records(parameters)
    with WaveformSetWriter(path, card=card(parameters), compression=COMPRESSION) as writer:
        # Made before the workers start, so that they all read them.
        earth_tables(parameters.earth_model, Path(cache_dir))
        with closing(_events(parameters, Path(cache_dir), n_workers)) as events:
            for event in _with_progress(events, parameters.n_events):
                with postponed_interrupt():
                    writer.add_event(trace_metadata(event, parameters), event.waveforms)
    return Path(path)


def available_cores() -> int:
    """Cores that this process may use, which a batch system can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def trace_metadata(event: SyntheticEvent, parameters: SynthesisParameters) -> list[dict[str, Any]]:
    """One metadata row per station, columns as in every waveform set of this package.

    The arrivals are called theoretical: an onset is detected, as on recordings, not given.
    """
    source, geometry = event.source, event.geometry
    common = {
        "source_id": event.source_id,
        "source_type": source.kind,
        "source_origin_time": _iso(event.origin_time),
        "source_latitude_deg": geometry.latitude_deg,
        "source_longitude_deg": geometry.longitude_deg,
        "source_depth_km": round(source.depth_km, 3),
        "source_magnitude": round(source.magnitude, 3),
        "source_force_azimuth_deg": round(source.force_azimuth_deg, 2),
        "source_cell": geometry.cell,
        "station_network_code": NETWORK_CODE,
        "station_location_code": "",
        "station_elevation_m": 0.0,
        "trace_channel": _channel(parameters.sampling_rate_hz),
        "trace_start_time": _iso(event.start_time),
        "trace_sampling_rate_hz": parameters.sampling_rate_hz,
        "trace_component_order": "ZNE",
        "trace_unit": "m/s",
        "trace_onset_s": float("nan"),
    }
    return [
        common
        | {
            "station_code": str(geometry.station_code[i]),
            "station_latitude_deg": float(geometry.station_latitude_deg[i]),
            "station_longitude_deg": float(geometry.station_longitude_deg[i]),
            "path_ep_distance_km": round(float(geometry.offset_km[i]), 3),
            "path_azimuth_deg": round(float(geometry.azimuth_deg[i]), 3) % 360,
            "path_back_azimuth_deg": round(float(geometry.back_azimuth_deg[i]), 3) % 360,
            "trace_fault": "+".join(event.faults[i]),
            **arrival_columns(event.arrivals_s[i], parameters.sampling_rate_hz),
        }
        for i in range(len(geometry.offset_km))
    ]


def arrival_columns(arrivals_s: Sequence[float], sampling_rate_hz: float) -> dict[str, Any]:
    """Columns of SeisBench for the P and the S of a trace, seconds after its start, NaN for none."""
    columns: dict[str, Any] = {}
    for phase, time_s in zip(PHASES, arrivals_s, strict=True):
        name = f"trace_{phase.lower()}"
        columns[f"{name}_arrival_sample"] = round(float(time_s) * sampling_rate_hz, 2)
        columns[f"{name}_status"] = "" if np.isnan(time_s) else THEORETICAL
    return columns


def further_columns(events_s: Sequence[Sequence[float]], sampling_rate_hz: float) -> dict[str, Any]:
    """Columns for P and S of the second event in a trace, the third, ...; seconds after its start, NaN for none."""
    return {
        f"trace_{phase.lower()}_arrival_{number}_sample": round(float(time_s) * sampling_rate_hz, 2)
        for number, arrivals_s in enumerate(events_s, start=2)
        for phase, time_s in zip(PHASES, arrivals_s, strict=True)
    }


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _channel(sampling_rate_hz: float) -> str:
    """Band and instrument code of the SEED manual, appendix A, for a broadband seismometer."""
    if sampling_rate_hz >= 10:
        return "BH"
    return "MH" if sampling_rate_hz > 1 else "LH"


def _warn_of_short_records(parameters: SynthesisParameters) -> None:
    needed_s = parameters.offset_range_deg[1] * KM_PER_DEG / _RAYLEIGH_KM_S
    if parameters.length_s - parameters.lead_s < needed_s:
        log.warning(
            "length_s=%g with lead_s=%g ends before the surface waves of the farthest stations (%.0f s after the "
            "origin); give a longer length_s or a smaller offset_range_deg to have them",
            parameters.length_s,
            parameters.lead_s,
            needed_s,
        )


def _events(parameters: SynthesisParameters, cache_dir: Path, n_workers: int) -> Generator[SyntheticEvent, None, None]:
    """All events in order."""
    if n_workers == 1:
        yield from map(EventGenerator(parameters, cache_dir).event, range(parameters.n_events))
        return
    # Spawned, not forked: the caller may hold threads or a GPU, which do not survive a fork.
    with _single_threaded():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(n_workers, context, begin_worker, packed(_begin, parameters, cache_dir))
        try:
            yield from _in_order(pool, parameters.n_events, n_workers * _EVENTS_AHEAD)
        except BrokenProcessPool:
            raise DataError(
                "A process that made synthetic events died, perhaps for lack of memory or because the calling script "
                "has no 'if __name__ == \"__main__\":' guard. Try again with processes=1."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, n_events: int, n_ahead: int) -> Iterator[SyntheticEvent]:
    """Results in the order of the events; few are under way at a time, so that memory stays small."""
    waiting: deque[Future[SyntheticEvent]] = deque()
    indices = iter(range(n_events))
    waiting.extend(pool.submit(_make_event, index) for index in islice(indices, n_ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(_make_event, index) for index in islice(indices, 1))


_generator: EventGenerator


def _begin(parameters: SynthesisParameters, cache_dir: Path) -> None:
    global _generator
    # The parent alone answers Ctrl-C and then ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _generator = EventGenerator(parameters, cache_dir)


def _make_event(index: int) -> SyntheticEvent:
    return _generator.event(index)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started meanwhile use one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _with_progress(events: Iterable[SyntheticEvent], total: int) -> Iterator[SyntheticEvent]:
    """Show a bar in a terminal, else a log line every tenth."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(events, "Synthesising events", total, console=Console(stderr=True), transient=True)
        return
    for done, event in enumerate(events, start=1):
        yield event
        if done * 10 // total > (done - 1) * 10 // total:
            log.info("Synthesised %d of %d events", done, total)
