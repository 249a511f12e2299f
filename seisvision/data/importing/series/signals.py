"""What is done to the samples of recordings: joining, resampling, filtering; of many at once, or of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.recipe import Processing
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.band import band_pass, delay_s
from seisvision.data.importing.series.batches import in_batches, stacked
from seisvision.data.importing.series.gaps import fill
from seisvision.data.importing.series.joining import lay_out
from seisvision.data.importing.series.plain_channels import plain_samples
from seisvision.data.importing.series.time_grid import clean_rate, to_rate
from seisvision.data.importing.tables.times import NS

MAX_RISE, MAX_FALL = 100, 1000
"""Factors by which a sampling rate may be raised or lowered; beyond, the header is wrong more likely than not."""


@dataclass(frozen=True)
class ReadSpan:
    """Origin time of an event, and start and end of what is read of files about it."""

    origin_ns: int
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class Recording:
    """One channel of one station, joined to a single series.

    Args:
        samples: (T,) float64.
        original_rate_hz: rate before resampling.
        interpolated_s: total length of the gaps that were filled.
        clipped: whether it looks clipped.
        file: name of the (first) file.
        unit: unit of the samples.
        sac: the SAC header, {} for other formats.
        gaps_ns: start and end of each gap that was filled.
        overlap_differs: pieces of it that overlap hold different samples.
        read_span: what was asked of the file, where less than all was.
    """

    network: str
    station: str
    location: str
    channel: str
    start_ns: int
    rate_hz: float
    samples: np.ndarray
    original_rate_hz: float
    interpolated_s: float
    clipped: bool
    file: str
    unit: str
    sac: dict[str, Any]
    gaps_ns: tuple[tuple[int, int], ...] = ()
    overlap_differs: bool = False
    read_span: ReadSpan | None = None

    @property
    def trace_id(self) -> str:
        """NET.STA.LOC.CHA."""
        return f"{self.network}.{self.station}.{self.location}.{self.channel}"

    @property
    def end_ns(self) -> int:
        """Time of the sample after the last one."""
        return self.start_ns + round(len(self.samples) / self.rate_hz * NS)

    def with_samples(self, samples: np.ndarray, rate_hz: float) -> Recording:
        """The same with other samples; ``dataclasses.replace`` would take longer than many a step takes for them."""
        changed = object.__new__(Recording)
        vars(changed).update(vars(self), samples=samples, rate_hz=rate_hz)
        return changed


Verdict = Recording | Refusal
"""What became of one channel."""


def join_all(channels: Sequence[tuple[list[Segment], str]], max_gap_s: float, unit: str) -> list[Verdict]:
    """Join the pieces of each channel, given with the name of its file, as :func:`join` does one."""
    verdicts: list[Verdict] = []
    plain = plain_samples([pieces for pieces, _ in channels])
    for (pieces, file), samples in zip(channels, plain, strict=True):
        if samples is None:
            verdicts.append(verdict_of(join, pieces, max_gap_s, file, unit))
            continue
        piece, rate_hz = pieces[0], clean_rate(pieces[0].rate_hz)
        codes = (piece.network, piece.station, piece.location, piece.channel)
        verdicts.append(Recording(*codes, piece.start_ns, rate_hz, samples, rate_hz, 0.0, False, file, unit, piece.sac))
    return verdicts


def verdict_of(work: Callable[..., Recording], *arguments: Any) -> Verdict:
    """What ``work`` returns, or the refusal that it raises."""
    try:
        return work(*arguments)
    except Refusal as refusal:
        return refusal


def join(segments: list[Segment], max_gap_s: float, file: str, unit: str) -> Recording:
    """Join the segments of one channel; where they overlap, the later one counts.

    Raises:
        Refusal: no samples, nothing but gaps, or a gap longer than ``max_gap_s``.
    """
    laid = lay_out(segments, max_gap_s)
    gaps = fill(laid.samples, laid.rate_hz, max_gap_s, laid.fillers)
    first = min((segment for segment in segments if segment.n_samples), key=lambda segment: segment.start_ns)
    codes = (first.network, first.station, first.location, first.channel)
    start_ns, rate_hz = laid.start_ns, laid.rate_hz
    gaps_s = sum(end - begin for begin, end in gaps) / rate_hz
    step_ns = NS / rate_hz
    return Recording(
        *codes, start_ns, rate_hz, laid.samples, laid.original_rate_hz, gaps_s, False, file, unit, first.sac,
        gaps_ns=tuple((start_ns + round(begin * step_ns), start_ns + round(end * step_ns)) for begin, end in gaps),
        overlap_differs=laid.overlap_differs,
    )  # fmt: skip


def marks_of(recordings: Iterable[Recording]) -> dict[str, Any]:
    """What was done to any of several recordings, for one that is made of them, such as a turned component."""
    items = list(recordings)
    return {
        "original_rate_hz": min(item.original_rate_hz for item in items),
        "interpolated_s": max(item.interpolated_s for item in items),
        "gaps_ns": tuple(sorted({gap for item in items for gap in item.gaps_ns})),
        "clipped": any(item.clipped for item in items),
        "overlap_differs": any(item.overlap_differs for item in items),
    }


def process(recording: Recording, processing: Processing, response: Any = None, output: str = "VEL") -> Recording:
    """Detrend, taper, remove the response and resample, each as far as it is asked for; :func:`filtered` comes later.

    Args:
        response: None, a sensitivity in counts per unit, or an obspy response.
        output: VEL, DISP or ACC, where the response is used.

    Raises:
        Refusal: the band lies beyond the recorded one, there is no usable response, or the result is not finite.
    """
    return _or_raise(process_all([(recording, response)], processing, output)[0])


def process_all(
    recordings: Sequence[tuple[Recording, Any]], processing: Processing, output: str = "VEL"
) -> list[Verdict]:
    """Do with each recording, given with its response, what :func:`process` does with one."""

    def work(items: list[tuple[Recording, Any]]) -> list[Verdict]:
        return _process_rows(items, processing, output)

    return in_batches(recordings, lambda item: (len(item[0].samples), item[0].rate_hz), work)


def _process_rows(items: list[tuple[Recording, Any]], processing: Processing, output: str) -> list[Verdict]:
    """Of recordings of one length and one rate."""
    rate_hz, new_hz = items[0][0].rate_hz, processing.rate_hz or items[0][0].rate_hz
    try:
        if processing.band_hz is not None:
            _check_band(processing.band_hz, rate_hz)
    except Refusal as refusal:
        return [refusal] * len(items)
    rows = stacked([recording.samples for recording, _ in items])
    rows = _without_line(rows) if processing.detrend else rows.astype(float)
    rise = _taper(rows.shape[1], rate_hz, processing.taper_fraction, processing.taper_max_s)
    rows[:, : len(rise)] *= rise
    rows[:, rows.shape[1] - len(rise) :] *= rise[::-1]
    refusals: dict[int, Refusal] = {}
    for row, (recording, response) in enumerate(items):
        if isinstance(response, float):
            rows[row] /= response
        elif response is not None:
            try:
                rows[row] = _remove_response(recording, rows[row], response, output, processing)
            except Refusal as refusal:
                refusals[row] = refusal
    try:
        rows = resampled(rows, rate_hz, new_hz)
    except Refusal as refusal:
        return [refusals.get(row, refusal) for row in range(len(items))]
    finite = _are_finite(rows)
    return [
        refusals.get(row) or (recording.with_samples(rows[row], new_hz) if finite[row] else _not_finite())
        for row, (recording, _) in enumerate(items)
    ]


def filtered(recording: Recording, processing: Processing) -> Recording:
    """The recording in the band of the set, where there is one.

    Raises:
        Refusal: the result is not finite.
    """
    return _or_raise(filter_all([recording], processing)[0])


def filter_all(recordings: Sequence[Recording], processing: Processing) -> list[Verdict]:
    """Each recording in the band of the set, as :func:`filtered` gives one."""
    band_hz = processing.band_hz
    if band_hz is None:
        return list(recordings)

    def work(items: list[Recording]) -> list[Verdict]:
        rows, rate_hz = stacked([item.samples for item in items]), items[0].rate_hz
        rows = band_pass(rows, rate_hz, band_hz, processing.corners, zerophase=processing.zerophase)
        pairs = zip(items, rows, _are_finite(rows), strict=True)
        return [item.with_samples(row, rate_hz) if is_finite else _not_finite() for item, row, is_finite in pairs]

    return in_batches(recordings, lambda item: (len(item.samples), item.rate_hz), work)


def _or_raise(verdict: Verdict) -> Recording:
    if isinstance(verdict, Refusal):
        raise verdict
    return verdict


def band_in_words(processing: Processing) -> str:
    """How a set is filtered, and by how much that moves arrivals, for people."""
    assert processing.band_hz is not None
    low, high = processing.band_hz
    if processing.zerophase:
        return f"band-pass {low:g} to {high:g} Hz, zero-phase"
    late_s = delay_s(processing.rate_hz or 10 * high, processing.band_hz, processing.corners)
    late = f"arrivals come about {late_s:.2g} s later than picks, onsets and predicted times say"
    return f"band-pass {low:g} to {high:g} Hz, causal: {late}"


def _are_finite(rows: np.ndarray) -> list[bool]:
    """Whether a set can hold the samples of each row (R, T), as float32."""
    largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    return (largest <= np.finfo(np.float32).max).tolist()


def _not_finite() -> Refusal:
    return Refusal("processing", "not_finite", "not finite after filtering; the response or the samples are damaged")


def _check_band(band: tuple[float, float], rate_hz: float) -> None:
    """A band must begin below nine tenths of half the sampling rate, and end where there are recorded frequencies."""
    if band[0] >= 0.45 * rate_hz:
        reason = f"the band begins at {band[0]:g} Hz, half the sampling rate is {rate_hz / 2:g} Hz"
        raise Refusal("processing", "slow_sampling", reason, rate_hz / 2)
    if band[1] > rate_hz / 2:
        reason = f"the band ends at {band[1]:g} Hz, above half the sampling rate of {rate_hz / 2:g} Hz"
        raise Refusal("processing", "slow_sampling", reason, rate_hz / 2)


def resampled(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Samples (..., T) at another rate.

    Raises:
        Refusal: the rates are too far from one another to believe the header, or there is one sample only.
    """
    if from_hz == to_hz:
        return samples
    if samples.shape[-1] < 2:
        raise Refusal("quality", "short", "holds one sample, which is not enough to change its rate", samples.shape[-1])
    if not from_hz / MAX_FALL <= to_hz <= from_hz * MAX_RISE:
        reason = f"sampled at {from_hz:g} Hz, too far from {to_hz:g} Hz"
        raise Refusal("processing", "far_rate", reason, from_hz)
    return to_rate(samples, from_hz, to_hz)


def _without_line(rows: np.ndarray) -> np.ndarray:
    """Take the line of least squares away from each row (R, T), as scipy.signal.detrend does at four times the cost.

    Sums are those of numpy, which do not depend on the number of threads nor on what else is in the batch.
    """
    centred = np.arange(rows.shape[1]) - (rows.shape[1] - 1) / 2
    residual = rows - rows.mean(axis=1, keepdims=True)
    slopes = np.einsum("ij,j->i", residual, centred) / max((centred * centred).sum(), 1.0)
    for row, slope in zip(residual, slopes, strict=True):
        row -= slope * centred
    return residual


@lru_cache(maxsize=64)
def _taper(length: int, rate_hz: float, fraction: float, max_s: float) -> np.ndarray:
    """Cosine from 0 to 1 for the beginning, and turned round for the end."""
    width = min(round(fraction * length), round(max_s * rate_hz), length // 2)
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(width) / max(width, 1))


def _remove_response(
    recording: Recording, samples: np.ndarray, response: Any, output: str, processing: Processing
) -> np.ndarray:
    import obspy

    trace = obspy.Trace(samples, {"sampling_rate": recording.rate_hz})
    trace.stats.response = response
    try:
        trace.remove_response(output=output, water_level=processing.water_level_db, zero_mean=False, taper=False)
    except Exception as error:  # obspy raises plain exceptions and errors of its evalresp library
        message = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refusal("processing", "no_response", f"response cannot be removed: {message}") from error
    return np.asarray(trace.data)
