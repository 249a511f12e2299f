"""What is done to the samples of one recording: joining, checking, resampling, filtering."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.recipe import Processing, Quality
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.band import band_pass, delay_s
from seisvision.data.importing.series.gaps import fill
from seisvision.data.importing.series.joining import lay_out
from seisvision.data.importing.series.time_grid import to_rate
from seisvision.data.importing.tables.times import NS

CLIP_RUN = 3
"""Samples in a row at the largest value that make a peak look cut off."""
CLIP_PEAKS = 2
"""Number of such peaks that make a recording a suspect."""
CLIP_LEVELS = 200
"""Steps of the recorder between the smallest and the largest value that are needed to judge."""
MAX_RISE, MAX_FALL = 100, 1000
"""Factors by which a sampling rate may be raised or lowered; beyond, the header is wrong more likely than not."""
FLAT_RUN = 20
"""Equal samples in a row that are needed to call a recording flat, however slowly it is sampled."""


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


def check(recording: Recording, quality: Quality) -> Recording:
    """Refuse recordings that cannot be used; mark those that look clipped.

    Raises:
        Refusal: NaN or infinite samples, too short, sampled too slowly, dead, too much of it interpolated, or pieces
            that contradict one another or peaks that are clipped where that is refused.
    """
    samples, rate = recording.samples, recording.rate_hz
    length_s = len(samples) / rate
    if not np.isfinite(samples).all():
        n_bad = int((~np.isfinite(samples)).sum())
        raise Refusal("quality", "not_finite", f"{n_bad} samples are NaN or infinite", n_bad)
    if length_s < quality.min_length_s:
        raise Refusal("quality", "short", f"length {length_s:.3g} s < {quality.min_length_s:g} s", length_s)
    if rate / 2 < quality.min_nyquist_hz:
        reason = f"half the sampling rate {rate / 2:g} Hz < {quality.min_nyquist_hz:g} Hz"
        raise Refusal("quality", "slow_sampling", reason, rate / 2)
    flat = _longest_run(samples)
    flat_s = flat / rate
    if flat_s > quality.max_flat_s and flat >= min(FLAT_RUN, len(samples)):
        raise Refusal("quality", "flat", f"one value for {flat_s:.3g} s > {quality.max_flat_s:g} s", flat_s)
    check_interpolated(recording.interpolated_s, length_s, quality, "quality")
    if recording.overlap_differs and quality.overlaps == "reject":
        raise Refusal("merge", "overlap", "pieces that overlap in time hold different samples")
    clipped = looks_clipped(samples)
    if clipped and quality.clipped == "reject":
        raise Refusal("quality", "clipped", "peaks are cut off at the largest value")
    return replace(recording, clipped=True) if clipped else recording


def check_interpolated(interpolated_s: float, length_s: float, quality: Quality, stage: str) -> None:
    """Raise a Refusal where too much of a recording, or of the window, stands for gaps."""
    if interpolated_s > quality.max_interpolated_fraction * length_s:
        reason = (
            f"{interpolated_s:.3g} of {length_s:.4g} s are gaps that were interpolated, "
            f"more than {quality.max_interpolated_fraction:.0%}"
        )
        raise Refusal(stage, "interpolated", reason, interpolated_s)


def _longest_run(samples: np.ndarray) -> int:
    """Length of the longest run of one value."""
    changes = np.flatnonzero(np.diff(samples) != 0)
    edges = np.concatenate([[-1], changes, [len(samples) - 1]])
    return int(np.diff(edges).max())


def looks_clipped(samples: np.ndarray) -> bool:
    """Whether several peaks end flat at the very largest or smallest value, as saturated recorders do."""
    low, high = samples.min(), samples.max()
    if low == high or not (_flat_peaks(samples, high) or _flat_peaks(samples, low)):
        return False
    # A recorder that writes a few counts of noise repeats its extremes by chance.
    return bool(high - low >= CLIP_LEVELS * np.diff(np.unique(samples)).min())


def _flat_peaks(samples: np.ndarray, extreme: float) -> bool:
    at = np.flatnonzero(samples == extreme)
    if len(at) < CLIP_RUN * CLIP_PEAKS:
        return False
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(at) > 1) + 1, [len(at)]]))
    return int((runs >= CLIP_RUN).sum()) >= CLIP_PEAKS


def process(recording: Recording, processing: Processing, response: Any = None, output: str = "VEL") -> Recording:
    """Detrend, taper, remove the response and resample, each as far as it is asked for; :func:`filtered` comes later.

    Args:
        response: None, a sensitivity in counts per unit, or an obspy response.
        output: VEL, DISP or ACC, where the response is used.

    Raises:
        Refusal: the band lies beyond the recorded one, there is no usable response, or the result is not finite.
    """
    band = processing.band_hz
    if band is not None:
        _check_band(band, recording.rate_hz)
    samples = _without_line(recording.samples) if processing.detrend else recording.samples.astype(float)
    samples *= _taper(len(samples), recording.rate_hz, processing)
    if isinstance(response, float):
        samples /= response
    elif response is not None:
        samples = _remove_response(recording, samples, response, output, processing)
    rate_hz = processing.rate_hz or recording.rate_hz
    samples = _finite(resampled(samples, recording.rate_hz, rate_hz))
    return replace(recording, samples=samples, rate_hz=rate_hz)


def filtered(recording: Recording, processing: Processing) -> Recording:
    """The recording in the band of the set, where there is one.

    Raises:
        Refusal: the result is not finite.
    """
    if processing.band_hz is None:
        return recording
    samples = band_pass(
        recording.samples,
        recording.rate_hz,
        processing.band_hz,
        processing.corners,
        zerophase=processing.zerophase,
    )
    return replace(recording, samples=_finite(samples))


def band_in_words(processing: Processing) -> str:
    """How a set is filtered, and by how much that moves arrivals, for people."""
    assert processing.band_hz is not None
    low, high = processing.band_hz
    if processing.zerophase:
        return f"band-pass {low:g} to {high:g} Hz, zero-phase"
    late_s = delay_s(processing.rate_hz or 10 * high, processing.band_hz, processing.corners)
    late = f"arrivals come about {late_s:.2g} s later than picks, onsets and predicted times say"
    return f"band-pass {low:g} to {high:g} Hz, causal: {late}"


def _finite(samples: np.ndarray) -> np.ndarray:
    """Samples that a set can hold, as float32."""
    if not np.abs(samples).max() <= np.finfo(np.float32).max:
        raise Refusal("processing", "not_finite", "not finite after filtering; the response or the samples are damaged")
    return samples


def _check_band(band: tuple[float, float], rate_hz: float) -> None:
    """A band must begin below nine tenths of half the sampling rate, and end where there are recorded frequencies."""
    if band[0] >= 0.45 * rate_hz:
        reason = f"the band begins at {band[0]:g} Hz, half the sampling rate is {rate_hz / 2:g} Hz"
        raise Refusal("processing", "slow_sampling", reason, rate_hz / 2)
    if band[1] > rate_hz / 2:
        reason = f"the band ends at {band[1]:g} Hz, above half the sampling rate of {rate_hz / 2:g} Hz"
        raise Refusal("processing", "slow_sampling", reason, rate_hz / 2)


def resampled(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Samples (T,) at another rate.

    Raises:
        Refusal: the rates are too far from one another to believe the header, or there is one sample only.
    """
    if from_hz == to_hz:
        return samples
    if len(samples) < 2:
        raise Refusal("quality", "short", "holds one sample, which is not enough to change its rate", len(samples))
    if not from_hz / MAX_FALL <= to_hz <= from_hz * MAX_RISE:
        reason = f"sampled at {from_hz:g} Hz, too far from {to_hz:g} Hz"
        raise Refusal("processing", "far_rate", reason, from_hz)
    return to_rate(samples, from_hz, to_hz)


def _without_line(samples: np.ndarray) -> np.ndarray:
    """Take away the line of least squares, as scipy.signal.detrend does at four times the cost."""
    centred = np.arange(len(samples)) - (len(samples) - 1) / 2
    residual = samples - samples.mean()
    slope = (centred @ residual) / max(centred @ centred, 1.0)
    return residual - slope * centred


def _taper(length: int, rate_hz: float, processing: Processing) -> np.ndarray:
    """Cosine at either end."""
    width = min(round(processing.taper_fraction * length), round(processing.taper_max_s * rate_hz), length // 2)
    weights = np.ones(length)
    if width:
        rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(width) / width)
        weights[:width] = rise
        weights[-width:] = rise[::-1]
    return weights


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
